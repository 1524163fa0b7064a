package pipeline

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"gauntlet/internal/check/suites"
	"gauntlet/internal/deploy"
	"gauntlet/internal/evidence"
	"gauntlet/internal/hubdb"
	"gauntlet/internal/kube"
	"gauntlet/internal/release"
)

// reserved is a hub under its lock, and what stood on it before it was changed. Its
// zero value holds nothing: each step then takes the lock for itself.
type reserved struct {
	held     *kube.Held
	standing *suites.Standing
	revision int // of the Helm release before the change; 0 for none
}

// upgrade changes a hub under the lock of its namespace: notes what stands on it, deploys,
// looks whether that still stands and runs the tier's suites. When anything of that
// fails, the hub is brought back.
func (w *Workspace) upgrade(ctx context.Context, s *sight, m *move) (*Deployed, error) {
	locked, release, err := w.reserve(ctx, m)
	if err != nil {
		return nil, &StepError{Step: "deploy", Hub: m.hub, Cause: err}
	}
	defer release()
	at := m.part.Target
	revs, err := deploy.Revisions(locked, m.client, at.Namespace, at.Release)
	if err != nil {
		return nil, &StepError{Step: "deploy", Hub: m.hub, Cause: err}
	}
	if len(revs) > 0 {
		m.in.revision = revs[0].Revision
		if !(revs[0].Deployed() && revs[0].Same(m.asked())) {
			w.stand(locked, s, m)
			defer w.leave(ctx, m)
		}
	}
	if err := w.backUp(locked, m); err != nil {
		return nil, err
	}
	out, err := w.deployHub(locked, s, m)
	if m.options.Try {
		return out, err // whoever tries it looks, and goes back by themselves
	}
	if err == nil {
		err = w.stands(locked, s, m.hub, m.part.Deployable, m.in)
	}
	if err == nil {
		err = w.checkHub(locked, s, m.tier, m.hub, m.client, m.contents, m.in)
	}
	if err == nil {
		if m.in.standing != nil {
			out.Older = m.in.standing.Older()
		}
		return out, nil
	}
	return out, w.undo(ctx, s, m, err)
}

// backUp copies the hub's database before a change that migrates it. Where it cannot be
// copied or shall not be, the revision will say so to whoever wants to go back.
func (w *Workspace) backUp(ctx context.Context, m *move) error {
	switch {
	case !m.migrates:
		return nil
	case m.uncopied, m.options.NoBackup:
		m.backup = hubdb.Backup{Stamp: hubdb.None}
		return nil
	}
	b, err := hubdb.Copy(ctx, m.client, m.part.Target.Namespace, w.opts.Now())
	if err != nil {
		return &StepError{Step: "deploy", Hub: m.hub, Cause: fmt.Errorf("copy the hub's database, which this deployment migrates: %w\n"+
			"    nothing was touched; back it up yourself and go on with --no-backup", err)}
	}
	m.backup = b
	w.tell("deploy", m.hub, Progress, "", "the hub's database will be migrated; a copy from before is "+b.String())
	return nil
}

// asked is the revision that a move wants.
func (m *move) asked() deploy.Revision {
	return deploy.Revision{Deployable: m.part.Deployable.Label(), Access: m.part.Access.Label()}
}

// reserve takes the lock of the hub's namespace. The caller gives it back.
func (w *Workspace) reserve(ctx context.Context, m *move) (locked context.Context, release func(), err error) {
	locked, held, err := kube.Lock(ctx, m.client, kube.LockRequest{
		Namespace: m.part.Target.Namespace, Holder: kube.DefaultHolder(),
		Waiting: func(holder string, since time.Time) {
			w.tell("deploy", m.hub, Progress, "Lease/"+kube.LockName, fmt.Sprintf("%s changes this hub since %s", holder, since.Format(time.RFC3339)))
		},
	})
	if err != nil {
		return nil, nil, err
	}
	m.in.held = held
	return locked, func() {
		if err := held.Release(); err != nil {
			// The hub is as it is; the lock goes stale by itself.
			w.tell("deploy", m.hub, Progress, "Lease/"+kube.LockName, kube.OneLine(err.Error()))
		}
	}, nil
}

// reserveAgain takes the lock once more where it was lost, unless another has held it
// since: then the hub, and what runs on it now, is theirs.
func (w *Workspace) reserveAgain(ctx context.Context, m *move) (locked context.Context, release func(), err error) {
	lost := m.in.held
	if lost.Check() == nil {
		return ctx, func() {}, nil
	}
	theirs := fmt.Errorf("another run has held the lock of namespace %s since: what the hub runs now is left to it", m.part.Target.Namespace)
	switch taken, err := lost.Overtaken(ctx); {
	case err != nil:
		return nil, nil, err
	case taken:
		return nil, nil, theirs
	}
	if locked, release, err = w.reserve(ctx, m); err != nil {
		return nil, nil, err
	}
	if m.in.held.Fence != lost.Fence+1 {
		release()
		return nil, nil, theirs
	}
	return locked, release, nil
}

