// Package deploy brings a hub to a deployable through Helm, under the lock of the
// hub's namespace, and reads back what a hub runs.
package deploy

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"gauntlet/internal/config"
	"gauntlet/internal/deploy/helm"
	"gauntlet/internal/kill"
	"gauntlet/internal/kube"
	"gauntlet/internal/release"
)

// A Request is one hub and what it shall run.
type Request struct {
	Client      *kube.Client
	Namespace   string         // made when it does not exist
	ReleaseName string         // of the Helm release
	Chart       []byte         // the packaged chart (.tgz)
	Values      release.Values // whole: image slots filled, access values and decrypted secrets merged in

	Deployable release.Digest
	Access     release.Digest
	Release    release.Digest

	Backup string // when this migrates the hub's database: the stamp of the copy that was made before, or hubdb.None

	Adopt   bool                        // take over a Helm release whose newest revision gauntlet did not make
	Drop    []string                    // value paths that such a revision was given and that may go
	Before  func(context.Context) error // asked under the lock, before a revision is made; may be nil
	Held    *kube.Held                  // the lock of the namespace, when the caller holds it; nil: it is taken and given back
	Holder  string                      // who holds the lock, for others to read; default user@host
	Timeout time.Duration               // for each hook and for the rollout; default that of Graces
	Graces  config.Graces               // how long causes that may pass are waited for
	Observe func(Event)                 // may be nil; called from one goroutine at a time
}

// An Event is a line of progress.
type Event struct {
	Step    string      // "lock", "state", "apply", "hook" or "rollout"
	Object  string      // what is waited for ("Deployment/hub"), "" when nothing is
	Since   time.Time   // when the wait for it began, or the cause was first seen; zero when nothing is waited for
	Until   time.Time   // when the wait ends at the latest, or the cause ends it; zero when neither is known
	Message string      // one line for people; quotes the cluster, so untrusted
	Normal  string      // what is usual for what it does; "" when that is not known
	Cause   *kube.Cause // what is wrong; nil when nothing is
	Over    bool        // the object is done, or the cause is no more
}

// A Result is what Deploy left behind.
type Result struct {
	Revision int      // of the Helm release
	Reused   bool     // the hub already ran it: no new revision was made
	Dropped  []string // value paths that another tool's revision was given and that are gone now
	Started  time.Time
	Finished time.Time // both by the cluster's API server
}

// A ForeignError says that the hub's newest revision is not gauntlet's: somebody
// works on it with another tool.
type ForeignError struct {
	Context, Namespace, ReleaseName string
	Revision                        int
	Status                          string // Helm's word
	Pending                         bool   // an operation of the other tool has begun and not ended
}

func (e *ForeignError) Error() string {
	s := fmt.Sprintf("revision %d (%s) of Helm release %s/%s in cluster %s was not made by gauntlet",
		e.Revision, e.Status, e.Namespace, e.ReleaseName, e.Context)
	if e.Pending {
		return s + " and has not ended: `gauntlet unstick` says what it waits for, and ends it"
	}
	return s + ": take over what it runs with `gauntlet adopt HUB`, or replace it with `gauntlet deploy --adopt`"
}

// applyMargin is how much longer than its waits Helm may take to apply and record.
const applyMargin = 3 * time.Minute

// Deploy brings a hub to what the request says, under the lock of its namespace.
//
// It may be killed at any moment and run again anywhere: a hub that already runs
// the deployable with these access values keeps its revision (Reused); a revision
// that an earlier run left unfinished is marked failed, with the reason, and the
// next one is made. When ctx ends, Deploy stops waiting and Helm records the
// revision as failed; what was being applied is applied to its end.
func Deploy(ctx context.Context, r Request) (Result, error) {
	if r.Timeout <= 0 {
		r.Timeout = r.Graces.OrDefault().Timeout
	}
	if r.Holder == "" {
		r.Holder = kube.DefaultHolder()
	}
	r.Observe = oneAtATime(r.Observe)
	var res Result
	err := underLock(ctx, r, "deploy", func(locked context.Context, held *kube.Held) (err error) {
		res, err = deployLocked(locked, held, r)
		return err
	})
	return res, err
}

