package pipeline

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"gauntlet/internal/config"
	"gauntlet/internal/evidence"
	"gauntlet/internal/gate"
	"gauntlet/internal/ledger"
	"gauntlet/internal/release"
)

// A word is what somebody is about to say about a release.
type word struct {
	s    *sight
	id   release.Digest
	name string // who speaks, as the policy knows them
	role []string
}

// speak prepares a statement by a person: the release it is about and who they are.
// A word that no gate would count is refused here, where it can still be mended.
func (w *Workspace) speak(ctx context.Context, ref string, roles ...string) (*word, error) {
	if _, err := w.signer(); err != nil {
		return nil, err
	}
	s, err := w.look(ctx, "")
	if err != nil {
		return nil, err
	}
	id, err := s.find(ref)
	if err != nil {
		return nil, err
	}
	said, err := w.speaker(s, roles...)
	if err != nil {
		return nil, err
	}
	said.id = id
	return said, nil
}

// speaker is whoever holds the workspace's key, refused when they have none of the
// roles.
func (w *Workspace) speaker(s *sight, roles ...string) (*word, error) {
	key, err := w.signer()
	if err != nil {
		return nil, err
	}
	name, p, ok := s.person(key.ID())
	if !ok {
		return nil, inputf("the policy in force (%s) knows no key %s: it would count for nothing; the board adds a person with `gauntlet policy propose`", s.digest.Short(), key.ID())
	}
	for _, r := range roles {
		if slices.Contains(p.Roles, r) {
			return &word{s: s, name: name, role: p.Roles}, nil
		}
	}
	return nil, inputf("%s has the roles %s in the policy: this word is for the role %s", name, strings.Join(p.Roles, ", "), strings.Join(roles, " or "))
}

// Approve records a board member's word that a release may enter a tier ("" for the
// first tier that asks for approval).
func (w *Workspace) Approve(ctx context.Context, ref, tier, note string) (string, error) {
	if _, err := w.signer(); err != nil {
		return "", err
	}
	s, err := w.look(ctx, "")
	if err != nil {
		return "", err
	}
	asked := config.Tier{}
	for _, t := range s.policy.Tiers {
		if t.Approval != nil && (tier == "" || tier == t.Name) {
			asked = t
			break
		}
	}
	if asked.Approval == nil {
		if tier != "" {
			if _, err := s.tier(tier); err != nil {
				return "", err
			}
		}
		return "", inputf("the policy asks for no approval before tier %q", tier)
	}
	word, err := w.speak(ctx, ref, asked.Approval.Role)
	if err != nil {
		return "", err
	}
	in, _, err := w.input(ctx, word.s, word.id, asked.Name, "")
	if err != nil {
		return "", err
	}
	if why := gate.Authored(in, word.name); why != "" {
		return "", inputf("%s %s: nobody approves their own change; ask another member of the %s", word.name, why, asked.Approval.Role)
	}
	err = w.record(ctx, word.s, ledger.Statement{
		Type:      evidence.ApprovalType,
		Subjects:  []evidence.Subject{{Kind: evidence.Release, Digest: word.id}},
		Predicate: evidence.Approval{Tier: asked.Name, Policy: word.s.digest, Note: note},
	})
	return fmt.Sprintf("%s approves release %s for %s", word.name, word.id.Short(), asked.Name), err
}

// Signoff records a user's word that the release works for them on the tier it was
// tried on. For another user (vouched), the link must say where their own word is.
func (w *Workspace) Signoff(ctx context.Context, ref, user, link, note string) (string, error) {
	roles := []string{config.RoleUser}
	if user != "" {
		roles = []string{config.RoleBoard, config.RoleVoucher}
		if link == "" {
			return "", inputf("a sign-off for %s needs --link: where their own word can be read", user)
		}
	}
	word, err := w.speak(ctx, ref, roles...)
	if err != nil {
		return "", err
	}
	so := evidence.Signoff{User: word.name, Note: note}
	if user != "" {
		so.User, so.Vouch = user, &evidence.Vouch{Link: link}
	}
	contents, err := w.open(ctx, word.id)
	if err != nil {
		return "", err
	}
	var subjects []evidence.Subject
	for _, t := range word.s.policy.Tiers {
		if t.Signoff == nil {
			continue
		}
		so.Tier = t.Name
		for _, h := range w.hubNames(t.Name) {
			if part, ok := contents.Release.Hubs[h]; ok {
				subjects = append(subjects, evidence.Subject{Kind: evidence.Deployable, Digest: part.Deployable})
			}
		}
		break
	}
	switch {
	case so.Tier == "":
		return "", inputf("the policy in force (%s) asks for no sign-offs", word.s.digest.Short())
	case len(subjects) == 0:
		return "", inputf("release %s holds nothing for the hubs of tier %s: make a new release with `gauntlet run`", word.id.Short(), so.Tier)
	}
	err = w.record(ctx, word.s, ledger.Statement{Type: evidence.SignoffType, Subjects: subjects, Predicate: so})
	if so.Vouch != nil {
		return fmt.Sprintf("%s vouches that %s signs off release %s (%s)", word.name, so.User, word.id.Short(), link), err
	}
	return fmt.Sprintf("%s signs off release %s", word.name, word.id.Short()), err
}

