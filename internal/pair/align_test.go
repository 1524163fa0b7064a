package pair

import (
	"strings"
	"testing"

	"gauntlet/internal/check"
	"gauntlet/internal/config"
	"gauntlet/internal/packages"
)

func TestAlignmentComparesEnvironmentByEnvironment(t *testing.T) {
	env := func(p, python string, pairs ...string) packages.Environment {
		e := packages.Environment{Path: p, Kind: packages.Python, Python: python, Packages: map[string]string{}}
		for i := 0; i < len(pairs); i += 2 {
			e.Packages[pairs[i]] = pairs[i+1]
		}
		return e
	}
	cases := map[string]struct {
		notebook, worker packages.List // the first runs
		state            check.State
		words            string
		rules            config.Alignment
	}{
		"equal":                              {packages.List{env("/opt/env", "3.11", "dask", "2026.8")}, packages.List{env("/opt/env", "3.11", "dask", "2026.8")}, check.Passed, "1 packages in both", nil},
		"a Dask apart":                       {packages.List{env("/opt/env", "3.11", "dask", "2026.8")}, packages.List{env("/opt/env", "3.11", "dask", "2026.3")}, check.Failed, "dask 2026.8 / 2026.3", nil},
		"a Python apart":                     {packages.List{env("/opt/env", "3.11", "dask", "1")}, packages.List{env("/opt/env", "3.13", "dask", "1")}, check.Failed, "Python 3.13", nil},
		"in other places":                    {packages.List{env("/opt/nb", "3.11", "dask", "1")}, packages.List{env("/usr", "", "dask", "2")}, check.Failed, "/opt/nb / /usr: versions differ", nil},
		"only the second is":                 {packages.List{env("/opt/env", "3.11", "dask", "1"), env("/opt/geo", "3.11", "geopandas", "1.1")}, packages.List{env("/opt/env", "3.11", "dask", "1"), env("/opt/geo", "3.11", "geopandas", "1.2")}, check.Failed, "/opt/geo: versions differ (notebook / worker): geopandas 1.1 / 1.2", nil},
		"of no consequence":                  {packages.List{env("/opt/env", "3.11", "zict", "1")}, packages.List{env("/opt/env", "3.11", "zict", "2")}, check.Warned, "zict 1 / 2", nil},
		"second unlike":                      {packages.List{env("/opt/env", "3.11", "dask", "1"), env("/usr", "", "apt", "1")}, packages.List{env("/opt/env", "3.11", "dask", "1"), env("/usr", "", "dbus", "1")}, check.Passed, "/opt/env", nil},
		"missing on the worker":              {packages.List{env("/e", "3.11", "dask", "1", "geopandas", "1")}, packages.List{env("/e", "3.11", "dask", "1")}, check.Warned, "in the notebook only: geopandas", nil},
		"missing in the notebook":            {packages.List{env("/e", "3.11", "dask", "1")}, packages.List{env("/e", "3.11", "dask", "1", "zarr", "3")}, check.Warned, "in the worker only: zarr", nil},
		"more in the notebook":               {packages.List{env("/e", "3.11", "dask", "1", "jupyterlab", "4")}, packages.List{env("/e", "3.11", "dask", "1")}, check.Passed, "in the notebook only: jupyterlab", nil},
		"nothing in common":                  {packages.List{env("/e", "3.11", "a", "1")}, packages.List{env("/e", "3.11", "b", "1")}, check.Failed, "nothing was compared", nil},
		"another patch level":                {packages.List{env("/e", "3.11.2", "dask", "1")}, packages.List{env("/e", "3.11.9", "dask", "1")}, check.Warned, "Python 3.11.2 / 3.11.9", nil},
		"not a prefix":                       {packages.List{env("/e", "3.1.2", "dask", "1")}, packages.List{env("/e", "3.11.2", "dask", "1")}, check.Failed, "Python 3.11.2", nil},
		"a Dask apart, and that is let be":   {packages.List{env("/e", "3.11", "dask", "1", "numpy", "2")}, packages.List{env("/e", "3.11", "dask", "2", "numpy", "2")}, check.Passed, "1 packages in both", config.Alignment{"dask": config.Ignore}},
		"a Dask apart, warned of":            {packages.List{env("/e", "3.11", "dask", "1")}, packages.List{env("/e", "3.11", "dask", "2")}, check.Warned, "dask 1 / 2", config.Alignment{"dask": config.Warn}},
		"what never crosses, made fatal":     {packages.List{env("/e", "3.11", "zict", "1")}, packages.List{env("/e", "3.11", "zict", "2")}, check.Failed, "zict 1 / 2", config.Alignment{"*": config.Fatal}},
		"named before the others":            {packages.List{env("/e", "3.11", "zict", "1", "dask", "1")}, packages.List{env("/e", "3.11", "zict", "2", "dask", "1")}, check.Warned, "zict 1 / 2", config.Alignment{"*": config.Fatal, "zict": config.Warn}},
		"a Python apart, and that is let be": {packages.List{env("/e", "3.11", "dask", "1")}, packages.List{env("/e", "3.13", "dask", "1")}, check.Warned, "Python 3.11 / 3.13", config.Alignment{"python": config.Warn}},
		"no such second":                     {packages.List{env("/opt/env", "3.11", "dask", "1"), env("/opt/geo", "3.11", "geopandas", "1")}, packages.List{env("/opt/env", "3.11", "dask", "1")}, check.Passed, "/opt/env", nil},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			said, err := compareEnvironments([2]packages.List{c.notebook, c.worker}, [2]packages.Environment{c.notebook[0], c.worker[0]}, c.rules)
			text := said
			if err != nil {
				text = err.Error()
			}
			if got := state(said, err); got != c.state || !strings.Contains(text, c.words) {
				t.Errorf("%s %q, want %s with %q", got, text, c.state, c.words)
			}
		})
	}
}
