package pipeline

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"gauntlet/internal/check"
	"gauntlet/internal/check/suites"
	"gauntlet/internal/config"
	"gauntlet/internal/deploy"
	"gauntlet/internal/evidence"
	"gauntlet/internal/gate"
	"gauntlet/internal/kill"
	"gauntlet/internal/kube"
	"gauntlet/internal/ledger"
	"gauntlet/internal/release"
)

// enter brings a release into a tier: its hubs one after another, each judged,
// deployed and checked before the next.
func (w *Workspace) enter(ctx context.Context, id release.Digest, tier config.Tier) error {
	hubs, err := w.tierHubs(ctx, id, tier)
	if err != nil {
		return err
	}
	for _, h := range hubs {
		if err := w.Deploy(ctx, id.Hex(), h, false); err != nil {
			return err
		}
	}
	return nil
}

// tierHubs are the hubs of a tier in the policy's order; where any one will do, the
// one that already runs the deployable, else the first.
func (w *Workspace) tierHubs(ctx context.Context, id release.Digest, tier config.Tier) ([]string, error) {
	hubs := slices.Clone(tier.Order)
	for _, h := range w.hubNames(tier.Name) {
		if !slices.Contains(hubs, h) {
			hubs = append(hubs, h)
		}
	}
	if tier.Hubs != "any" || len(hubs) < 2 {
		return hubs, nil
	}
	contents, err := w.open(ctx, id)
	if err != nil {
		return nil, err
	}
	return []string{oneOf(hubs, contents.Release, w.states(ctx))}, nil
}

// oneOf is the hub that runs its part of a release, else the first.
func oneOf(hubs []string, r release.Release, states map[string]gate.HubState) string {
	for _, h := range hubs {
		if part, ok := r.Hubs[h]; ok && states[h].Deployable == part.Deployable.Label() {
			return h
		}
	}
	return hubs[0]
}

// Deploy brings one hub to a release, when the gate allows it, and runs the tier's
// suites on it. Every part that the ledger and the hub show as done is left alone.
// A gate that does not allow gives *PendingError or *DeniedError. With adopt it takes
// over a Helm release whose newest revision gauntlet did not make; without, it refuses.
func (w *Workspace) Deploy(ctx context.Context, ref, hubName string, adopt bool) error {
	if _, err := w.signer(); err != nil {
		return err
	}
	s, in, contents, err := w.question(ctx, ref, hubName)
	if err != nil {
		return err
	}
	tier, err := s.tier(in.Tier)
	if err != nil {
		return err
	}
	if _, err := judge(in); err != nil {
		return err
	}
	part := contents.Release.Hubs[hubName]
	c, err := w.clients.get(part.Target.Cluster)
	if err != nil {
		return err
	}
	values, err := w.hubValues(ctx, s, contents, hubName)
	if err != nil {
		return err
	}
	if err := kube.WriteAnchor(ctx, c, part.Target.Namespace, s.pinned, s.view.Heads); err != nil {
		return &StepError{Step: "deploy", Hub: hubName, Cause: fmt.Errorf("anchor the ledger's heads: %w", err)}
	}
	err = w.deployHub(ctx, s, hubName, deploy.Request{
		Client: c, Namespace: part.Target.Namespace, ReleaseName: part.Target.Release,
		Chart: contents.ChartArchive, Values: values,
		Release: in.ID, Deployable: part.Deployable, Access: part.Access,
		Adopt: adopt,
	})
	if err != nil {
		return err
	}
	return w.checkHub(ctx, s, tier, hubName, c, contents)
}

