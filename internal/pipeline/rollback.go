package pipeline

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"gauntlet/internal/config"
	"gauntlet/internal/deploy"
	"gauntlet/internal/evidence"
	"gauntlet/internal/hubdb"
	"gauntlet/internal/kill"
	"gauntlet/internal/kube"
	"gauntlet/internal/ledger"
	"gauntlet/internal/release"
)

// How long an emergency waits for a registry that may be the reason for it.
const (
	ledgerPatience = 20 * time.Second // to read the ledger
	recordPatience = time.Minute      // to fetch the release and write the statement
)

// A RolledBack is what Rollback did.
type RolledBack struct {
	Hub string `json:"hub"`
	deploy.RollbackResult
	Recorded bool   `json:"recorded"`          // the ledger knows
	Verified bool   `json:"verified"`          // the tier's suites passed afterwards
	Problem  string `json:"problem,omitempty"` // why it is not recorded or not verified
}

// RollbackOptions are how hubs go back.
type RollbackOptions struct {
	To       int    // revision of Helm's history; 0: the newest that gauntlet made, that ran and that differs
	Reason   string // for others; required
	Database deploy.Database
}

// Rollback brings a hub back to an earlier revision of Helm's history, without a gate.
// Deployers and board members may. Where the hub's database was migrated meanwhile, the
// options must say what becomes of it: else the error is a *deploy.MigratedError.
//
// A ledger that cannot be read or written does not stop it: then the cluster alone
// decides who may, and the result says that nothing is recorded. Run again, it changes
// nothing and records what is missing.
func (w *Workspace) Rollback(ctx context.Context, hubName string, o RollbackOptions) (*RolledBack, error) {
	if strings.TrimSpace(o.Reason) == "" {
		return nil, inputf("a rollback needs --reason: others must know why the hub went back")
	}
	if o.To < 0 {
		return nil, inputf("--to %d: revisions of Helm count from 1", o.To)
	}
	if _, err := w.signer(); err != nil {
		return nil, err
	}
	s, unread, c, err := w.mayGoBack(ctx, hubName)
	if err != nil {
		return nil, err
	}
	return w.rollBack(ctx, s, unread, c, hubName, o, reserved{})
}

// mayGoBack looks who may bring a hub back. Why the ledger could not be read is no
// error: then the cluster alone decides.
func (w *Workspace) mayGoBack(ctx context.Context, hubName string) (s *sight, unread error, c *kube.Client, err error) {
	h, err := w.hub(hubName)
	if err != nil {
		return nil, nil, nil, err
	}
	if c, err = w.clients.get(h.Cluster); err != nil {
		return nil, nil, nil, err
	}
	s, unread = w.lookSoon(ctx, hubName)
	switch {
	case ctx.Err() != nil:
		return nil, nil, nil, ctx.Err()
	case unread != nil:
		w.tell("rollback", hubName, Warned, "", "going on without the ledger: "+kube.OneLine(unread.Error()))
	default:
		if _, err := w.speaker(s, config.RoleDeployer, config.RoleBoard); err != nil {
			return nil, nil, nil, err
		}
	}
	return s, unread, c, nil
}

// rollBack brings a hub back, records that unless the ledger could not be read, and
// verifies it.
func (w *Workspace) rollBack(ctx context.Context, s *sight, unread error, c *kube.Client, hubName string, o RollbackOptions, in reserved) (*RolledBack, error) {
	out, contents, err := w.bringBack(ctx, s, unread, c, hubName, o, in)
	if err != nil || !out.Recorded {
		return out, err
	}
	return out, w.verifyRollback(ctx, s, out, contents, in)
}

// bringBack brings a hub back and records that, unless the ledger could not be read.
func (w *Workspace) bringBack(ctx context.Context, s *sight, unread error, c *kube.Client, hubName string, o RollbackOptions, in reserved) (*RolledBack, *release.Contents, error) {
	h := w.Platform.Hubs[hubName]
	w.tell("rollback", hubName, Started, "", o.Reason)
	res, err := deploy.Rollback(ctx, deploy.RollbackRequest{
		Client: c, Namespace: h.Namespace, ReleaseName: h.Release, To: o.To, Database: o.Database, Reason: o.Reason, Held: in.held,
		Graces: w.Platform.Graces, Observe: w.watch("rollback", hubName),
	})
	if err != nil {
		return nil, nil, &StepError{Step: "rollback", Hub: hubName, Cause: err}
	}
	kill.At("rollback:unrecorded")
	state, text := Passed, fmt.Sprintf("revision %d runs what revision %d did (%s)", res.Revision, res.To, ofRelease(res))
	if res.Reused {
		state = Reused
	}
	w.tell("rollback", hubName, state, "", text)

	out := &RolledBack{Hub: hubName, RollbackResult: res}
	err = unread
	var contents *release.Contents
	if err == nil {
		contents, err = w.recordRollback(ctx, s, out, o.Reason)
	}
	if err != nil {
		out.Problem = fmt.Sprintf("NOT RECORDED and not verified: `gauntlet rollback %s` again, or the next deploy to it, records what it runs (%s)", hubName, kube.OneLine(err.Error()))
		w.tell("rollback", hubName, Warned, "", out.Problem)
		return out, nil, nil
	}
	out.Recorded = true
	return out, contents, nil
}

// ofRelease says what a hub went back to.
func ofRelease(r deploy.RollbackResult) string {
	if r.Release == "" {
		return "taken over, of no release"
	}
	return fmt.Sprintf("release %.12s", r.Release)
}

