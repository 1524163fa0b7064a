package kube

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// A run that works renews a Lease named after it, so that others can tell its
// objects from those of a run that was killed.
const (
	beatEvery = 4 * time.Second
	beatLost  = 15 * time.Second // not renewed for so long: the run is dead
)

// A Run is one run that makes objects in a namespace. It gives a sign of life there
// from Begin to End, and knows the other runs that do.
type Run struct {
	ID string // value of RunLabel

	client    *Client
	namespace string
	heart     *heart
	before    beats // the other runs when it first looked
}

// NewRun names a run; nothing is sent.
func NewRun(c *Client, namespace string) *Run {
	return &Run{ID: strings.ToLower(rand.Text()[:12]), client: c, namespace: namespace}
}

// Labels are those of the objects that the run makes.
func (r *Run) Labels() map[string]string {
	return map[string]string{ManagedByLabel: ManagedBy, RunLabel: r.ID}
}

// heart keeps a run's Lease alive until stopped.
type heart struct {
	cancel context.CancelFunc
	done   chan struct{}
}

// Begin creates the run's Lease and renews it. A renewal that fails is tried again
// at the next beat: no harm comes to the run unless another run starts and sees no
// beat for beatLost.
func (r *Run) Begin(ctx context.Context) error {
	leases := r.client.CoordinationV1().Leases(r.namespace)
	life := int32(beatLost / time.Second)
	lease := &coordinationv1.Lease{
		ObjectMeta: metav1.ObjectMeta{Name: r.leaseName(), Labels: r.Labels()},
		Spec:       coordinationv1.LeaseSpec{LeaseDurationSeconds: &life, RenewTime: &metav1.MicroTime{Time: time.Now()}},
	}
	_, err := leases.Create(ctx, lease, metav1.CreateOptions{})
	if err != nil && !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("note in namespace %s that run %s works: %w", r.namespace, r.ID, err)
	}
	beating, cancel := context.WithCancel(context.WithoutCancel(ctx))
	h := &heart{cancel: cancel, done: make(chan struct{})}
	r.heart = h
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
			if l, err := leases.Get(once, r.leaseName(), metav1.GetOptions{}); err == nil {
				l.Spec.RenewTime = &metav1.MicroTime{Time: time.Now()}
				_, _ = leases.Update(once, l, metav1.UpdateOptions{})
			}
			stop()
		}
	}()
	return nil
}

// End ends the renewals and removes the Lease.
func (r *Run) End(ctx context.Context) error {
	if r.heart == nil {
		return nil
	}
	r.heart.cancel()
	<-r.heart.done
	r.heart = nil
	return r.dropLease(ctx, r.leaseName())
}

func (r *Run) leaseName() string { return "gauntlet-run-" + r.ID }

func (r *Run) dropLease(ctx context.Context, name string) error {
	err := r.client.CoordinationV1().Leases(r.namespace).Delete(ctx, name, metav1.DeleteOptions{})
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("remove lease %s of namespace %s: %w", name, r.namespace, err)
	}
	return nil
}

// Others are the other runs in the namespace as one look found them.
type Others struct {
	now, before beats
}

// Dead says whether a run gives no sign of life: its objects may be removed. The
// objects must have been listed before Others was asked for: a run is there before
// its first object, so that an object whose run is not seen after it has none.
func (o Others) Dead(run string) bool { return o.now.dead(run, o.before) }

// Silent says whether some run may still turn out to be dead.
func (o Others) Silent() bool { return o.now.silent(o.before) }

// Others looks for the signs of life of other runs.
func (r *Run) Others(ctx context.Context) (Others, error) {
	now, err := r.beats(ctx)
	if err != nil {
		return Others{}, err
	}
	if r.before.runs == nil {
		r.before = now
	}
	return Others{now: now, before: r.before}, nil
}

// Forget removes the Leases of dead runs, whose objects are gone.
func (r *Run) Forget(ctx context.Context, o Others) error {
	var err error
	for run, b := range o.now.runs {
		if o.Dead(run) {
			err = errors.Join(err, r.dropLease(ctx, b.lease))
		}
	}
	return err
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

func (r *Run) beats(ctx context.Context) (beats, error) {
	b := beats{at: time.Now(), runs: map[string]beat{}}
	list, err := r.client.CoordinationV1().Leases(r.namespace).List(ctx, metav1.ListOptions{LabelSelector: ManagedByLabel + "=" + ManagedBy + "," + RunLabel})
	if err != nil {
		return b, fmt.Errorf("list the runs in namespace %s: %w", r.namespace, err)
	}
	for _, l := range list.Items {
		if run := l.Labels[RunLabel]; run != r.ID {
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
