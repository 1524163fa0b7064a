package gate

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"gauntlet/internal/evidence"
	"gauntlet/internal/release"
)

// authors are the people of the policy who wrote something that a release brings
// to production, with what they did ("wrote commit 0123abc").
type authors map[string]string

// authors finds who wrote the commits that the release holds and production's
// release did not before this one. A release lists its commits since the release
// that production ran when it was made; where production has gone back since, the
// releases between list theirs.
func (f *facts) authors() (authors, error) {
	made, ok := newest(f.made, evidence.Release, f.ID)
	if !ok {
		return nil, fmt.Errorf("no builder says where release %s came from", f.ID.Short())
	}
	live := history{commits: map[string]string{}}
	if there, ok := newest(f.made, evidence.Release, f.Production); ok {
		// On some hubs of production the release may run already, and what it brings
		// is still what its people are asked about.
		live = f.history(there, nil, f.ID)
	}
	since := f.history(made, live.releases, "")
	if since.unknown != "" {
		return nil, fmt.Errorf("no release of commit %s, which this one builds on, is in the ledger", short(since.unknown))
	}
	wrote := authors{}
	for _, id := range slices.Sorted(maps.Keys(since.commits)) {
		if _, ok := live.commits[id]; ok {
			continue
		}
		for n, p := range f.Policy.People {
			if slices.ContainsFunc(p.Email, func(e string) bool { return strings.EqualFold(e, since.commits[id]) }) {
				wrote[n] = "wrote commit " + short(id)
			}
		}
	}
	// Whose addresses the policy does not know cannot be told apart from the
	// authors; who made the release themselves most likely is one.
	if len(f.Policy.People[made.who].Email) == 0 {
		wrote[made.who] = "made the release, and the policy has no e-mail address of theirs to tell whether they wrote it"
	}
	return wrote, nil
}

// A history is what a release and those before it brought.
type history struct {
	commits  map[string]string // id to author
	releases map[string]bool   // commits that releases were made of
	unknown  string            // a commit whose release is not in the ledger
}

// history follows a release back over what each was based on, up to the first
// release or one of those to stop at. What one release brought can be left out.
func (f *facts) history(from said[evidence.Made], stop map[string]bool, without release.Digest) history {
	h := history{commits: map[string]string{}, releases: map[string]bool{from.what.Commit: true}}
	add := func(m said[evidence.Made]) string {
		if !m.About(evidence.Release, without) {
			for _, c := range m.what.Commits {
				h.commits[c.ID] = c.Author
			}
		}
		return m.what.Base
	}
	for next := []string{add(from)}; len(next) > 0; {
		base := next[0]
		next = next[1:]
		if base == "" || stop[base] || h.releases[base] {
			continue
		}
		h.releases[base] = true
		found := false
		for _, m := range f.made {
			if m.what.Commit == base {
				found = true
				next = append(next, add(m))
			}
		}
		if !found {
			h.unknown = base
		}
	}
	return h
}

// Authored says why a person may not approve the release ("wrote commit 0123abc"),
// "" when they may. What cannot be told says so too.
func Authored(in Input, person string) string {
	wrote, err := gather(in).authors()
	if err != nil {
		return "may have written it: " + err.Error()
	}
	return wrote[person]
}
