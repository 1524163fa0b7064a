package pipeline

import (
	"context"
	"fmt"
	"slices"

	"gauntlet/internal/evidence"
	"gauntlet/internal/gate"
	"gauntlet/internal/release"
)

// Ask asks the gate of a hub about a release and does nothing else. Beside the
// answer it gives the error that Deploy would.
func (w *Workspace) Ask(ctx context.Context, ref, hubName string) (Answer, error) {
	_, in, _, err := w.question(ctx, ref, hubName)
	if err != nil {
		return Answer{}, err
	}
	return judge(in)
}

// question is what the gate of a hub is asked about a release.
func (w *Workspace) question(ctx context.Context, ref, hubName string) (*sight, gate.Input, *release.Contents, error) {
	h, err := w.hub(hubName)
	if err != nil {
		return nil, gate.Input{}, nil, err
	}
	s, err := w.look(ctx, hubName)
	if err != nil {
		return nil, gate.Input{}, nil, err
	}
	id, err := s.find(ref)
	if err != nil {
		return nil, gate.Input{}, nil, err
	}
	in, contents, err := w.input(ctx, s, id, h.Tier, hubName)
	if err != nil {
		return nil, gate.Input{}, nil, err
	}
	return s, in, contents, w.elsewhere(hubName, contents)
}

// elsewhere refuses a release that was made when the hub was in another place: what
// is asked of that place here (its pins, what it runs) says nothing about this one.
func (w *Workspace) elsewhere(hubName string, contents *release.Contents) error {
	part, ok := contents.Release.Hubs[hubName]
	if !ok {
		return nil // the gate says so
	}
	h, at := w.Platform.Hubs[hubName], part.Target
	if h.Cluster == at.Cluster && h.Namespace == at.Namespace && h.Release == at.Release {
		return nil
	}
	return inputf("release %s was made when hub %s was Helm release %s/%s in cluster %s; %s says %s/%s in %s: make a new release with `gauntlet run`",
		contents.Digest().Short(), hubName, at.Namespace, at.Release, at.Cluster, w.opts.File, h.Namespace, h.Release, h.Cluster)
}

// judge asks the gate and turns anything but allow into its error.
func judge(in gate.Input) (Answer, error) {
	a := Answer{Release: in.ID, Tier: in.Tier, Hub: in.Hub, Verdict: gate.Evaluate(in)}
	switch a.Decision {
	case gate.Allow:
		return a, nil
	case gate.Wait:
		return a, &PendingError{a}
	default:
		return a, &DeniedError{a}
	}
}

// input assembles what the gate judges a release by.
func (w *Workspace) input(ctx context.Context, s *sight, id release.Digest, tier, hubName string) (gate.Input, *release.Contents, error) {
	contents, err := w.open(ctx, id)
	if err != nil {
		return gate.Input{}, nil, err
	}
	in := gate.Input{
		Policy: s.policy, PolicyDigest: s.digest,
		ID: id, Release: contents.Release, Hubs: map[string]string{},
		Tier: tier, Hub: hubName, Pinned: s.pinnedTier,
		Evidence: s.view.Records, Rejected: s.view.Rejected, Missing: s.missing,
		States: w.states(ctx),
		Now:    w.opts.Now(),
	}
	for n, h := range w.Platform.Hubs {
		in.Hubs[n] = h.Tier
	}
	in.Roll = w.roll(ctx, s, in.States)
	in.Production = w.production(s, in.States)
	in.Others, err = w.others(ctx, in)
	return in, contents, err
}

// open fetches a release from the ledger's repository.
func (w *Workspace) open(ctx context.Context, id release.Digest) (*release.Contents, error) {
	a, err := w.ledger.Artifact(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("fetch release %s: %w", id.Short(), err)
	}
	c, err := release.Open(a)
	if err != nil {
		return nil, fmt.Errorf("open release %s: %w", id.Short(), err)
	}
	return &c, nil
}

// production is the release that the last tier runs now: the one that most of its
// hubs were last brought to and still run; between equals the one that came first,
// so that what only some of production has seen counts as not there yet.
func (w *Workspace) production(s *sight, states map[string]gate.HubState) release.Digest {
	hubs := w.hubNames(s.policy.Tiers[len(s.policy.Tiers)-1].Name)
	runs := map[string]release.Digest{} // hub to release
	var order []release.Digest
	for _, r := range s.view.Records {
		d, ok := s.deployed(r)
		if !ok || !slices.Contains(hubs, d.Hub) {
			continue
		}
		of, live := subject(r, evidence.Release), subject(r, evidence.Deployable).Label()
		if of != "" && live != "" && states[d.Hub].Deployable == live {
			runs[d.Hub] = of
			order = append(order, of)
		}
	}
	count := map[release.Digest]int{}
	for _, of := range runs {
		count[of]++
	}
	var best release.Digest
	for _, of := range order {
		if count[of] > count[best] {
			best = of
		}
	}
	return best
}
