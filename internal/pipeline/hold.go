package pipeline

import (
	"context"
	"fmt"
	"strings"

	"gauntlet/internal/config"
	"gauntlet/internal/evidence"
	"gauntlet/internal/gate"
	"gauntlet/internal/ledger"
)

// A HoldScope is what a hold stops: one of these, or everything when all are empty.
type HoldScope struct{ Hub, Tier, Release string }

// Hold stops the line until the hold is lifted. Board members and deployers may.
func (w *Workspace) Hold(ctx context.Context, of HoldScope, reason string) (string, error) {
	if strings.TrimSpace(reason) == "" {
		return "", inputf("a hold needs --reason: others must know what they wait for")
	}
	if of.Hub != "" {
		if _, err := w.hub(of.Hub); err != nil {
			return "", err
		}
	}
	said, err := w.holder(ctx)
	if err != nil {
		return "", err
	}
	about := evidence.Subject{Kind: evidence.Policy, Digest: said.s.digest}
	switch {
	case of.Tier != "":
		if _, err := said.s.tier(of.Tier); err != nil {
			return "", err
		}
	case of.Release != "":
		about.Kind = evidence.Release
		if about.Digest, err = said.s.find(of.Release); err != nil {
			return "", err
		}
	}
	if err := w.record(ctx, said.s, ledger.Statement{
		Type: evidence.HoldType, Subjects: []evidence.Subject{about},
		Predicate: evidence.Hold{Hub: of.Hub, Tier: of.Tier, Reason: reason},
	}); err != nil {
		return "", err
	}
	standing := gate.Standing(said.s.policy, said.s.view.Records)
	h := gate.Hold{}
	for _, s := range standing {
		if s.Back == nil {
			h = s // the newest comes last
		}
	}
	return fmt.Sprintf("%s holds %s: %s; it is lifted with `gauntlet hold --lift %s`", said.name, h.Of(), reason, h.ID.Short()), nil
}

// LiftHold lifts the hold whose id begins with ref, or "all" that the signer may lift. A
// rollback holds too, and is lifted by its id alone: somebody has looked at it.
func (w *Workspace) LiftHold(ctx context.Context, ref string) (string, error) {
	said, err := w.holder(ctx)
	if err != nil {
		return "", err
	}
	standing := gate.Standing(said.s.policy, said.s.view.Records)
	if len(standing) == 0 {
		return "", inputf("nobody holds the line: there is nothing to lift")
	}
	var lifts, others []gate.Hold
	for _, h := range standing {
		switch {
		case ref == "all" && h.Back != nil, ref != "all" && !hasPrefix(h.ID, ref):
		case gate.MayLift(said.s.policy, said.name, h):
			lifts = append(lifts, h)
		default:
			others = append(others, h)
		}
	}
	switch {
	case len(lifts)+len(others) == 0 && ref == "all":
		return "", inputf("only rollbacks hold, and each is lifted by its id: %s", holdsShown(standing))
	case len(lifts)+len(others) == 0:
		return "", inputf("no hold %q stands: %s", ref, holdsShown(standing))
	case ref != "all" && len(lifts)+len(others) > 1:
		return "", inputf("%q names several holds: %s", ref, holdsShown(append(lifts, others...)))
	case len(lifts) == 0:
		return "", inputf("%s may not lift this: who set a hold lifts it, or the board: %s", said.name, holdsShown(others))
	}
	for _, h := range lifts {
		about := evidence.Subject{Kind: evidence.Policy, Digest: said.s.digest}
		if h.Release != "" {
			about = evidence.Subject{Kind: evidence.Release, Digest: h.Release}
		}
		if err := w.record(ctx, said.s, ledger.Statement{
			Type: evidence.HoldType, Subjects: []evidence.Subject{about}, Predicate: evidence.Hold{Lifts: h.ID},
		}); err != nil {
			return "", err
		}
	}
	text := fmt.Sprintf("%s lifts %s", said.name, holdsShown(lifts))
	if len(others) > 0 {
		text += "; these stay: " + holdsShown(others)
	}
	return text, nil
}

// holder prepares a word about holds: who speaks, with the ledger read.
func (w *Workspace) holder(ctx context.Context) (*word, error) {
	if _, err := w.signer(); err != nil {
		return nil, err
	}
	s, err := w.look(ctx, "")
	if err != nil {
		return nil, err
	}
	return w.speaker(s, config.RoleBoard, config.RoleDeployer)
}

func holdsShown(holds []gate.Hold) string {
	var out []string
	for _, h := range holds {
		out = append(out, fmt.Sprintf("%s (%s, by %s: %s)", h.ID.Short(), h.Of(), h.Who, h.Reason))
	}
	return strings.Join(out, ", ")
}