// Ready records that a release is ready for the board, with the problems that are known
// of it.
func (w *Workspace) Ready(ctx context.Context, ref string, known []string) (string, error) {
	for _, k := range known {
		if strings.TrimSpace(k) == "" || strings.ContainsAny(k, "\r\n") {
			return "", inputf("--known takes one line of text for each problem")
		}
	}
	word, err := w.speak(ctx, ref, config.RoleBuilder, config.RoleDeployer, config.RoleBoard, config.RoleUser)
	if err != nil {
		return "", err
	}
	err = w.record(ctx, word.s, ledger.Statement{
		Type:      evidence.ReadyType,
		Subjects:  []evidence.Subject{{Kind: evidence.Release, Digest: word.id}},
		Predicate: evidence.Ready{Known: append([]string{}, known...)},
	})
	if len(known) == 0 {
		return fmt.Sprintf("%s says that release %s is ready and knows of no problem", word.name, word.id.Short()), err
	}
	return fmt.Sprintf("%s says that release %s is ready, with known problems: %s", word.name, word.id.Short(), strings.Join(known, "; ")), err
}

// Veto stops a release everywhere until its author lifts the veto.
func (w *Workspace) Veto(ctx context.Context, ref, reason string) (string, error) {
	if reason == "" {
		return "", inputf("a veto needs --reason: others must know what to mend")
	}
	word, err := w.speak(ctx, ref, config.RoleBoard, config.RoleUser)
	if err != nil {
		return "", err
	}
	err = w.record(ctx, word.s, ledger.Statement{
		Type:      evidence.VetoType,
		Subjects:  []evidence.Subject{{Kind: evidence.Release, Digest: word.id}},
		Predicate: evidence.Veto{Reason: reason},
	})
	return fmt.Sprintf("%s vetoes release %s: %s", word.name, word.id.Short(), reason), err
}

// LiftVeto takes the signer's own vetoes of a release back.
func (w *Workspace) LiftVeto(ctx context.Context, ref string) (string, error) {
	word, err := w.speak(ctx, ref, config.RoleBoard, config.RoleUser)
	if err != nil {
		return "", err
	}
	key, err := w.signer()
	if err != nil {
		return "", err
	}
	mine := word.s.vetoes(word.id, key.ID())
	if len(mine) == 0 {
		return "", inputf("%s has no veto on release %s: only who gave a veto lifts it", word.name, word.id.Short())
	}
	for _, id := range mine {
		err := w.record(ctx, word.s, ledger.Statement{
			Type:      evidence.VetoType,
			Subjects:  []evidence.Subject{{Kind: evidence.Release, Digest: word.id}},
			Predicate: evidence.Veto{Lifts: id},
		})
		if err != nil {
			return "", err
		}
	}
	return fmt.Sprintf("%s lifts the veto on release %s", word.name, word.id.Short()), nil
}

// vetoes are the vetoes of a release that a key gave and did not lift.
func (s *sight) vetoes(id release.Digest, keyID string) []release.Digest {
	var standing []release.Digest
	s.each(evidence.VetoType, id, func(r evidence.Record) {
		v, err := evidence.Decode[evidence.Veto](r)
		switch {
		case err != nil || r.Signer != keyID:
		case v.Lifts == "":
			standing = append(standing, r.ID)
		default:
			standing = slices.DeleteFunc(standing, func(d release.Digest) bool { return d == v.Lifts })
		}
	})
	return standing
}

// Version names a release for production, and its images by a tag of that name: a new
// name for what was tested, never a rebuild. It is given once and never moves.
func (w *Workspace) Version(ctx context.Context, ref, version string) (string, error) {
	v, err := release.ParseVersion(version)
	if err != nil {
		return "", &InputError{err}
	}
	word, err := w.speak(ctx, ref, config.RoleDeployer)
	if err != nil {
		return "", err
	}
	old := word.s.version(word.id)
	if old != "" && old != v.String() {
		return "", inputf("release %s is %s already", word.id.Short(), old)
	}
	for _, other := range word.s.made() {
		if other == word.id {
			continue
		}
		named := word.s.version(other)
		if named == v.String() {
			return "", inputf("%s names release %s already: a version is a new name, choose a higher one", v, other.Short())
		}
		// One that this release bears already rose when it was given.
		if top, err := release.ParseVersion(named); err == nil && old == "" && !v.Newer(top) {
			return "", inputf("%s does not rise above %s, which names release %s: choose a higher one", v, top, other.Short())
		}
	}
	contents, err := w.open(ctx, word.id)
	if err != nil {
		return "", err
	}
	if err := w.tagAll(ctx, contents.Set, v.String(), "release-tag"); err != nil {
		return "", err
	}
	if old != "" {
		return fmt.Sprintf("release %s is %s already; its images bear the tag", word.id.Short(), v), nil
	}
	err = w.record(ctx, word.s, ledger.Statement{
		Type:      evidence.VersionType,
		Subjects:  []evidence.Subject{{Kind: evidence.Release, Digest: word.id}},
		Predicate: evidence.Version{Version: v.String()},
	})
	return fmt.Sprintf("release %s is %s", word.id.Short(), v), err
}
