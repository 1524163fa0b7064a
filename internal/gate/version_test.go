package gate

import (
	"strings"
	"testing"

	"gauntlet/internal/evidence"
)

// A version is refused unless it rises above all that were ever given, so what the gate
// proposes does.
func TestTheProposedVersionRisesAboveAllThatWereGiven(t *testing.T) {
	for name, tt := range map[string]struct {
		given []string
		want  string
	}{
		"none yet":           {nil, "release tag v1.0.0 "},
		"one":                {[]string{"v1.0.0"}, "release tag v1.1.0 "},
		"a higher one first": {[]string{"v1.3.2", "v1.0.0"}, "release tag v1.4.0 "},
		"one that is none":   {[]string{"v1.0.0", "next"}, "release tag v1.1.0 "},
	} {
		w := toProduction()
		w.Evidence = nil
		w.build()
		for _, v := range tt.given {
			w.say("deployer", evidence.VersionType, evidence.Version{Version: v}, of(evidence.Release, digest("other "+v)))
		}
		if got := requirement(t, Evaluate(w.Input), "version"); got.Decision != Wait || !strings.Contains(got.Command, tt.want) {
			t.Errorf("%s: %s, %q", name, got.Decision, got.Command)
		}
	}
}
