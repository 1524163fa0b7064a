package gate

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gauntlet/internal/evidence"
)

func TestTheBoardSeesWhatIsKnownOfARelease(t *testing.T) {
	w := toCanary()
	w.Evidence = nil // nobody has approved
	w.build()
	if got := ReadyBy(w.Input); len(got) != 0 {
		t.Errorf("nobody said a word: %+v", got)
	}
	w.say("builder", evidence.ReadyType, evidence.Ready{Known: []string{"slow"}}, w.self())
	w.say("linus", evidence.ReadyType, evidence.Ready{}, w.self())
	w.say("builder", evidence.ReadyType, evidence.Ready{Known: []string{"maps are slow", "no octave"}}, w.self())
	w.say("builder", evidence.ReadyType, evidence.Ready{Known: []string{"of another"}}, of(evidence.Release, digest("another")))
	w.say("stranger", evidence.ReadyType, evidence.Ready{Known: []string{"trust me"}}, w.self())
	var got [][]string
	for _, r := range ReadyBy(w.Input) {
		got = append(got, append([]string{r.Who}, r.Known...))
	}
	if d := cmp.Diff([][]string{{"linus"}, {"builder", "maps are slow", "no octave"}}, got); d != "" {
		t.Error(d)
	}
	r := requirement(t, Evaluate(w.Input), "approval")
	for _, want := range []string{"builder says that it is ready, with known problems: maps are slow; no octave", "linus says that it is ready and knows of no problem"} {
		if !strings.Contains(r.Reason, want) {
			t.Errorf("%q does not hold %q", r.Reason, want)
		}
	}
	if strings.Contains(r.Reason, "trust me") || strings.Contains(r.Reason, "of another") {
		t.Errorf("it tells of what does not count: %q", r.Reason)
	}
}
