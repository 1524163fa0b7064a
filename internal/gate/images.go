package gate

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"

	"gauntlet/internal/evidence"
	"gauntlet/internal/release"
)

// runCommand is what makes evidence that machines give.
const runCommand = "gauntlet run"

// uncommitted denies a tier but the first what was made of a tree with changes that no
// commit holds: nobody can make it again.
func (f *facts) uncommitted(name, what, commit string) Requirement {
	return Requirement{
		Name: name, Decision: Deny, Command: runCommand,
		Reason: fmt.Sprintf("%s with changes that commit %s does not hold, which only %s takes: commit them", what, short(commit), f.Policy.Tiers[0].Name),
	}
}

// releaseMade: a builder says where the release came from.
func (f *facts) releaseMade(tier int) Requirement {
	made, ok := newestOr(f.made, evidence.Release, f.ID, func(m evidence.Made) bool { return !m.Dirty })
	if !ok {
		return Requirement{
			Name: "release-made", Decision: Wait, Command: runCommand,
			Reason: fmt.Sprintf("no builder says where release %s came from%s", f.ID.Short(), f.ignored(evidence.ReleaseType, evidence.Release, f.ID)),
		}
	}
	if made.what.Dirty && tier > 0 {
		return f.uncommitted("release-made", "the release was made", made.what.Commit)
	}
	return Requirement{
		Name: "release-made", Decision: Allow, Since: made.Time, Evidence: ids(made),
		Reason: fmt.Sprintf("made by %s from commit %s", made.who, short(made.what.Commit)),
	}
}

// build: a builder says that the images came from one commit.
func (f *facts) build(tier int) Requirement {
	set := f.Release.ImageSet
	b, ok := newestOr(f.builds, evidence.ImageSet, set, func(b evidence.Build) bool { return !b.Dirty })
	if !ok {
		return Requirement{
			Name: "build", Decision: Wait, Command: runCommand,
			Reason: fmt.Sprintf("no builder says what image set %s was built from%s", set.Short(), f.ignored(evidence.BuildType, evidence.ImageSet, set)),
		}
	}
	if b.what.Dirty && tier > 0 {
		return f.uncommitted("build", "its images were built", b.what.Commit)
	}
	return Requirement{
		Name: "build", Decision: Allow, Since: b.Time, Evidence: ids(b),
		Reason: fmt.Sprintf("images built by %s from commit %s", b.who, short(b.what.Commit)),
	}
}

func (f *facts) imageTest() Requirement {
	return f.suite("image-test", "the image suite", "image", evidence.ImageSet, f.Release.ImageSet)
}

func (f *facts) pairing() Requirement {
	return f.suite("pairing", "the pairing suite", "pairing", evidence.ImageSet, f.Release.ImageSet)
}

// render: every hub of the release has been rendered and dry-run, not only those
// that come next. Each is named as a word in the name of a check.
func (f *facts) render() Requirement {
	r := f.suite("render", "the render suite", "render", evidence.Release, f.ID)
	if r.Decision != Allow {
		return r
	}
	res, _ := f.result("render", evidence.Release, f.ID, "", -1)
	words := map[string]bool{}
	for _, c := range res.what.Checks {
		for _, w := range strings.FieldsFunc(c.Name, func(c rune) bool {
			return !unicode.IsLetter(c) && !unicode.IsDigit(c) && !strings.ContainsRune("-_.", c)
		}) {
			words[w] = true
		}
	}
	var left []string
	for _, hub := range slices.Sorted(maps.Keys(f.Release.Hubs)) {
		if !words[hub] {
			left = append(left, hub)
		}
	}
	if len(f.Release.Hubs) == 0 || len(left) > 0 {
		return Requirement{Name: r.Name, Decision: Wait, Command: runCommand,
			Reason: "the render suite has no check of hub " + listed(left)}
	}
	return r
}

// suite is the requirement that a suite which runs on no hub has passed.
func (f *facts) suite(name, what, suite, kind string, d release.Digest) Requirement {
	res, ok := f.result(suite, kind, d, "", -1)
	if !ok {
		return Requirement{Name: name, Decision: Wait, Command: runCommand,
			Reason: fmt.Sprintf("%s has not run on %s %s%s", what, kind, d.Short(), f.ignored(evidence.TestResultType, kind, d))}
	}
	if why := failure(res.what); why != "" {
		return Requirement{Name: name, Decision: Deny, Evidence: ids(res),
			Reason: fmt.Sprintf("%s failed on %s %s: %s", what, kind, d.Short(), why)}
	}
	return Requirement{Name: name, Decision: Allow, Since: res.Time, Evidence: ids(res), Reason: resultReason(what, res)}
}

// short is a commit as people write it.
func short(commit string) string {
	if len(commit) > 12 {
		return commit[:12]
	}
	return commit
}