// stand notes who has a server on the hub and holds a kernel open on it.
func (w *Workspace) stand(ctx context.Context, s *sight, m *move) {
	w.tell("upgrade", m.hub, Started, "", "notes whose servers run, and holds a kernel open meanwhile")
	t := w.target("upgrade", m.hub, m.client, m.contents, m.in)
	var err error
	if t.Paired, err = w.pairedWith(ctx, s, m.contents); err != nil {
		w.tell("upgrade", m.hub, Warned, "", "servers of older notebooks all count as paired with nothing: "+kube.OneLine(err.Error()))
		t.Paired = func(release.Digest) bool { return false }
	}
	m.in.standing = suites.Stand(ctx, t)
	if why := m.in.standing.Problem; why != "" {
		w.tell("upgrade", m.hub, Warned, "", "no kernel is held open: "+why)
	}
}

// leave removes what stand made.
func (w *Workspace) leave(ctx context.Context, m *move) {
	if err := m.in.standing.Leave(ctx); err != nil {
		w.tell("upgrade", m.hub, Warned, "", "the next run removes the probe: "+kube.OneLine(err.Error()))
	}
}

// stands runs the suite "upgrade": what stood on the hub before still does.
func (w *Workspace) stands(ctx context.Context, s *sight, hubName string, d release.Digest, in reserved) error {
	if in.standing == nil {
		return nil
	}
	suite, ok := in.standing.Suite()
	if !ok {
		return nil
	}
	return w.suite(ctx, s, suite, evidence.Subject{Kind: evidence.Deployable, Digest: d}, hubName)
}

// undo brings a hub back after a change that failed, where there is a way back that was
// verified, and gives the change's error together with what was done.
func (w *Workspace) undo(ctx context.Context, s *sight, m *move, cause error) error {
	at := m.part.Target
	asking := context.WithoutCancel(ctx)
	revs, err := w.revisionsSoon(asking, m)
	if err != nil {
		return &RolledBackError{Cause: cause, Err: fmt.Errorf("what the hub runs now cannot be read (%w): `gauntlet rollback %s --reason …` once it can", err, m.hub)}
	}
	to, why := wayBack(m.hub, m.in.revision, revs, m.asked(), func(r deploy.Revision) bool { return s.verified(m.hub, r, onHub(m.tier)) })
	switch {
	case to == 0 && why == "":
		return cause
	case ctx.Err() != nil:
		w.tell("rollback", m.hub, Warned, "", fmt.Sprintf("stopped in the middle: run the same command again to go on, or `gauntlet rollback %s --reason …`", m.hub))
		return cause
	case to == 0:
		w.tell("rollback", m.hub, Warned, "", "not rolled back: "+why)
		return cause
	case m.options.NoRollback:
		w.tell("rollback", m.hub, Warned, "", fmt.Sprintf("left as it is, as --no-rollback asks: `gauntlet rollback %s --to %d --reason …` brings it back", m.hub, to))
		return cause
	}
	locked, release, err := w.reserveAgain(ctx, m)
	if err != nil {
		return &RolledBackError{Cause: cause, Err: err}
	}
	defer release()
	if now, err := w.revisionsSoon(locked, m); err != nil || now[0].Revision != revs[0].Revision {
		return &RolledBackError{Cause: cause, Err: errors.Join(fmt.Errorf("others have changed Helm release %s/%s meanwhile", at.Namespace, at.Release), err)}
	}
	back, err := w.rollBack(locked, s, nil, m.client, m.hub, RollbackOptions{
		To: to, Reason: inOneLine(cause), Database: deploy.RestoreDatabase}, m.in)
	return &RolledBackError{Cause: cause, Back: back, Err: err}
}

// inOneLine is an error that may have several lines.
func inOneLine(err error) string {
	var parts []string
	for line := range strings.Lines(err.Error()) {
		if line = strings.TrimSpace(line); line != "" {
			parts = append(parts, line)
		}
	}
	return kube.OneLine(strings.Join(parts, "; "))
}

// revisionsSoon reads the hub's revisions; an API server that restarts is waited for.
func (w *Workspace) revisionsSoon(ctx context.Context, m *move) ([]deploy.Revision, error) {
	ctx, cancel := bounded(ctx, 2*time.Minute)
	defer cancel()
	for {
		revs, err := deploy.Revisions(ctx, m.client, m.part.Target.Namespace, m.part.Target.Release)
		if err == nil || kube.Sleep(ctx, 2*time.Second) != nil {
			return revs, err
		}
	}
}
