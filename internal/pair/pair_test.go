package pair

import (
	"errors"
	"regexp"
	"strings"
	"testing"

	"gauntlet/internal/check"
	"gauntlet/internal/config"
)

func images() config.Images {
	return config.Images{
		Build: map[string]config.Build{
			"notebook": {Imports: []string{"geopandas", "pandas"}},
			"worker":   {Imports: []string{"xarray"}},
		},
		Pairs: []config.Pair{{Notebook: "notebook", Worker: "worker", Template: "/t.yml"}},
	}
}

func names(s check.Suite) map[string]bool {
	m := map[string]bool{}
	for _, c := range s.Checks {
		m[c.Name] = true
	}
	return m
}

func TestTheSuiteTriesWhatIsPromised(t *testing.T) {
	s := Suite(Options{Images: images()})
	seen := map[string]bool{}
	for _, c := range s.Checks {
		if seen[c.Name] || c.Timeout <= 0 || c.Run == nil {
			t.Errorf("%s comes twice, or has no timeout or nothing to run", c.Name)
		}
		for _, n := range c.Needs {
			if !seen[n] {
				t.Errorf("%s needs %q, which is not before it", c.Name, n)
			}
		}
		seen[c.Name] = true
	}
	if len(s.Checks) != 22 || s.Cleanup == nil {
		t.Errorf("%d checks, cleanup %v", len(s.Checks), s.Cleanup)
	}
	bare := images()
	bare.Build = map[string]config.Build{"notebook": {}, "worker": {}}
	left := names(Suite(Options{Images: bare}))
	for _, optional := range []string{"a geopandas task", "an xarray computation", "a Dask data frame computes"} {
		if !seen["notebook+worker: "+optional] || left["notebook+worker: "+optional] {
			t.Errorf("%s: tried with a promise %v, without %v", optional, seen["notebook+worker: "+optional], left["notebook+worker: "+optional])
		}
	}
	if !left["notebook+worker: "+aLambda] {
		t.Error("no lambda without promises")
	}
	if len(Suite(Options{}).Checks) != 0 {
		t.Error("a suite without pairs has checks that would pass on nothing")
	}
}

func TestTheDigestChangesWithWhatIsChecked(t *testing.T) {
	base := Suite(Options{Images: images()}).Digest
	if base != Suite(Options{Images: images(), Refs: map[string]string{"worker": "x"}}).Digest {
		t.Error("other images made it another suite")
	}
	fewer, other := images(), images()
	fewer.Build = nil
	other.Pairs[0].Template = "/u.yml"
	for name, i := range map[string]config.Images{"promises": fewer, "template": other} {
		if Suite(Options{Images: i}).Digest == base {
			t.Errorf("other %s gave the same digest", name)
		}
	}
}

func TestTheScriptKnowsEveryProbe(t *testing.T) {
	script, err := scripts.ReadFile("scripts/client.py")
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^@check\("([a-z-]+)"\)$`).FindAllStringSubmatch(string(script), -1) {
		known[m[1]] = true
	}
	for _, p := range probes {
		if !known[p.key] {
			t.Errorf("client.py has no check %q", p.key)
		}
		delete(known, p.key)
	}
	for k := range known {
		t.Errorf("client.py's check %q is never asked for", k)
	}
}

func TestPythonsMustBeOfOneMinor(t *testing.T) {
	cases := map[string]struct {
		notebook, worker string
		state            check.State
	}{
		"equal":        {"3.11.2", "3.11.2", check.Passed},
		"patch level":  {"3.11.2", "3.11.9", check.Warned},
		"minor":        {"3.11.2", "3.13.5", check.Failed},
		"not a prefix": {"3.1.2", "3.11.2", check.Failed},
	}
	for name, c := range cases {
		m, err := comparePython(c.notebook, c.worker)
		if got := state(m, err); got != c.state {
			t.Errorf("%s: %s (%q, %v), want %s", name, got, m, err, c.state)
		}
	}
}

func state(message string, err error) check.State {
	var w check.Warning
	switch {
	case errors.As(err, &w):
		return check.Warned
	case err != nil || message == "":
		return check.Failed
	}
	return check.Passed
}

func TestPackagesThatCrossMustBeEqual(t *testing.T) {
	cases := map[string]struct {
		notebook, worker map[string]string
		state            check.State
		words            string
	}{
		"equal":                     {map[string]string{"dask": "1", "jupyterlab": "4"}, map[string]string{"dask": "1"}, check.Passed, "1 packages"},
		"another dask":              {map[string]string{"dask": "1", "zict": "1"}, map[string]string{"dask": "2", "zict": "2"}, check.Failed, "dask 1 / 2"},
		"another of no consequence": {map[string]string{"dask": "1", "zict": "1"}, map[string]string{"dask": "1", "zict": "2"}, check.Warned, "zict 1 / 2"},
		"missing on the worker":     {map[string]string{"dask": "1", "geopandas": "1"}, map[string]string{"dask": "1"}, check.Warned, "geopandas is in the notebook only"},
		"nothing in common":         {map[string]string{"a": "1"}, map[string]string{"b": "1"}, check.Failed, "nothing was compared"},
	}
	for name, c := range cases {
		m, err := comparePackages(c.notebook, c.worker)
		text := m
		if err != nil {
			text = err.Error()
		}
		if got := state(m, err); got != c.state || !strings.Contains(text, c.words) {
			t.Errorf("%s: %s %q, want %s %q", name, got, text, c.state, c.words)
		}
	}
}

func TestFactsAreReadOrRefused(t *testing.T) {
	f, err := parseFacts(`{"python":"3.11.2","packages":{"dask":"1"}}`)
	if err != nil || f.Python != "3.11.2" || f.Packages["dask"] != "1" {
		t.Errorf("%+v %v", f, err)
	}
	for _, line := range []string{"", "{", "{}", `{"python":"3"}`, `{"python":"3","packages":{}}`} {
		if _, err := parseFacts(line); err == nil {
			t.Errorf("%q was taken", line)
		}
	}
}

func TestTroubleSkipsWhatIsNone(t *testing.T) {
	log := factsMark + `{"packages":{"exceptiongroup":"1","errors":"2"}}` + `
2026-11-25 22:55:00,000 - distributed.nanny - INFO - Start Nanny at: 'tcp://10.0.0.1:1'
2026-11-25 22:55:01,000 - distributed.worker - INFO - TimeoutError is not one
Traceback (most recent call last):
RuntimeError: Nanny failed to start.
2026-11-25 22:55:02,000 - distributed.dask_worker - INFO - End worker
`
	if got := trouble(log); got != "RuntimeError: Nanny failed to start." {
		t.Errorf("got %q", got)
	}
	if got := trouble(factsMark + "{}\n2026 - distributed.worker - INFO - fine\n"); got != "" {
		t.Errorf("a healthy worker is in trouble: %q", got)
	}
}

func TestOnlySilentFailuresBlameWorkers(t *testing.T) {
	for text, want := range map[string]bool{
		"TimeoutError: no result in 30 s":                                         true,
		"KilledWorker: Attempted to run task on 4 different workers":              true,
		"no worker joined in 88 s":                                                true,
		"no answer from the client after 75s":                                     true,
		"FutureCancelledError: x cancelled for reason: scheduler-connection-lost": true,
		"ModuleNotFoundError: No module named 'geopandas'":                        false,
		"versions differ: dask 1 (client) / 2 (worker)":                           false,
	} {
		if silent.MatchString(text) != want {
			t.Errorf("%q: %v", text, !want)
		}
	}
}
