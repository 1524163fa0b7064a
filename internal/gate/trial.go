package gate

import "slices"

// tests are the requirements of a release that its images and charts are tried for by
// machine before any hub.
var tests = []string{"image-test", "pairing", "render"}

// Untested says that nothing but tests of the release stand in its way: people may try it
// by hand on a test hub that is kept for them.
func (v Verdict) Untested() bool {
	return !slices.ContainsFunc(v.Requirements, func(r Requirement) bool {
		return r.Decision != Allow && !slices.Contains(tests, r.Name)
	})
}
