package pipeline

import (
	"context"
	"slices"
	"strings"

	"gauntlet/internal/config"
	"gauntlet/internal/evidence"
	"gauntlet/internal/release"
)

// find resolves what a person types for a release: a digest or the start of one, a
// version, a label; "" is the newest release.
func (s *sight) find(ref string) (release.Digest, error) {
	if d, err := release.ParseDigest("sha256:" + strings.TrimPrefix(ref, "sha256:")); err == nil {
		return d, nil // whole: whether anybody made it is for the gate to say
	}
	made := s.made()
	if len(made) == 0 {
		return "", inputf("the ledger holds no release yet: make one with `gauntlet run`")
	}
	if ref == "" {
		return made[len(made)-1], nil
	}
	var found []release.Digest
	for _, d := range made {
		if hasPrefix(d, ref) || ref == s.version(d) || ref == s.label(d) {
			found = append(found, d)
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return "", inputf("no release %q in the ledger: name one by %d or more digits of its digest, its version or its commit; `gauntlet log` lists them", ref, leastDigits)
	}
	var short []string
	for _, d := range found {
		short = append(short, d.Short())
	}
	return "", inputf("%q names %d releases (%s): give more of the digest", ref, len(found), strings.Join(short, ", "))
}

// made are all releases that builders made, the newest last.
func (s *sight) made() []release.Digest {
	var made []release.Digest
	for _, r := range s.view.Records {
		if r.Type != evidence.ReleaseType || !s.is(r.Signer, config.RoleBuilder) {
			continue
		}
		for _, sub := range r.Subjects {
			if sub.Kind == evidence.Release && !slices.Contains(made, sub.Digest) {
				made = append(made, sub.Digest)
			}
		}
	}
	return made
}

// version is the version that a deployer has given a release, "" for none.
func (s *sight) version(d release.Digest) string {
	v := ""
	s.each(evidence.VersionType, d, func(r evidence.Record) {
		if !s.is(r.Signer, config.RoleDeployer) {
			return
		}
		if p, err := evidence.Decode[evidence.Version](r); err == nil {
			v = p.Version
		}
	})
	return v
}

// label is what people call a release until it has a version: the commit that its
// builder made it from.
func (s *sight) label(d release.Digest) string {
	l := ""
	s.each(evidence.ReleaseType, d, func(r evidence.Record) {
		if !s.is(r.Signer, config.RoleBuilder) {
			return
		}
		if p, err := evidence.Decode[evidence.Made](r); err == nil {
			l = p.Label
		}
	})
	return l
}

func (s *sight) each(typ string, d release.Digest, do func(evidence.Record)) {
	for _, r := range s.view.Records {
		if r.Type == typ && r.About(evidence.Release, d) {
			do(r)
		}
	}
}

// leastDigits is how much of a digest names something: with less, a slip of the
// fingers would too.
const leastDigits = 4

// hasPrefix says whether a person's typing begins a digest.
func hasPrefix(d release.Digest, typed string) bool {
	typed = strings.TrimPrefix(typed, "sha256:")
	return len(typed) >= leastDigits && strings.HasPrefix(d.Hex(), typed)
}

// Releases are the names of all releases, for completion: version or digest.
func (w *Workspace) Releases(ctx context.Context) ([]string, error) {
	s, err := w.look(ctx, "")
	if err != nil {
		return nil, err
	}
	var names []string
	for _, d := range s.made() {
		if v := s.version(d); v != "" {
			names = append(names, v)
		}
		names = append(names, d.Short())
	}
	return names, nil
}
