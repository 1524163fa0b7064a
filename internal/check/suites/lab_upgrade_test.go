package suites

import (
	"strings"
	"testing"

	"gauntlet/internal/check"
	"gauntlet/internal/kube"
	"gauntlet/internal/release"
)

// A kernel is held open while the hub restarts, while the proxy does, and while both do.
func TestLabAKernelIsHeldOpenAcrossRestarts(t *testing.T) {
	c := connect(t)
	url := labHub(t, c, nil)
	_, held, err := kube.Lock(t.Context(), c, kube.LockRequest{Namespace: namespace, Holder: "test"})
	if err != nil {
		t.Fatal(err)
	}
	target := target(c, url)
	target.Held = held
	s := Stand(t.Context(), target)
	if s.Problem != "" {
		t.Fatal(s.Problem)
	}
	debug := map[string]any{"logLevel": "DEBUG"}
	asks := map[string]any{"resources": map[string]any{"requests": map[string]any{"cpu": "11m"}}}
	for _, change := range []struct {
		name   string
		values map[string]any
		cut    string
	}{
		{"hub", map[string]any{"hub": debug}, "cut never"},
		{"proxy", map[string]any{"hub": debug, "proxy": asks}, "cut once"},
		{"both", nil, "cut once"},
	} {
		t.Run(change.name, func(t *testing.T) {
			labHubUnder(t, c, held, release.Values{"jupyterhub": change.values})
			suite, ok := s.Suite()
			if !ok {
				t.Fatal("nothing stood")
			}
			check.Run(t.Context(), suite, func(o check.Outcome) {
				t.Logf("%-36s %s %6.1fs %s", o.Name, o.State, o.Took.Seconds(), o.Message)
				if o.State != check.Passed {
					t.Errorf("%s: %s", o.Name, o.Message)
				}
				if o.Name == "kernel held open answers" && !strings.Contains(o.Message, change.cut) {
					t.Errorf("not %s: %s", change.cut, o.Message)
				}
			})
		})
	}
	if err := s.Leave(t.Context()); err != nil {
		t.Error(err)
	}
	if err := held.Release(); err != nil {
		t.Error(err)
	}
	nothingLeft(t, c, url)
}