// lookSoon reads the ledger, unless that takes too long. One that could not be read
// once is given less time the next time.
func (w *Workspace) lookSoon(ctx context.Context, hubName string) (*sight, error) {
	patience := ledgerPatience
	if w.unread.Load() {
		patience = ledgerPatience / 4
	}
	ctx, cancel := bounded(ctx, patience)
	defer cancel()
	s, err := w.look(ctx, hubName)
	w.unread.Store(err != nil)
	return s, because(ctx, err)
}

// recordRollback says in the ledger what the hub runs now, when it does not say so
// already.
func (w *Workspace) recordRollback(ctx context.Context, s *sight, b *RolledBack, reason string) (*release.Contents, error) {
	ctx, cancel := bounded(ctx, recordPatience)
	defer cancel()
	if b.Deployable == "" {
		return nil, because(ctx, w.recordReturn(ctx, s, b, reason))
	}
	contents, err := w.labelled(ctx, s, b)
	if err != nil {
		return nil, because(ctx, err)
	}
	h, part := w.Platform.Hubs[b.Hub], contents.Release.Hubs[b.Hub]
	asked := deploy.Request{Release: contents.Digest(), Deployable: part.Deployable}
	c, err := w.clients.get(h.Cluster)
	if err != nil {
		return nil, err
	}
	if known, _ := s.deployment(b.Hub, asked, deploy.State(ctx, c, h.Namespace, h.Release)); known {
		return contents, nil
	}
	err = w.record(ctx, s, ledger.Statement{
		Type: evidence.RollbackType,
		Subjects: []evidence.Subject{
			{Kind: evidence.Release, Digest: asked.Release},
			{Kind: evidence.Deployable, Digest: asked.Deployable},
		},
		Predicate: evidence.Rollback{
			Hub: b.Hub, Tier: h.Tier, From: b.From, To: b.To, Revision: b.Revision,
			Reason: reason, Started: b.Started, Finished: b.Finished,
			FromRelease: b.FromRelease, FromDeployable: b.FromDeployable, Database: restoredFile(b.Restored),
		},
	})
	return contents, because(ctx, err)
}

// recordReturn says that the hub went back to what was taken over there, of no release.
func (w *Workspace) recordReturn(ctx context.Context, s *sight, b *RolledBack, reason string) error {
	for _, r := range s.view.Records {
		if _, ok := s.deployed(r); !ok || r.Type != evidence.RollbackType {
			continue
		}
		if d, err := evidence.Decode[evidence.Rollback](r); err == nil && d.Hub == b.Hub && d.Revision == b.Revision && d.From == b.From && d.To == b.To {
			return nil
		}
	}
	return w.record(ctx, s, ledger.Statement{
		Type:     evidence.RollbackType,
		Subjects: []evidence.Subject{{Kind: evidence.Policy, Digest: s.digest}},
		Predicate: evidence.Rollback{
			Hub: b.Hub, Tier: w.Platform.Hubs[b.Hub].Tier, From: b.From, To: b.To, Revision: b.Revision,
			Reason: reason, Started: b.Started, Finished: b.Finished,
			FromRelease: b.FromRelease, FromDeployable: b.FromDeployable, Database: restoredFile(b.Restored),
		},
	})
}

// restoredFile is the copy of the hub's database that was put back, "" for none.
func restoredFile(r *hubdb.Restored) string {
	if r == nil || !r.Migrated() {
		return ""
	}
	return r.File
}

// labelled is the release that the labels of the hub's revision name.
func (w *Workspace) labelled(ctx context.Context, s *sight, b *RolledBack) (*release.Contents, error) {
	for _, id := range s.made() {
		if id.Label() != b.Release {
			continue
		}
		contents, err := w.open(ctx, id)
		if err != nil {
			return nil, err
		}
		if contents.Release.Hubs[b.Hub].Deployable.Label() != b.Deployable {
			return nil, fmt.Errorf("release %s holds another deployable for hub %s than revision %d bears", id.Short(), b.Hub, b.Revision)
		}
		return contents, nil
	}
	return nil, fmt.Errorf("the ledger knows no release %.12s, which revision %d bears", b.Release, b.Revision)
}

// verifyRollback runs the tier's suites on the hub, and looks whether what stood on it
// before still does. That a suite failed is its error; that none could run is the
// rollback's problem.
func (w *Workspace) verifyRollback(ctx context.Context, s *sight, b *RolledBack, contents *release.Contents, in reserved) error {
	if contents == nil {
		b.Problem = "not verified: it runs what was taken over, of no release whose suites could run"
		return nil
	}
	h := w.Platform.Hubs[b.Hub]
	err := w.elsewhere(b.Hub, contents)
	tier, terr := s.tier(h.Tier)
	err = errors.Join(err, terr)
	if err == nil && len(onHub(tier)) == 0 {
		err = fmt.Errorf("the policy asks for no suite in tier %s", tier.Name)
	}
	if err == nil {
		c, cerr := w.clients.get(h.Cluster)
		if cerr != nil {
			return cerr
		}
		err = errors.Join(
			w.stands(ctx, s, b.Hub, contents.Release.Hubs[b.Hub].Deployable, in),
			w.checkHub(ctx, s, tier, b.Hub, c, contents, in))
	}
	var failed *StepError
	switch {
	case err == nil:
		b.Verified = true
		return nil
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.As(err, &failed):
		b.Problem = err.Error()
		return err
	}
	b.Problem = "not verified: " + kube.OneLine(err.Error())
	w.tell("rollback", b.Hub, Warned, "", b.Problem)
	return nil
}
