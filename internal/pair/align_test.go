package pair

import (
	"strings"
	"testing"

	"gauntlet/internal/check"
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
	}{
		"equal":              {packages.List{env("/opt/env", "3.11", "dask", "2026.8")}, packages.List{env("/opt/env", "3.11", "dask", "2026.8")}, check.Passed, "1 packages"},
		"a Dask apart":       {packages.List{env("/opt/env", "3.11", "dask", "2026.8")}, packages.List{env("/opt/env", "3.11", "dask", "2026.3")}, check.Failed, "dask 2026.8 / 2026.3"},
		"a Python apart":     {packages.List{env("/opt/env", "3.11", "dask", "1")}, packages.List{env("/opt/env", "3.13", "dask", "1")}, check.Failed, "Python 3.13"},
		"in other places":    {packages.List{env("/opt/nb", "3.11", "dask", "1")}, packages.List{env("/usr", "", "dask", "2")}, check.Failed, "/opt/nb / /usr: versions differ"},
		"only the second is": {packages.List{env("/opt/env", "3.11", "dask", "1"), env("/opt/geo", "3.11", "geopandas", "1.1")}, packages.List{env("/opt/env", "3.11", "dask", "1"), env("/opt/geo", "3.11", "geopandas", "1.2")}, check.Failed, "/opt/geo: versions differ (notebook / worker): geopandas 1.1 / 1.2"},
		"of no consequence":  {packages.List{env("/opt/env", "3.11", "zict", "1")}, packages.List{env("/opt/env", "3.11", "zict", "2")}, check.Warned, "zict 1 / 2"},
		"second unlike":      {packages.List{env("/opt/env", "3.11", "dask", "1"), env("/usr", "", "apt", "1")}, packages.List{env("/opt/env", "3.11", "dask", "1"), env("/usr", "", "dbus", "1")}, check.Passed, "/opt/env"},
		"no such second":     {packages.List{env("/opt/env", "3.11", "dask", "1"), env("/opt/geo", "3.11", "geopandas", "1")}, packages.List{env("/opt/env", "3.11", "dask", "1")}, check.Passed, "/opt/env"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			said, err := compareEnvironments([2]packages.List{c.notebook, c.worker}, [2]packages.Environment{c.notebook[0], c.worker[0]})
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
