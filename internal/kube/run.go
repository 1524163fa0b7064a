package kube

import (
	"context"
	"fmt"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// A run that works renews a Lease named after it, so that others can tell its
// pods from those of a run that was killed.
const (
	beatEvery = 4 * time.Second
	beatLost  = 15 * time.Second // not renewed for so long: the run is dead
)

// heart keeps a run's Lease alive until stopped.
type heart struct {
	cancel context.CancelFunc
	done   chan struct{}
}

// startHeart creates the run's Lease and renews it. A renewal that fails is tried
// again at the next beat: no harm comes to the run unless another run starts and
// sees no beat for beatLost.
func (w *Workbench) startHeart(ctx context.Context) error {
	leases := w.Client.CoordinationV1().Leases(w.Namespace)
	life := int32(beatLost / time.Second)
	lease := &coordinationv1.Lease{
		ObjectMeta: metav1.ObjectMeta{Name: w.leaseName(), Labels: map[string]string{ManagedByLabel: ManagedBy, RunLabel: w.Run}},
		Spec:       coordinationv1.LeaseSpec{LeaseDurationSeconds: &life, RenewTime: &metav1.MicroTime{Time: time.Now()}},
	}
	_, err := leases.Create(ctx, lease, metav1.CreateOptions{})
	if err != nil && !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("note in namespace %s that run %s works: %w", w.Namespace, w.Run, err)
	}
	beating, cancel := context.WithCancel(context.WithoutCancel(ctx))
	h := &heart{cancel: cancel, done: make(chan struct{})}
	w.heart = h
	go func() {
		defer close(h.done)
		t := time.NewTicker(beatEvery)
		defer t.Stop()
		for {
			select {
			case <-beating.Done():
				return
			case <-t.C:
			}
			once, stop := context.WithTimeout(beating, beatEvery)
			if l, err := leases.Get(once, w.leaseName(), metav1.GetOptions{}); err == nil {
				l.Spec.RenewTime = &metav1.MicroTime{Time: time.Now()}
				_, _ = leases.Update(once, l, metav1.UpdateOptions{})
			}
			stop()
		}
	}()
	return nil
}

// stopHeart ends the renewals and removes the Lease.
func (w *Workbench) stopHeart(ctx context.Context) error {
	if w.heart == nil {
		return nil
	}
	w.heart.cancel()
	<-w.heart.done
	w.heart = nil
	return w.dropLease(ctx, w.leaseName())
}

func (w *Workbench) leaseName() string { return "gauntlet-run-" + w.Run }

func (w *Workbench) dropLease(ctx context.Context, name string) error {
	err := w.Client.CoordinationV1().Leases(w.Namespace).Delete(ctx, name, metav1.DeleteOptions{})
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("remove lease %s of namespace %s: %w", name, w.Namespace, err)
	}
	return nil
}

// beats are the other runs' Leases as they were when looked at, by run.
type beats struct {
	at   time.Time
	runs map[string]beat
}

type beat struct {
	lease   string
	renewed time.Time
}

func (w *Workbench) beats(ctx context.Context) (beats, error) {
	b := beats{at: time.Now(), runs: map[string]beat{}}
	list, err := w.Client.CoordinationV1().Leases(w.Namespace).List(ctx, metav1.ListOptions{LabelSelector: ManagedByLabel + "=" + ManagedBy + "," + RunLabel})
	if err != nil {
		return b, fmt.Errorf("list the runs in namespace %s: %w", w.Namespace, err)
	}
	for _, l := range list.Items {
		if run := l.Labels[RunLabel]; run != w.Run {
			it := beat{lease: l.Name}
			if l.Spec.RenewTime != nil {
				it.renewed = l.Spec.RenewTime.UTC()
			}
			b.runs[run] = it
		}
	}
	return b, nil
}

// silent says whether some run has not moved between two looks, though it is too
// early to call it dead. Looks closer together than two beats say nothing: then
// every run counts as silent.
func (now beats) silent(before beats) bool {
	for run, b := range now.runs {
		if old, seen := before.runs[run]; seen && old == b && !now.dead(run, before) {
			return true
		}
	}
	return false
}

// dead says whether a run has no Lease, or one that did not move between two
// looks at least beatLost apart. No clock but ours is asked.
func (now beats) dead(run string, before beats) bool {
	b, beating := now.runs[run]
	if !beating {
		return true
	}
	old, seen := before.runs[run]
	return seen && old == b && now.at.Sub(before.at) >= beatLost
}
