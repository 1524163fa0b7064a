package pipeline

import (
	"iter"
	"slices"

	"gauntlet/internal/config"
	"gauntlet/internal/evidence"
	"gauntlet/internal/release"
)

// builds are what builders of the policy built, the newest first, by image set.
func (s *sight) builds() iter.Seq2[release.Digest, evidence.Build] {
	return func(yield func(release.Digest, evidence.Build) bool) {
		for _, r := range slices.Backward(s.view.Records) {
			if r.Type != evidence.BuildType || !s.is(r.Signer, config.RoleBuilder) {
				continue
			}
			b, err := evidence.Decode[evidence.Build](r)
			if err == nil && !yield(subject(r, evidence.ImageSet), b) {
				return
			}
		}
	}
}

// builtAs is the newest build of an image set.
func (s *sight) builtAs(set release.Digest) (evidence.Build, bool) {
	for id, b := range s.builds() {
		if id == set {
			return b, true
		}
	}
	return evidence.Build{}, false
}

// built is the newest build whose images bear a tag, or whose image set has a digest or
// the start of one.
func (s *sight) built(ref string) (evidence.Build, bool) {
	for id, b := range s.builds() {
		if b.Label == ref || hasPrefix(id, ref) {
			return b, true
		}
	}
	return evidence.Build{}, false
}
