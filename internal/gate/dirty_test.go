package gate

import (
	"slices"
	"strings"
	"testing"

	"gauntlet/internal/evidence"
)

// What was made of a tree that no commit holds enters the first tier alone; once a
// commit holds the very same, the release is as any other.
func TestOnlyTheFirstTierTakesWhatNoCommitHolds(t *testing.T) {
	set := func(w *world) evidence.Subject { return of(evidence.ImageSet, w.Release.ImageSet) }
	build := func(w *world, dirty bool) {
		w.say("builder", evidence.BuildType, evidence.Build{Commit: "c1", Dirty: dirty}, set(w))
	}
	release := func(w *world, dirty bool) {
		w.say("builder", evidence.ReleaseType, evidence.Made{Commit: "c1", Dirty: dirty, Commits: []evidence.Commit{{ID: "c1", Author: "edsger@example.org"}}}, w.self())
	}
	for name, tt := range map[string]struct {
		say  func(w *world)
		name string
		want Decision
	}{
		"images of a dirty tree":                {func(w *world) { build(w, true) }, "build", Deny},
		"a release of a dirty tree":             {func(w *world) { release(w, true) }, "release-made", Deny},
		"images that a commit came to hold":     {func(w *world) { build(w, true); build(w, false) }, "build", Allow},
		"images of a commit, tried again dirty": {func(w *world) { build(w, false); build(w, true) }, "build", Allow},
		"a release that a commit came to hold":  {func(w *world) { release(w, true); release(w, false) }, "release-made", Allow},
		"a commit's release that a user calls so": {func(w *world) {
			release(w, true)
			w.say("user", evidence.ReleaseType, evidence.Made{Commit: "c1"}, w.self())
		}, "release-made", Deny},
	} {
		w := toCanary()
		typ := map[string]string{"build": evidence.BuildType, "release-made": evidence.ReleaseType}[tt.name]
		w.Evidence = slices.DeleteFunc(w.Evidence, func(r evidence.Record) bool { return r.Type == typ })
		tt.say(w)
		got := requirement(t, Evaluate(w.Input), tt.name)
		if got.Decision != tt.want {
			t.Errorf("%s: %s (%s)", name, got.Decision, got.Reason)
		}
		if tt.want == Deny && !strings.Contains(got.Reason, "bleeding-edge") {
			t.Errorf("%s: the reason does not say which tier takes it: %s", name, got.Reason)
		}
		w.Tier, w.Hub = "bleeding-edge", ""
		if got := requirement(t, Evaluate(w.Input), tt.name); got.Decision != Allow {
			t.Errorf("%s: bleeding-edge does not take it: %s", name, got.Reason)
		}
	}
}
