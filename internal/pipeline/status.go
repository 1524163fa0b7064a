package pipeline

import (
	"context"

	"gauntlet/internal/gate"
	"gauntlet/internal/kube"
	"gauntlet/internal/release"
)

// A Status is the ladder of a release and what the hubs run.
type Status struct {
	Release release.Digest            `json:"release"`
	Label   string                    `json:"label,omitempty"` // the commit it was made from
	Version string                    `json:"version,omitempty"`
	Images  map[string]release.Digest `json:"images"`
	Policy  release.Digest            `json:"policy"`
	Steps   []gate.Step               `json:"steps"`
	Hubs    map[string]gate.HubState  `json:"hubs"`
	Tiers   []string                  `json:"tiers,omitempty"` // in order
	TierOf  map[string]string         `json:"tierOf"`

	Overrides []gate.Override `json:"overrides"` // that stand, or left something due
	Holds     []gate.Hold     `json:"holds"`     // that stand, rollbacks among them
	Freezes   []gate.Freeze   `json:"freezes"`   // that are open, or open within a week

	Ready []gate.Ready `json:"ready"` // who says that the release is ready for the board

	// Reservations are who has which of the hubs that stand for each other.
	Reservations map[string]kube.Reservation `json:"reservations"`
}

// Status reads the ladder of a release ("" for the newest) from the ledger and the
// clusters; nothing on this machine is part of it.
func (w *Workspace) Status(ctx context.Context, ref string) (*Status, error) {
	s, err := w.look(ctx, "")
	if err != nil {
		return nil, err
	}
	id, err := s.find(ref)
	if err != nil {
		return nil, err
	}
	in, contents, err := w.input(ctx, s, id, "", "")
	if err != nil {
		return nil, err
	}
	st := &Status{
		Release: id, Label: s.label(id), Version: s.version(id),
		Images: contents.Set.Images, Policy: s.digest,
		Steps: gate.Ladder(in), Hubs: in.States, TierOf: in.Hubs,
		Overrides: append([]gate.Override{}, gate.Overrides(in)...),
		Holds:     append([]gate.Hold{}, gate.Standing(s.policy, s.view.Records)...),
		Freezes:   append([]gate.Freeze{}, gate.Freezes(s.policy, in.Now)...),

		Ready:        gate.ReadyBy(in),
		Reservations: w.reservations(ctx, s),
	}
	for _, t := range s.policy.Tiers {
		st.Tiers = append(st.Tiers, t.Name)
	}
	return st, nil
}
