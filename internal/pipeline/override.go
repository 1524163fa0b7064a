package pipeline

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"gauntlet/internal/config"
	"gauntlet/internal/evidence"
	"gauntlet/internal/gate"
	"gauntlet/internal/ledger"
	"gauntlet/internal/release"
)

// An Overriding is what Override did.
type Overriding struct {
	gate.Override
	Skips []gate.Requirement `json:"skips"` // what it skips at this moment, and stays due
	Lacks []gate.Requirement `json:"lacks"` // what the gate asks for all the same
}

// Override lets a release ("" for the newest) into a tier without soak, sign-off and
// freeze windows, for as long as it lasts. A board member may who wrote nothing of it.
func (w *Workspace) Override(ctx context.Context, ref, tier, reason string, lasts time.Duration) (*Overriding, error) {
	switch {
	case strings.TrimSpace(reason) == "":
		return nil, inputf("an override needs --reason: others must know why the rules were not kept")
	case lasts <= 0:
		return nil, inputf("an override needs --expires: how long it lasts, such as 4h")
	case lasts > evidence.MaxOverride:
		return nil, inputf("--expires %s: an override lasts %d days at most", lasts, int(evidence.MaxOverride.Hours()/24))
	}
	word, err := w.speak(ctx, ref, config.RoleBoard)
	if err != nil {
		return nil, err
	}
	if _, err := word.s.tier(tier); err != nil {
		return nil, err
	}
	in, _, err := w.input(ctx, word.s, word.id, tier, "")
	if err != nil {
		return nil, err
	}
	if why := gate.Authored(in, word.name); why != "" {
		return nil, inputf("%s %s: nobody overrides for their own change; ask another member of the board", word.name, why)
	}
	// The ledger puts the signer's time on it a moment later than this one.
	expires := w.opts.Now().UTC().Add(lasts).Truncate(time.Second)
	err = w.record(ctx, word.s, ledger.Statement{
		Type:     evidence.OverrideType,
		Subjects: []evidence.Subject{{Kind: evidence.Release, Digest: word.id}},
		Predicate: evidence.Override{
			Tier: tier, Policy: word.s.digest, Reason: reason, Expires: expires,
		},
	})
	if err != nil {
		return nil, err
	}
	in.Evidence = word.s.view.Records
	out := &Overriding{Skips: []gate.Requirement{}, Lacks: []gate.Requirement{}}
	for _, o := range gate.Overrides(in) {
		if o.Release == word.id && o.Tier == tier {
			out.Override = o // the newest comes last
		}
	}
	for _, r := range gate.Evaluate(in).Requirements {
		switch {
		case r.Skipped:
			out.Skips = append(out.Skips, r)
		case r.Decision != gate.Allow:
			out.Lacks = append(out.Lacks, r)
		}
	}
	return out, nil
}

// LiftOverride lifts the override whose id begins with ref, or "all" that stand.
func (w *Workspace) LiftOverride(ctx context.Context, ref string) (string, error) {
	if _, err := w.signer(); err != nil {
		return "", err
	}
	s, err := w.look(ctx, "")
	if err != nil {
		return "", err
	}
	said, err := w.speaker(s, config.RoleBoard)
	if err != nil {
		return "", err
	}
	var lifts []gate.Override
	for _, o := range w.overrides(s) {
		if ref == "all" || hasPrefix(o.ID, ref) {
			lifts = append(lifts, o)
		}
	}
	switch {
	case len(lifts) == 0:
		return "", inputf("no override %q stands: `gauntlet status` lists those that do", ref)
	case len(lifts) > 1 && ref != "all":
		return "", inputf("%q names several overrides: give more digits", ref)
	}
	var text []string
	for _, o := range lifts {
		if err := w.record(ctx, s, ledger.Statement{
			Type:      evidence.OverrideType,
			Subjects:  []evidence.Subject{{Kind: evidence.Release, Digest: o.Release}},
			Predicate: evidence.Override{Lifts: o.ID},
		}); err != nil {
			return "", err
		}
		text = append(text, fmt.Sprintf("%s (release %s for %s, by %s)", o.ID.Short(), o.Release.Short(), o.Tier, o.Who))
	}
	return fmt.Sprintf("%s lifts the override %s; what came in under it stays", said.name, strings.Join(text, ", ")), nil
}

// overrides are those that stand.
func (w *Workspace) overrides(s *sight) []gate.Override {
	all := gate.Overrides(gate.Input{Policy: s.policy, PolicyDigest: s.digest, Evidence: s.view.Records, Now: w.opts.Now()})
	return slices.DeleteFunc(all, func(o gate.Override) bool { return !o.Stands })
}

// Standing are the overrides and holds that stand, for completion.
func (w *Workspace) Standing(ctx context.Context) ([]gate.Override, []gate.Hold, error) {
	s, err := w.look(ctx, "")
	if err != nil {
		return nil, nil, err
	}
	return w.overrides(s), gate.Standing(s.policy, s.view.Records), nil
}

// others are the releases, beside its own, that a gate looks at.
func (w *Workspace) others(ctx context.Context, in gate.Input) (map[release.Digest]release.Release, error) {
	out := map[release.Digest]release.Release{}
	for _, id := range gate.Overridden(in) {
		contents, err := w.open(ctx, id)
		if err != nil {
			return nil, fmt.Errorf("what an override left due: %w", err)
		}
		out[id] = contents.Release
	}
	return out, nil
}