// deployHub deploys and records it. A deployment that a killed run finished but did
// not record is recorded now.
func (w *Workspace) deployHub(ctx context.Context, s *sight, hubName string, r deploy.Request) error {
	tier := w.Platform.Hubs[hubName].Tier
	w.tell("deploy", hubName, Started, "", fmt.Sprintf("release %s", r.Release.Short()))
	r.Observe = func(e deploy.Event) { w.tell("deploy", hubName, Progress, e.Object, e.Message) }
	res, err := deploy.Deploy(ctx, r)
	if err != nil {
		return &StepError{Step: "deploy", Hub: hubName, Cause: err}
	}
	kill.At("deploy:unrecorded")
	known, judged := s.deployment(hubName, r, deploy.State(ctx, r.Client, r.Namespace, r.ReleaseName))
	if judged {
		w.tell("deploy", hubName, Reused, "", fmt.Sprintf("revision %d runs it already", res.Revision))
		return nil
	}
	err = w.record(ctx, s, ledger.Statement{
		Type: evidence.DeploymentType,
		Subjects: []evidence.Subject{
			{Kind: evidence.Release, Digest: r.Release},
			{Kind: evidence.Deployable, Digest: r.Deployable},
		},
		Predicate: evidence.Deployment{
			Hub: hubName, Tier: tier, Revision: res.Revision, Reused: known,
			Started: res.Started, Finished: res.Finished,
		},
	})
	if err != nil {
		return err
	}
	w.tell("deploy", hubName, Passed, "", fmt.Sprintf("revision %d", res.Revision))
	return nil
}

// deployment says whether the ledger knows that the hub was brought to the
// deployable in the revision that it runs since then, and whether it knows so of
// this very release. A record from before speaks of a hub that is gone: a cluster
// that was made anew counts its revisions from one again.
func (s *sight) deployment(hubName string, r deploy.Request, st gate.HubState) (known, judged bool) {
	for _, rec := range s.view.Records {
		d, ok := s.deployed(rec)
		if !ok || d.Hub != hubName || d.Revision != st.Revision || d.Finished.Before(st.Since) || !rec.About(evidence.Deployable, r.Deployable) {
			continue
		}
		known = true
		// A rollback asked no gate, and does not count where none came before it.
		judged = judged || rec.Type == evidence.DeploymentType && rec.About(evidence.Release, r.Release)
	}
	return known, judged
}

// checkHub runs the tier's suites on a hub.
func (w *Workspace) checkHub(ctx context.Context, s *sight, tier config.Tier, hubName string, c *kube.Client, contents *release.Contents) error {
	part := contents.Release.Hubs[hubName]
	for _, name := range tier.Suites {
		suite := w.hubSuite(name, hubName, c, contents)
		about := evidence.Subject{Kind: evidence.Deployable, Digest: part.Deployable}
		if err := w.suite(ctx, s, suite, about, hubName); err != nil {
			return err
		}
	}
	return nil
}

// hubSuites are the suites that can run on a hub, by the names that policies call them.
var hubSuites = []string{"hub"}

// checkSuites finds what a policy asks for and nobody here can run, before anything is
// deployed for it.
func checkSuites(p *config.Policy) error {
	for _, t := range p.Tiers {
		for _, name := range t.Suites {
			if !slices.Contains(hubSuites, name) {
				return fmt.Errorf("the policy asks for suite %q on tier %s: the suites are %s", name, t.Name, strings.Join(hubSuites, ", "))
			}
		}
	}
	return nil
}

// hubSuite is one of hubSuites, for a hub of the release.
func (w *Workspace) hubSuite(name, hubName string, c *kube.Client, contents *release.Contents) check.Suite {
	part := contents.Release.Hubs[hubName]
	at := part.Target
	return suites.Hub(suites.HubTarget{
		Client: c, Namespace: at.Namespace, URL: at.URL,
		APITokenFrom: config.SecretKey{Secret: at.TokenSecret, Key: at.TokenKey},
		Notebook:     contents.Set.Images[w.notebook(contents)],
		Runs: func(ctx context.Context) error {
			return deploy.Runs(ctx, c, at.Namespace, at.Release, part.Deployable)
		},
		Observe: func(line string) { w.tell(name, hubName, Progress, "", line) },
	})
}

// notebook is the image of the set that users' servers run: the one in the chart's
// slots; where there are several, the notebook of the first pair.
func (w *Workspace) notebook(contents *release.Contents) string {
	slots := slices.Sorted(maps.Keys(contents.Release.Slots))
	for _, p := range w.Platform.Images.Pairs {
		if slices.Contains(slots, p.Notebook) {
			return p.Notebook
		}
	}
	return slots[0]
}
