package deploy

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"gauntlet/internal/config"
	"gauntlet/internal/deploy/helm"
	"gauntlet/internal/hubdb"
	"gauntlet/internal/kill"
	"gauntlet/internal/kube"
)

// labelRollback is on a revision that goes back: "3-from-2-to-1" is revision 3, made
// when the hub was at 2, of what revision 1 applied. Its own number is in it for the
// reason that labelRevision has it.
const labelRollback = "gauntlet/rollback"

// A RollbackRequest is a hub that shall go back to what it ran before.
type RollbackRequest struct {
	Client      *kube.Client
	Namespace   string
	ReleaseName string // of the Helm release
	To          int    // revision in Helm's history; 0: the newest that ran and is another than the hub's
	Database    Database

	Reason  string        // for whoever reads Helm's history
	Held    *kube.Held    // as in Request
	Holder  string        // as in Request
	Timeout time.Duration // as in Request
	Graces  config.Graces // as in Request
	Observe func(Event)   // as in Request
}

// A RollbackResult is what Rollback left behind.
type RollbackResult struct {
	Revision   int    `json:"revision"`   // that the hub is at now
	From       int    `json:"from"`       // revision that it was at
	To         int    `json:"to"`         // revision whose objects it runs again
	Deployable string `json:"deployable"` // Digest.Label of what it runs
	Release    string `json:"release"`    // Digest.Label of the release that came with it

	// What the hub was at; "" when gauntlet did not make revision From.
	FromDeployable string `json:"fromDeployable,omitempty"`
	FromRelease    string `json:"fromRelease,omitempty"`

	Reused bool `json:"reused"` // it was back already: no new revision was made

	Restored *hubdb.Restored `json:"restored,omitempty"` // what became of the hub's database, where it was migrated meanwhile

	Started  time.Time `json:"started"`
	Finished time.Time `json:"finished"` // both by the cluster's API server
}

// Rollback brings a hub back to what it ran before, out of Helm's own history: it
// needs no registry and no ledger. It works under the lock of the namespace.
//
// It may be killed at any moment and run again: one that an earlier run left unfinished
// is marked failed and done again to the same target, and a hub that is back already
// stays as it is (Reused). To go back further, name the revision.
func Rollback(ctx context.Context, q RollbackRequest) (RollbackResult, error) {
	r := Request{Client: q.Client, Namespace: q.Namespace, ReleaseName: q.ReleaseName,
		Adopt: true, // going back is the way out of what another tool has done
		Held:  q.Held, Holder: q.Holder, Timeout: q.Timeout, Graces: q.Graces, Observe: oneAtATime(q.Observe)}
	if r.Timeout <= 0 {
		r.Timeout = r.Graces.OrDefault().Timeout
	}
	if r.Holder == "" {
		r.Holder = kube.DefaultHolder()
	}
	var res RollbackResult
	err := underLock(ctx, r, "rollback", func(locked context.Context, held *kube.Held) (err error) {
		res, err = rollbackLocked(locked, held, r, q)
		return err
	})
	return res, err
}

