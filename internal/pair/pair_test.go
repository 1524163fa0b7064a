package pair

import (
	"errors"
	"regexp"
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
	if len(s.Checks) < 45 || s.Cleanup == nil {
		t.Errorf("%d checks, cleanup %v", len(s.Checks), s.Cleanup)
	}
	bare := images()
	bare.Build = map[string]config.Build{"notebook": {}, "worker": {}}
	left := names(Suite(Options{Images: bare}))
	for _, optional := range []string{"geopandas data frames go both ways", "xarray computes", "a Dask data frame computes"} {
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
	fewer, other, lenient := images(), images(), images()
	fewer.Build = nil
	other.Pairs[0].Template = "/u.yml"
	lenient.Alignment = config.Alignment{"dask": config.Warn}
	for name, i := range map[string]config.Images{"promises": fewer, "template": other, "alignment": lenient} {
		if Suite(Options{Images: i}).Digest == base {
			t.Errorf("other %s gave the same digest", name)
		}
	}
}

func TestTheScriptKnowsEveryProbe(t *testing.T) {
	script, err := clientScript()
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^@check\("([a-z-]+)"\)$`).FindAllStringSubmatch(string(script), -1) {
		if known[m[1]] {
			t.Errorf("the client has two checks %q", m[1])
		}
		known[m[1]] = true
	}
	for _, p := range probes {
		if !known[p.key] {
			t.Errorf("the client has no check %q", p.key)
		}
		delete(known, p.key)
	}
	for k := range known {
		t.Errorf("the client's check %q is never asked for", k)
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
		"the scheduler has ended":                                                 true,
		"versions differ: dask 1 (client) / 2 (worker)":                           false,
	} {
		if silent.MatchString(text) != want {
			t.Errorf("%q: %v", text, !want)
		}
	}
}
