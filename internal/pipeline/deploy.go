package pipeline

import (
	"context"
	"errors"
	"fmt"

	"gauntlet/internal/check/suites"
	"gauntlet/internal/deploy"
	"gauntlet/internal/evidence"
	"gauntlet/internal/gate"
	"gauntlet/internal/kill"
	"gauntlet/internal/kube"
	"gauntlet/internal/ledger"
	"gauntlet/internal/release"
)

// DeployOptions say how a hub is brought to a release.
type DeployOptions struct {
	Adopt      bool     // replace what another tool has deployed; without, it is refused
	Drop       []string // value paths that such a tool gave the hub and that may go
	Plan       string   // file of a saved plan: do exactly that, or nothing
	NoRollback bool     // leave the hub as it is when the deployment fails
	Wait       bool     // wait in line when others have all hubs of a tier where any will do
	Try        bool     // to be tried by hand, past tests of the release, on a test hub that is kept for whoever signs
	NoBackup   bool     // migrate the hub's database although it was not copied before
}

// A Deployed is what Deploy left behind.
type Deployed struct {
	Hub      string         `json:"hub"`
	Release  release.Digest `json:"release"`
	Revision int            `json:"revision"` // of the Helm release
	Reused   bool           `json:"reused"`   // the hub ran it already: no revision was made
	// Older are the servers of users that go on with another notebook than the release's.
	Older []suites.OlderServer `json:"older,omitempty"`
}

// Deploy brings one hub to a release, when the gate allows it, verifies it and runs the
// tier's suites on it. Every part that the ledger and the hub show as done is left
// alone. A gate that does not allow gives *PendingError or *DeniedError. A hub that is
// not as it should be afterwards is brought back to what ran before: *RolledBackError.
func (w *Workspace) Deploy(ctx context.Context, ref, hubName string, o DeployOptions) (*Deployed, error) {
	if _, err := w.signer(); err != nil {
		return nil, err
	}
	s, in, contents, err := w.question(ctx, ref, hubName)
	if err != nil {
		return nil, err
	}
	tier, err := s.tier(in.Tier)
	if err != nil {
		return nil, err
	}
	switch went, err := w.finishRollback(ctx, s, hubName); {
	case err != nil:
		return nil, err
	case went:
		if in, contents, err = w.input(ctx, s, in.ID, in.Tier, hubName); err != nil {
			return nil, err
		}
	}
	m := &move{hub: hubName, release: in.ID, tier: tier, contents: contents, part: contents.Release.Hubs[hubName], options: o}
	if o.Plan != "" {
		if m.exact, err = readPlan(o.Plan, m.release, hubName); err != nil {
			return nil, err
		}
	}
	if m.client, err = w.clients.get(m.part.Target.Cluster); err != nil {
		return nil, err
	}
	if _, err := judge(in); o.Try {
		if err := w.mayTry(ctx, s, m, err); err != nil {
			return nil, err
		}
	} else if err != nil {
		return nil, err
	}
	if m.values, err = w.hubValues(ctx, s, contents, hubName); err != nil {
		return nil, err
	}
	give, err := w.use(ctx, s, m)
	if err != nil {
		return nil, err
	}
	defer give()
	if err := kube.WriteAnchor(ctx, m.client, m.part.Target.Namespace, s.pinned, s.view.Heads); err != nil {
		return nil, &StepError{Step: "deploy", Hub: hubName, Cause: fmt.Errorf("anchor the ledger's heads: %w", err)}
	}
	for _, step := range []func(context.Context, *sight, *move) error{w.standing, w.asPlanned, w.preflight, w.prepull} {
		if err := step(ctx, s, m); err != nil {
			return nil, err
		}
	}
	out, err := w.upgrade(ctx, s, m)
	if err != nil {
		return out, err
	}
	if !o.Try {
		m.nodesStay, err = w.follow(ctx, s, m, m.part.Deployable)
	}
	return out, err
}

// request is what deploy is asked for.
func (m *move) request() deploy.Request {
	at := m.part.Target
	return deploy.Request{
		Client: m.client, Namespace: at.Namespace, ReleaseName: at.Release,
		Chart: m.contents.ChartArchive, Values: m.values,
		Release: m.release, Deployable: m.part.Deployable, Access: m.part.Access,
		Adopt: m.options.Adopt, Drop: m.options.Drop,
	}
}

// standing refuses a hub that another tool owns, or whose values by hand would be lost.
func (w *Workspace) standing(ctx context.Context, _ *sight, m *move) error {
	defer w.waiting("deploy", m.hub, "asking the cluster whose the hub is")()
	if err := deploy.Standing(ctx, m.request()); err != nil {
		return &StepError{Step: "deploy", Hub: m.hub, Cause: err}
	}
	return nil
}

// deployHub deploys and records it. A deployment that a killed run finished but did
// not record is recorded now.
func (w *Workspace) deployHub(ctx context.Context, s *sight, m *move) (*Deployed, error) {
	hubName, r := m.hub, m.request()
	r.Held, r.Backup = m.in.held, m.backup.Stamp
	if m.exact != nil {
		r.Before = func(ctx context.Context) error { return w.asPlanned(ctx, s, m) }
	}
	w.tell("deploy", hubName, Started, "", fmt.Sprintf("release %s", r.Release.Short()))
	r.Graces, r.Observe = w.Platform.Graces, w.watch("deploy", hubName)
	res, err := deploy.Deploy(ctx, r)
	var moved *MovedError
	if errors.As(err, &moved) {
		return nil, moved
	}
	if err != nil {
		return nil, &StepError{Step: "deploy", Hub: hubName, Cause: err}
	}
	out := &Deployed{Hub: hubName, Release: m.release, Revision: res.Revision, Reused: res.Reused}
	kill.At("deploy:unrecorded")
	known, judged := s.deployment(hubName, r, deploy.State(ctx, r.Client, r.Namespace, r.ReleaseName))
	if res.Reused && !judged {
		// Another run may have deployed it while this one waited for the lock.
		fresh, err := w.look(ctx, hubName)
		if err != nil {
			return nil, err
		}
		*s = *fresh
		known, judged = s.deployment(hubName, r, deploy.State(ctx, r.Client, r.Namespace, r.ReleaseName))
	}
	if judged {
		w.tell("deploy", hubName, Reused, "", fmt.Sprintf("revision %d runs it already", res.Revision))
		return out, nil
	}
	err = w.record(ctx, s, ledger.Statement{
		Type: evidence.DeploymentType,
		Subjects: []evidence.Subject{
			{Kind: evidence.Release, Digest: r.Release},
			{Kind: evidence.Deployable, Digest: r.Deployable},
		},
		Predicate: evidence.Deployment{
			Hub: hubName, Tier: m.tier.Name, Revision: res.Revision, Reused: known, Tried: m.options.Try, Dropped: res.Dropped,
			Started: res.Started, Finished: res.Finished, Plan: m.exact.name(), Backup: m.backup.File,
		},
	})
	if err != nil {
		return nil, err
	}
	w.tell("deploy", hubName, Passed, "", fmt.Sprintf("revision %d", res.Revision))
	return out, nil
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
		if d.Tried { // what was tried by hand is deployed anew
			continue
		}
		known = true
		// A rollback asked no gate, and does not count where none came before it.
		judged = judged || rec.Type == evidence.DeploymentType && rec.About(evidence.Release, r.Release)
	}
	return known, judged
}