// underLock changes a hub under the lock of its namespace.
func underLock(ctx context.Context, r Request, verb string, change func(context.Context, *kube.Held) error) error {
	if r.Held != nil {
		if err := r.Held.Check(); err != nil {
			return err
		}
		kill.At(verb + ":locked")
		return change(ctx, r.Held)
	}
	asked := time.Now()
	locked, held, err := kube.Lock(ctx, r.Client, kube.LockRequest{
		Namespace: r.Namespace, Holder: r.Holder,
		Waiting: func(holder string, since time.Time) {
			r.tell(Event{Step: "lock", Object: "Lease/" + kube.LockName, Since: asked,
				Message: fmt.Sprintf("%s changes this hub since %s", holder, since.Format(time.RFC3339))})
		},
	})
	if err != nil {
		return err
	}
	kill.At(verb + ":locked")
	err = change(locked, held)
	if rerr := held.Release(); err == nil && rerr != nil {
		// The hub is as asked; the lock goes stale by itself.
		r.tell(Event{Step: "lock", Message: kube.OneLine(rerr.Error())})
	}
	return err
}

func deployLocked(ctx context.Context, held *kube.Held, r Request) (Result, error) {
	fenced, err := held.Client(r.Client)
	if err != nil {
		return Result{}, err
	}
	started, err := fenced.ServerTime(ctx)
	if err != nil {
		return Result{}, err
	}
	h := helm.New(fenced, r.Namespace, func(w string) { r.tell(Event{Step: "apply", Message: "the API server warns: " + w}) })
	history, err := h.History(r.ReleaseName)
	if err != nil {
		return Result{}, err
	}
	if history, err = settleHistory(h, r, history); err != nil {
		return Result{}, err
	}
	if err := r.lost(history); err != nil {
		return Result{}, err
	}
	dropped := r.dropped(history)

	w := newWaits(ctx, fenced, r)
	defer w.close()
	w.begin()
	rev, reused := 0, false
	restart := func() error { return nil }
	if len(history) > 0 {
		if restart, err = settleHub(ctx, fenced, r.Namespace); err != nil {
			return Result{}, err
		}
	}
	if len(history) > 0 && r.isAt(history[0]) {
		switch err := stillRuns(h, starting{w, restart}, r, history[0]); {
		case err == nil:
			rev, reused = history[0].Revision, true
		case errors.Is(err, errMissing):
			r.tell(Event{Step: "state", Message: fmt.Sprintf("revision %d is applied again: %v", history[0].Revision, err)})
		default:
			return Result{}, err
		}
	}
	if !reused {
		if r.Before != nil {
			if err := r.Before(ctx); err != nil {
				return Result{}, err
			}
		}
		if rev, err = apply(ctx, h, starting{w, restart}, r, history); err != nil {
			return Result{}, err
		}
		kill.At("deploy:recorded")
	}
	finished, err := fenced.ServerTime(context.WithoutCancel(ctx))
	if err != nil {
		return Result{}, err
	}
	return Result{Revision: rev, Reused: reused, Dropped: dropped, Started: started, Finished: finished}, nil
}

// settleHistory refuses a history that another tool continued, and ends a revision
// that an earlier run of gauntlet did not. Under the lock no such run is alive.
func settleHistory(h *helm.Helm, r Request, history []helm.Record) ([]helm.Record, error) {
	history, err := settleNewest(h, r, history)
	if err != nil || len(history) == 0 || history[0].Status == helm.Uninstalled {
		return history, err
	}
	return endOverrun(h, r, history)
}

func settleNewest(h *helm.Helm, r Request, history []helm.Record) ([]helm.Record, error) {
	if len(history) == 0 || history[0].Status == helm.Uninstalled {
		return history, nil
	}
	newest := history[0]
	if !made(newest) {
		if adopted(newest.Labels, newest.Revision) && !newest.Pending() {
			return history, nil
		}
		if newest.Pending() || !r.Adopt {
			return nil, &ForeignError{Context: r.Client.Context, Namespace: r.Namespace, ReleaseName: r.ReleaseName,
				Revision: newest.Revision, Status: newest.Status, Pending: newest.Pending()}
		}
		r.tell(Event{Step: "state", Message: fmt.Sprintf("revision %d, made by another tool, is taken over", newest.Revision)})
		return history, nil
	}
	if !newest.Pending() {
		return history, nil
	}
	why := fmt.Sprintf("interrupted: gauntlet ended during %s of release %s; marked failed by %s",
		newest.Status, newest.Labels[labelRelease], r.Holder)
	if err := h.MarkFailed(newest, why); err != nil {
		return nil, err
	}
	r.tell(Event{Step: "state", Message: fmt.Sprintf("revision %d was interrupted and is marked failed", newest.Revision)})
	return h.History(r.ReleaseName)
}

// overrun begins the description of a revision that was pending when another came.
const overrun = "interrupted: it was pending when revision "

