package pipeline

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"gauntlet/internal/check"
	"gauntlet/internal/check/suites"
	"gauntlet/internal/config"
	"gauntlet/internal/evidence"
	"gauntlet/internal/kube"
	"gauntlet/internal/release"
)

// onHub are the suites of a tier that tell whether a hub is well. The suite "nodes" tells
// of an autoscaler, hours later: it stops a release, and brings no hub back.
func onHub(t config.Tier) []string {
	return slices.DeleteFunc(slices.Clone(t.Suites), func(name string) bool { return name == suites.NodesName })
}

// nodeWatch is what the suite "nodes" must follow on a hub: what the ledger has of the
// suites that ran there since its last deployment. about is what they ran on, "" for none.
func (s *sight) nodeWatch(hubName string, tier config.Tier) (watch suites.NodeWatch, about release.Digest) {
	watch = suites.NodeWatch{Warn: tier.Nodes.Warn, Fail: tier.Nodes.Fail}
	for _, r := range slices.Backward(s.view.Records) {
		if s.freshly(r, hubName) {
			break
		}
		if r.Type != evidence.TestResultType || !s.is(r.Signer, config.RoleChecker) {
			continue
		}
		t, err := evidence.Decode[evidence.TestResult](r)
		if err != nil || t.Hub != hubName || t.Suite != suites.ScalingName {
			continue
		}
		about = subject(r, evidence.Deployable)
		watch.Nodes, watch.Ran, watch.Since = t.Brought, true, t.Finished
		break
	}
	return watch, about
}

// follow looks once whether the nodes that suites brought are gone, where the policy asks
// for that, and records a verdict when there is one. While there is none the hub stays
// taken: another release's workers would keep the nodes.
func (w *Workspace) follow(ctx context.Context, s *sight, m *move, deployable release.Digest) (pending bool, err error) {
	if !slices.Contains(m.tier.Suites, suites.NodesName) {
		return false, nil
	}
	watch, about := s.nodeWatch(m.hub, m.tier)
	if about != "" && about != deployable {
		return false, nil // what the hub runs since then has brought none
	}
	suite := suites.Nodes(suites.HubTarget{Client: m.client, Watch: watch})
	subject := evidence.Subject{Kind: evidence.Deployable, Digest: deployable}
	if w.known(s, suite, subject, m.hub) {
		return false, nil
	}
	result := w.check(ctx, suite, m.hub)
	switch {
	case ctx.Err() != nil:
		return false, context.Cause(ctx)
	case result.State == check.PendingState:
		return true, nil
	}
	return false, w.conclude(ctx, s, result, subject, m.hub)
}

// nodesMark is how a holder begins to call itself that keeps a hub for nodes that must go.
const nodesMark = " nodes-"

// keepForNodes keeps the hub until the nodes have had their time.
func (w *Workspace) keepForNodes(ctx context.Context, s *sight, m *move, who string) error {
	now := w.opts.Now()
	watch, _ := s.nodeWatch(m.hub, m.tier)
	until := watch.Since.Add(m.tier.Nodes.Fail)
	if !until.After(now) {
		until = now.Add(useTime)
	}
	_, err := kube.Reserve(ctx, m.client, m.part.Target.Namespace, kube.InUse, kube.Reservation{
		Holder: who + nodesMark + m.release.Short(), Until: until,
		Why: fmt.Sprintf("release %s: nodes of its workers must go", m.release.Short()),
	}, now)
	return err
}

// settleNodes frees a hub that is kept for nodes, when this release is whose they are or
// when there is a verdict by now.
func (w *Workspace) settleNodes(ctx context.Context, s *sight, m *move) error {
	ns := m.part.Target.Namespace
	by, err := kube.ReadReservation(ctx, m.client, ns, kube.InUse, w.opts.Now())
	if err != nil || by == nil || !strings.Contains(by.Holder, nodesMark) {
		return err
	}
	if _, about := s.nodeWatch(m.hub, m.tier); about != "" && about != m.part.Deployable {
		pending, err := w.follow(ctx, s, m, about)
		var failed *StepError
		switch {
		case err != nil && !errors.As(err, &failed): // its failure is that release's, and recorded
			return err
		case pending:
			return nil
		}
	}
	return kube.EndReservation(ctx, m.client, ns, kube.InUse, by.Holder, w.opts.Now())
}
