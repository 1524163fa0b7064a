package deploy

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"gauntlet/internal/deploy/helm"
	"gauntlet/internal/kube"
)

// An UnstickRequest is a Helm release that hangs.
type UnstickRequest struct {
	Client      *kube.Client
	Namespace   string
	ReleaseName string // of the Helm release

	GoOn    bool          // let the helm that hangs go on, instead of ending it
	Holder  string        // as in Request
	Timeout time.Duration // of a helm that goes on; default 10 minutes
	Observe func(Event)   // as in Request
}

// How a hanging revision came to its end.
const (
	EndedItself = "itself" // the helm that hung was alive, noticed, and noted the end
	EndedMarked = "marked" // no helm noted an end: it was marked failed
	EndedBefore = "before" // it had ended already and only hooks were left
)

// An Unstuck is what Unstick left behind.
type Unstuck struct {
	Hang    *Hang      `json:"hang"` // as it was found; null: nothing hung
	Ended   string     `json:"ended,omitempty"`
	Removed []string   `json:"removed"` // hooks that were left at work
	Runs    Afterwards `json:"runs"`
}

// Hanging says whether the newest revision of a Helm release hangs, and why: nil when
// it does not. Nothing is changed.
func Hanging(ctx context.Context, c *kube.Client, namespace, releaseName string) (*Hang, error) {
	hang, _, err := hanging(ctx, c, helm.New(c, namespace, nil), namespace, releaseName)
	return hang, err
}

// Unstick ends a revision of Helm that hangs, under the lock of the namespace: it makes
// the hook that is waited for fail, upon which a helm of either version that is alive
// notes the failure and ends; when none does, it marks the revision failed. Then it
// removes the hooks that were left and looks at what the hub runs.
//
// With GoOn it lets the helm go on instead, where WayOn says how.
func Unstick(ctx context.Context, q UnstickRequest) (Unstuck, error) {
	r := Request{Client: q.Client, Namespace: q.Namespace, ReleaseName: q.ReleaseName,
		Holder: q.Holder, Timeout: q.Timeout, Observe: oneAtATime(q.Observe)}
	if r.Timeout <= 0 {
		r.Timeout = 10 * time.Minute
	}
	if r.Holder == "" {
		r.Holder = kube.DefaultHolder()
	}
	out := Unstuck{Removed: []string{}}
	err := underLock(ctx, r, "unstick", func(locked context.Context, held *kube.Held) error {
		fenced, err := held.Client(r.Client)
		if err != nil {
			return err
		}
		u := &unstick{Request: r, client: fenced, goOn: q.GoOn, helm: helm.New(fenced, r.Namespace, nil)}
		return u.run(locked, &out)
	})
	return out, err
}

type unstick struct {
	Request
	client *kube.Client // fenced
	helm   *helm.Helm
	goOn   bool
}

func (u *unstick) run(ctx context.Context, out *Unstuck) error {
	hang, _, err := hanging(ctx, u.client, u.helm, u.Namespace, u.ReleaseName)
	if err != nil {
		return err
	}
	if out.Hang = hang; hang != nil {
		if out.Ended, err = u.end(ctx, hang); err != nil {
			return err
		}
		if out.Removed, err = u.sweep(ctx, hang.Revision); err != nil {
			return err
		}
	}
	out.Runs, err = u.runs(ctx)
	return err
}

// end brings the revision to its end.
func (u *unstick) end(ctx context.Context, hang *Hang) (string, error) {
	if !hang.Pending() {
		return EndedBefore, nil
	}
	if u.goOn {
		if _, why := WayOn(hang); why != "" {
			return "", errors.New(why)
		}
	}
	switch {
	case hang.Gauntlet: // under the lock no run of it is alive
	case hang.Hook.stoppable():
		if err := u.release(ctx, hang); err != nil {
			return "", err
		}
		ended, err := u.await(ctx, hang)
		if err != nil || ended {
			return EndedItself, err
		}
		if u.goOn {
			return "", fmt.Errorf("no helm goes on with revision %d: end it, without --go-on", hang.Revision)
		}
	default:
		ended, err := u.still(ctx, hang)
		if err != nil || ended {
			return EndedItself, err
		}
	}
	history, err := u.helm.History(u.ReleaseName)
	if err != nil {
		return "", err
	}
	if history[0].Revision != hang.Revision || !history[0].Pending() {
		return EndedItself, nil
	}
	why := fmt.Sprintf("unstuck: helm ended or hung during %s; marked failed by %s", hang.Status, u.Holder)
	if err := u.helm.MarkFailed(history[0], why); err != nil {
		return "", err
	}
	u.tell(Event{Step: "unstick", Message: fmt.Sprintf("revision %d is marked failed", hang.Revision)})
	return EndedMarked, nil
}

// still looks whether a helm is at work that nothing could make end: one that writes is
// not stuck. It says whether the revision has ended meanwhile.
func (u *unstick) still(ctx context.Context, hang *Hang) (bool, error) {
	u.tell(Event{Step: "unstick", Message: fmt.Sprintf("looking for %s whether a helm is at work", noticing)})
	for end := time.Now().Add(noticing); time.Now().Before(end); {
		records, err := readRecords(ctx, u.client, u.Namespace, u.ReleaseName)
		if err != nil {
			return false, fmt.Errorf("read the records of Helm release %s/%s: %w", u.Namespace, u.ReleaseName, err)
		}
		for _, r := range records {
			switch n := revisionOf(r); {
			case n > hang.Revision, n == hang.Revision && !(helm.Record{Status: r.Labels["status"]}).Pending():
				return true, nil
			case n == hang.Revision && r.ResourceVersion != hang.version:
				return false, fmt.Errorf("revision %d does not hang: a helm is at work and has just written its record; look again if it does not end", hang.Revision)
			}
		}
		if err := kube.Sleep(ctx, time.Second); err != nil {
			return false, err
		}
	}
	return false, nil
}