func rollbackLocked(ctx context.Context, held *kube.Held, r Request, q RollbackRequest) (RollbackResult, error) {
	fenced, err := held.Client(r.Client)
	if err != nil {
		return RollbackResult{}, err
	}
	started, err := fenced.ServerTime(ctx)
	if err != nil {
		return RollbackResult{}, err
	}
	h := helm.New(fenced, r.Namespace, func(w string) { r.tell(Event{Step: "apply", Message: "the API server warns: " + w}) })
	history, err := h.History(r.ReleaseName)
	if err != nil {
		return RollbackResult{}, err
	}
	if history, err = settleHistory(h, r, history); err != nil {
		return RollbackResult{}, err
	}
	way, err := wayBack(history, q.To)
	if err != nil {
		return RollbackResult{}, fmt.Errorf("roll back %s/%s in cluster %s: %w", r.Namespace, r.ReleaseName, r.Client.Context, err)
	}
	w := newWaits(ctx, fenced, r)
	defer w.close()
	w.begin()
	res := RollbackResult{
		From: way.from, To: way.to, Started: started,
		Deployable: way.target.Labels[labelDeployable], Release: way.target.Labels[labelRelease],
	}
	res.FromDeployable, res.FromRelease = left(history, way.from)
	restart, err := settleHub(ctx, fenced, r.Namespace)
	if err != nil {
		return RollbackResult{}, err
	}
	if way.there {
		switch err := stillRuns(h, starting{w, restart}, r, way.target); {
		case err == nil:
			res.Revision, res.Reused = way.target.Revision, true
		case !errors.Is(err, errMissing):
			return RollbackResult{}, err
		default:
			r.tell(Event{Step: "state", Message: fmt.Sprintf("revision %d is applied again: %v", way.target.Revision, err)})
		}
	}
	if !res.Reused {
		db, err := restoreDatabase(ctx, fenced, r, history, way, q.Database)
		if err != nil {
			return RollbackResult{}, err
		}
		res.Restored = db.restored
		if res.Revision, err = goBack(ctx, h, starting{w, restart}, r, history, way, db.undone, q.Reason); err != nil {
			return RollbackResult{}, errors.Join(err, startAgain(ctx, fenced, r.Namespace))
		}
		kill.At("rollback:recorded")
	}
	res.Finished, err = fenced.ServerTime(context.WithoutCancel(ctx))
	return res, err
}

// goBack makes the next revision; undone is the migration that it undoes.
func goBack(ctx context.Context, h *helm.Helm, w helm.Waiter, r Request, history []helm.Record, way back, undone, reason string) (int, error) {
	next := history[0].Revision + 1
	b := helm.Rollback{
		Name: r.ReleaseName, To: way.target, Since: since(history),
		Labels: map[string]string{
			labelRevision: strconv.Itoa(next), labelRollback: rollbackLabel(next, way.from, way.to),
		},
		Description: backDescription(way, reason),
		Timeout:     r.Timeout, Waits: w,
	}
	if undone != "" {
		b.Labels[labelRestored] = note(next, undone)
	}
	for _, l := range []string{labelDeployable, labelAccess, labelRelease} {
		if v := way.target.Labels[l]; v != "" && ours(way.target.Labels, way.target.Revision) {
			b.Labels[l] = v
		}
	}
	if adopted(way.target.Labels, way.target.Revision) {
		b.Labels[labelAdopted] = strconv.Itoa(next) // of no release, but taken over as before
	}
	r.tell(Event{Step: "apply", Message: fmt.Sprintf("revision %d of Helm release %s goes back from revision %d to %d", next, r.ReleaseName, way.from, way.to)})
	return unstopped(ctx, r, next, func() (helm.Record, error) { return h.Rollback(b) })
}

// A back is a way back.
type back struct {
	target   helm.Record // whose objects are applied
	from, to int         // revisions, for people and the ledger
	there    bool        // target is the newest revision, and deployed
}

// wayBack finds where a hub goes back to, in a history (newest first) without a pending
// revision. Only what gauntlet made or somebody took over, and what ran, is a target: it
// was deployed or has been superseded since. A history whose newest revision is a way back already leads to
// the same place again.
func wayBack(history []helm.Record, to int) (back, error) {
	if len(history) == 0 || history[0].Status == helm.Uninstalled {
		return back{}, errors.New("there is no such Helm release, so nothing to go back to: deploy one with `gauntlet deploy`")
	}
	newest := history[0]
	w := back{from: newest.Revision, to: to}
	from, aim, earlier := rollbackOf(newest)
	if earlier && newest.Status == helm.Failed {
		w.from = from // it did not get anywhere
	}
	if earlier && (to == 0 || to == aim) {
		w.from, w.to = from, aim
		if newest.Status == helm.Deployed {
			w.target, w.there = newest, true
			return w, nil
		}
	}
	for _, r := range history {
		switch {
		case w.to == r.Revision:
			if why := noTarget(r); why != "" {
				return back{}, fmt.Errorf("revision %d %s%s", r.Revision, why, choices(history))
			}
		case w.to != 0 || r.Revision == newest.Revision || noTarget(r) != "" || sameAs(r, newest):
			continue
		}
		w.target, w.to, w.there = r, r.Revision, r.Revision == newest.Revision
		return w, nil
	}
	if w.to != 0 {
		return back{}, fmt.Errorf("the history of Helm holds no revision %d%s", w.to, choices(history))
	}
	return back{}, errors.New("the history of Helm holds no earlier revision that gauntlet made or took over, that ran and that differs from what the hub has now")
}