// endOverrun marks pending revisions failed that are not the newest: whoever began
// them was killed, and somebody has gone on without ending them (helm rollback does).
// Helm would keep them pending for ever.
func endOverrun(h *helm.Helm, r Request, history []helm.Record) ([]helm.Record, error) {
	ended := false
	for i, rec := range history[1:] {
		if !rec.Pending() {
			continue
		}
		if err := h.MarkFailed(rec, fmt.Sprintf("%s%d came; marked failed by %s", overrun, history[i].Revision, r.Holder)); err != nil {
			return nil, err
		}
		r.tell(Event{Step: "state", Message: fmt.Sprintf("revision %d never ended and is marked failed", rec.Revision)})
		ended = true
	}
	if !ended {
		return history, nil
	}
	return h.History(r.ReleaseName)
}

// isAt says whether a record is a finished deployment of what the request asks.
func (r Request) isAt(rec helm.Record) bool {
	return rec.Status == helm.Deployed && ours(rec.Labels, rec.Revision) &&
		rec.Labels[labelDeployable] == r.Deployable.Label() && rec.Labels[labelAccess] == r.Access.Label()
}

var errMissing = errors.New("not all of it is there")

// stillRuns waits until what a record applied is up: errMissing when some of it
// was deleted, which only applying again mends.
func stillRuns(h *helm.Helm, w helm.Waiter, r Request, rec helm.Record) error {
	objects, err := h.Objects(rec)
	if err != nil {
		return err
	}
	err = w.Rollout(objects, r.Timeout)
	var stuck *StuckError
	if errors.As(err, &stuck) && stuck.Reason == kube.Gone {
		return fmt.Errorf("%w: %s was deleted", errMissing, stuck.Object)
	}
	return err
}

// apply makes the next revision.
func apply(ctx context.Context, h *helm.Helm, w helm.Waiter, r Request, history []helm.Record) (int, error) {
	next := 1
	if len(history) > 0 {
		next = history[0].Revision + 1
	}
	a := helm.Apply{
		Name: r.ReleaseName, Chart: r.Chart, Values: r.Values, Since: since(history),
		Labels:      labels(r, next),
		Description: fmt.Sprintf("gauntlet release %s deployable %s", r.Release, r.Deployable),
		Timeout:     r.Timeout, Waits: w,
	}
	r.tell(Event{Step: "apply", Message: fmt.Sprintf("revision %d of Helm release %s", next, r.ReleaseName)})

	return unstopped(ctx, r, next, func() (helm.Record, error) { return h.InstallOrUpgrade(a, history) })
}

// unstopped makes a revision and waits for its end. Helm cannot be stopped without
// leaving a wrong record, so it is not: its waits end with ctx. Should it hang all the
// same (an API server that takes requests and never answers), it is left behind, and
// the fence of the lock keeps it from changing anything afterwards.
func unstopped(ctx context.Context, r Request, next int, act func() (helm.Record, error)) (int, error) {
	type outcome struct {
		rec helm.Record
		err error
	}
	done := make(chan outcome, 1)
	go func() {
		rec, err := act()
		done <- outcome{rec, err}
	}()
	limit := time.NewTimer(2*r.Timeout + applyMargin)
	defer limit.Stop()
	select {
	case o := <-done:
		if o.err != nil {
			return 0, applyError(ctx, r, o.err)
		}
		return o.rec.Revision, nil
	case <-limit.C:
		return 0, fmt.Errorf("helm did not end in %s: revision %d of %s/%s is left unfinished; the next run marks it failed",
			2*r.Timeout+applyMargin, next, r.Namespace, r.ReleaseName)
	}
}

// applyError prefers the cause to Helm's wrapping of it.
func applyError(ctx context.Context, r Request, err error) error {
	var stuck *StuckError
	switch {
	case errors.As(err, &stuck):
		return stuck
	case ctx.Err() != nil:
		return fmt.Errorf("change %s/%s: stopped: %w", r.Namespace, r.ReleaseName, context.Cause(ctx))
	}
	return fmt.Errorf("change %s/%s: %w", r.Namespace, r.ReleaseName, err)
}

func (r Request) tell(e Event) {
	if r.Observe != nil {
		r.Observe(e)
	}
}

// oneAtATime keeps calls apart: the API server's warnings come in between.
func oneAtATime(observe func(Event)) func(Event) {
	if observe == nil {
		return nil
	}
	var mu sync.Mutex
	return func(e Event) {
		mu.Lock()
		defer mu.Unlock()
		observe(e)
	}
}