// How long a helm that is alive may take.
const (
	ending   = time.Minute      // until its hook has ended: pods have half a minute for that
	noticing = 15 * time.Second // to note what became of its hook
)

// await waits until a helm that is alive has noted the revision's end. One that does
// nothing for a while after its hook has ended is taken for dead. One that goes on
// removes its hooks, and writes nothing until all that it has applied is up.
func (u *unstick) await(ctx context.Context, hang *Hang) (bool, error) {
	began, told := time.Now(), time.Time{}
	var over time.Time // when the hook was seen to have ended
	alive := false
	for {
		records, err := readRecords(ctx, u.client, u.Namespace, u.ReleaseName)
		for _, r := range records {
			switch n := revisionOf(r); {
			case n > hang.Revision, n == hang.Revision && !(helm.Record{Status: r.Labels["status"]}).Pending():
				return true, nil
			case n == hang.Revision && r.ResourceVersion != hang.version:
				alive = true
			}
		}
		if over.IsZero() && u.hookOver(ctx, hang.Hook.object) {
			over = time.Now()
		}
		if u.goOn && !alive {
			alive = u.hooksGo(hang)
		}
		waited := time.Since(began)
		switch {
		case u.goOn && alive:
			if waited > u.Timeout {
				return false, fmt.Errorf("the helm of revision %d is at work and has not ended in %s: it is left to it", hang.Revision, u.Timeout)
			}
		case !over.IsZero() && time.Since(over) > noticing, waited > ending+noticing:
			return false, nil
		}
		text := fmt.Sprintf("waiting for a helm that may be alive to note the end of revision %d", hang.Revision)
		if err != nil {
			text += "; the cluster cannot be asked: " + kube.OneLine(err.Error())
		}
		if alive {
			text = fmt.Sprintf("the helm of revision %d is alive and goes on", hang.Revision)
		}
		if time.Since(told) > tellEvery {
			u.tell(Event{Step: "unstick", Since: began, Message: text})
			told = time.Now()
		}
		if err := kube.Sleep(ctx, time.Second); err != nil {
			return false, err
		}
	}
}

// tellEvery is how often a wait is told of.
const tellEvery = 5 * time.Second

// hooksGo says whether somebody removes the hooks that were left; the one that was
// released is gone anyway.
func (u *unstick) hooksGo(hang *Hang) bool {
	history, err := u.helm.History(u.ReleaseName)
	if err != nil || len(history) == 0 || len(hang.Leftovers) < 2 {
		return false
	}
	left, err := u.helm.HooksLeft(history[0])
	return err == nil && len(left) < len(hang.Leftovers)-1
}

// hookOver says whether a hook's Job or Pod has ended or is gone.
func (u *unstick) hookOver(ctx context.Context, o helm.Object) bool {
	if o.Kind == "Job" {
		j, err := u.client.BatchV1().Jobs(o.Namespace).Get(ctx, o.Name, metav1.GetOptions{})
		if err != nil {
			return apierrors.IsNotFound(err)
		}
		done, _, failed := jobStatus(j)
		return done || failed != ""
	}
	p, err := u.client.CoreV1().Pods(o.Namespace).Get(ctx, o.Name, metav1.GetOptions{})
	if err != nil {
		return apierrors.IsNotFound(err)
	}
	return p.Status.Phase == corev1.PodSucceeded || p.Status.Phase == corev1.PodFailed
}

var errLate = errors.New("it took too long")

// sweep removes the hooks that were left, and waits until their pods are gone too.
func (u *unstick) sweep(ctx context.Context, revision int) ([]string, error) {
	removed := []string{}
	history, err := u.helm.History(u.ReleaseName)
	if err != nil || len(history) == 0 {
		return removed, err
	}
	newest := history[0]
	if newest.Revision != revision || newest.Status != helm.Failed {
		return removed, nil // it is not for us to clean after what goes on
	}
	view, err := u.client.View(ctx, u.Namespace)
	if err != nil {
		return removed, err
	}
	defer view.Close()
	before := view.Snapshot()
	gone, err := u.helm.RemoveHooks(newest)
	if err != nil {
		return removed, err
	}
	pods := map[types.UID]bool{}
	for _, o := range gone {
		removed = append(removed, o.String())
		for _, p := range podsOf(before, o) {
			pods[p.UID] = true
		}
	}
	if len(removed) == 0 {
		return removed, nil
	}
	u.tell(Event{Step: "unstick", Message: "removed " + strings.Join(removed, ", ")})
	late := time.After(ending)
	for slices.ContainsFunc(view.Snapshot().Pods, func(p *corev1.Pod) bool { return pods[p.UID] }) {
		select {
		case <-view.Changed():
		case <-ctx.Done():
			return removed, context.Cause(ctx)
		case <-late:
			u.tell(Event{Step: "unstick", Message: fmt.Sprintf("pods of the removed hooks have not ended in %s: their nodes may be dead", ending)})
			return removed, nil
		}
	}
	return removed, nil
}