// left is what a revision was of: labels of deployable and release, "" when it was not
// gauntlet's or is no more in the history.
func left(history []helm.Record, revision int) (deployable, release string) {
	for _, r := range history {
		if r.Revision == revision && ours(r.Labels, r.Revision) {
			return r.Labels[labelDeployable], r.Labels[labelRelease]
		}
	}
	return "", ""
}

// noTarget says why nobody goes back to a revision, "" when one may.
func noTarget(r helm.Record) string {
	switch {
	case !known(r):
		return "was not made by gauntlet, and nobody took it over"
	case r.Status != helm.Deployed && r.Status != helm.Superseded:
		return fmt.Sprintf("never ran: it is %s", r.Status)
	}
	return ""
}

// sameAs says whether two revisions of gauntlet are of the same things.
func sameAs(a, b helm.Record) bool {
	return ours(a.Labels, a.Revision) && ours(b.Labels, b.Revision) &&
		a.Labels[labelDeployable] == b.Labels[labelDeployable] && a.Labels[labelAccess] == b.Labels[labelAccess]
}

// choices are the revisions that --to may name.
func choices(history []helm.Record) string {
	var can []string
	for _, r := range history {
		if noTarget(r) == "" {
			of := fmt.Sprintf("release %.12s", r.Labels[labelRelease])
			if !ours(r.Labels, r.Revision) {
				of = "taken over"
			}
			can = append(can, fmt.Sprintf("%d (%s)", r.Revision, of))
		}
	}
	if len(can) == 0 {
		return ", and no other that gauntlet made and that ran"
	}
	return ": name one of " + strings.Join(can, ", ")
}

// since are the revisions of which something may be left that Helm itself does not
// remove: the newest and those before it, down to the first that ran to its end, when
// the newest has failed; else those before it that somebody's helm never ended.
func since(history []helm.Record) []helm.Record {
	if len(history) == 0 {
		return nil
	}
	if history[0].Status != helm.Failed {
		n := slices.IndexFunc(history[1:], func(r helm.Record) bool { return !strings.HasPrefix(r.Description, overrun) })
		if n < 0 {
			n = len(history) - 1
		}
		return history[1 : 1+n]
	}
	for i, r := range history {
		if r.Status != helm.Failed {
			return history[:i+1]
		}
	}
	return history
}

func rollbackLabel(revision, from, to int) string {
	return fmt.Sprintf("%d-from-%d-to-%d", revision, from, to)
}

// rollbackOf reads the label of a revision that goes back.
func rollbackOf(r helm.Record) (from, to int, ok bool) { return backLabel(r.Labels, r.Revision) }

func backLabel(labels map[string]string, revision int) (from, to int, ok bool) {
	var rev int
	_, err := fmt.Sscanf(labels[labelRollback], "%d-from-%d-to-%d", &rev, &from, &to)
	return from, to, err == nil && rev == revision && (ours(labels, revision) || adopted(labels, revision))
}

// backDescription is what `helm history` shows: what the target says, and why the hub
// went back to it.
func backDescription(w back, reason string) string {
	const most = 256 // Helm takes no more
	of, _, _ := strings.Cut(w.target.Description, "; back ")
	d := []rune(fmt.Sprintf("%s; back from revision %d to %d: %s", of, w.from, w.to, kube.OneLine(reason)))
	return string(d[:min(len(d), most)])
}
