package kube

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// LockName is the Lease that says who changes a namespace.
const LockName = "gauntlet"

// ErrLockLost ends the context of a lock that could not be kept: another may hold
// it now.
var ErrLockLost = errors.New("the lock of the namespace could not be kept")

// A LockRequest asks for the lock of a namespace.
type LockRequest struct {
	Namespace string
	Holder    string        // who asks, for others to read: "ada@laptop"
	Duration  time.Duration // a holder that is silent for so long is taken for dead; default 30 s
	// Waiting is told who holds the lock and since when, by the holder's clock: at
	// once, when that changes, and every ten seconds. It may be nil.
	Waiting func(holder string, since time.Time)

	clock clock // for tests
}

// Held is a lock that is held: until Release, or until its context ends.
type Held struct {
	Fence int32 // the Lease's leaseTransitions: grows with every holder

	lease    leaseClient
	clock    clock
	duration time.Duration
	holder   string
	current  *coordinationv1.Lease   // owned by keep
	cancel   context.CancelCauseFunc // ends the caller's context
	stop     context.CancelFunc      // ends keep
	done     chan struct{}           // closed when keep has ended

	mu      sync.Mutex
	renewed instant // when the last renewal that succeeded was *begun*
	ended   error   // why the lock is not held any more
}

type leaseClient interface {
	Get(context.Context, string, metav1.GetOptions) (*coordinationv1.Lease, error)
	Create(context.Context, *coordinationv1.Lease, metav1.CreateOptions) (*coordinationv1.Lease, error)
	Update(context.Context, *coordinationv1.Lease, metav1.UpdateOptions) (*coordinationv1.Lease, error)
}

// Lock takes the lock of a namespace (a Lease named "gauntlet"), which it makes
// when it does not exist. It waits for another holder until ctx ends, and takes
// over from one that has been silent for the lease's duration.
//
// The lock is renewed every third of its duration. The context it returns ends,
// with ErrLockLost as its cause, before another could take the lock over, by the
// wall clock and by the monotonic one: a machine that slept does not trust its
// lock. Send changes through Held.Client: a context alone does not stop a library
// that ignores it.
//
// The lock keeps other runs of gauntlet out, nobody else: plain helm or kubectl
// does not ask for it.
func Lock(ctx context.Context, c *Client, r LockRequest) (context.Context, *Held, error) {
	if r.Duration <= 0 {
		r.Duration = 30 * time.Second
	}
	if r.clock == nil {
		r.clock = systemClock()
	}
	if err := c.EnsureNamespace(ctx, r.Namespace); err != nil {
		return nil, nil, err
	}
	leases := c.CoordinationV1().Leases(r.Namespace)
	h := &Held{lease: leases, clock: r.clock, duration: r.Duration, holder: r.Holder + " " + nonce(), done: make(chan struct{})}
	if err := h.take(ctx, r); err != nil {
		return nil, nil, fmt.Errorf("lock namespace %s of cluster %s: %w", r.Namespace, c.Context, err)
	}
	locked := h.start(ctx)
	return locked, h, nil
}

// start begins to renew the lock and makes the context that ends with it.
func (h *Held) start(ctx context.Context) context.Context {
	locked, cancel := context.WithCancelCause(ctx)
	life, stop := context.WithCancel(context.WithoutCancel(ctx))
	h.cancel, h.stop = cancel, stop
	go h.keep(life)
	return locked
}

// tellEvery is how often a wait for the lock is told of when nothing changes.
const tellEvery = 10 * time.Second

// take tries for the lease until it has it or ctx ends.
func (h *Held) take(ctx context.Context, r LockRequest) error {
	var seen string // resource version of the lease while another holds it
	var seenAt instant
	var told string // holder
	var toldAt instant
	for {
		begun := h.clock()
		lease, err := h.lease.Get(ctx, LockName, metav1.GetOptions{})
		switch {
		case apierrors.IsNotFound(err):
			lease, err = h.lease.Create(ctx, h.write(&coordinationv1.Lease{
				ObjectMeta: metav1.ObjectMeta{Name: LockName, Namespace: r.Namespace, Labels: managed()},
			}, begun.wall, true), metav1.CreateOptions{})
		case err != nil:
		default:
			if lease.ResourceVersion != seen {
				seen, seenAt = lease.ResourceVersion, begun
			}
			if holder := holderOf(lease); holder != "" && !silent(lease, seenAt, begun) {
				if r.Waiting != nil && (holder != told || begun.mono-toldAt.mono >= tellEvery) {
					r.Waiting(publicHolder(holder), acquiredAt(lease))
					told, toldAt = holder, begun
				}
				if err := Sleep(ctx, time.Second); err != nil {
					return fmt.Errorf("%s holds it since %s: %w", publicHolder(holder), acquiredAt(lease).Format(time.RFC3339), err)
				}
				continue
			}
			lease, err = h.lease.Update(ctx, h.write(lease, begun.wall, true), metav1.UpdateOptions{})
		}
		if apierrors.IsConflict(err) || apierrors.IsAlreadyExists(err) {
			continue // another was faster: look again
		}
		if err != nil {
			return err
		}
		h.current, h.renewed, h.Fence = lease, begun, transitions(lease)
		return nil
	}
}

// silent says whether the lease's holder can be taken for dead: it has not renewed
// for the lease's duration while we watched, so that no two clocks are compared;
// or its own time of renewal is so long past that no skew of clocks explains it.
func silent(l *coordinationv1.Lease, seenAt, now instant) bool {
	const skew = time.Minute
	d := 30 * time.Second
	if s := l.Spec.LeaseDurationSeconds; s != nil {
		d = time.Duration(*s) * time.Second
	}
	// Only the monotonic clock counts here: a wall clock set forward must not end
	// the lock of one who renews it.
	if now.mono-seenAt.mono > d {
		return true
	}
	return l.Spec.RenewTime == nil || now.wall.Sub(l.Spec.RenewTime.Time) > d+skew
}

// write is the lease as this holder writes it at a time.
func (h *Held) write(l *coordinationv1.Lease, at time.Time, taking bool) *coordinationv1.Lease {
	l = l.DeepCopy()
	t, secs := metav1.NewMicroTime(at), int32(h.duration/time.Second)
	if taking {
		n := transitions(l) + 1
		l.Spec.AcquireTime, l.Spec.LeaseTransitions = &t, &n
	}
	l.Spec.HolderIdentity, l.Spec.RenewTime, l.Spec.LeaseDurationSeconds = &h.holder, &t, &secs
	return l
}

// keep renews the lease until the lock ends, and ends it when it cannot.
func (h *Held) keep(ctx context.Context) {
	defer close(h.done)
	for {
		// A tick much shorter than the renewals notices soon that the machine slept.
		if err := Sleep(ctx, h.duration/30); err != nil {
			return
		}
		if err := h.Check(); err != nil {
			h.end(err)
			return
		}
		h.mu.Lock()
		due := h.clock().since(h.renewed) >= h.duration/3
		h.mu.Unlock()
		if !due {
			continue
		}
		begun := h.clock()
		bounded, cancel := context.WithTimeout(ctx, h.duration/6)
		lease, err := h.lease.Update(bounded, h.write(h.current, begun.wall, false), metav1.UpdateOptions{})
		cancel()
		switch {
		case err == nil:
			h.mu.Lock()
			h.current, h.renewed = lease, begun
			h.mu.Unlock()
		case apierrors.IsConflict(err):
			// Ours may be the change: an update whose answer was lost. Look.
			if now, gerr := h.lease.Get(ctx, LockName, metav1.GetOptions{}); gerr == nil {
				if holderOf(now) != h.holder {
					h.end(fmt.Errorf("%w: %s has taken it", ErrLockLost, publicHolder(holderOf(now))))
					return
				}
				h.current = now
			}
		case apierrors.IsNotFound(err):
			h.end(fmt.Errorf("%w: its Lease was deleted", ErrLockLost))
			return
		}
		// Any other failure is tried again until Check says that it is too late.
	}
}

// Check says whether a change may still be sent under the lock: nil, or why not.
// The lock is given up a sixth of its duration before it goes stale.
func (h *Held) Check() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.ended != nil {
		return h.ended
	}
	if e := h.clock().since(h.renewed); e > h.duration-h.duration/6 {
		return fmt.Errorf("%w: not renewed for %s", ErrLockLost, e.Round(time.Second))
	}
	return nil
}

// Overtaken says, of a lock that was lost, whether another has held it since.
func (h *Held) Overtaken(ctx context.Context) (bool, error) {
	lease, err := h.lease.Get(ctx, LockName, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return true, nil // whoever removed it may have held it
	case err != nil:
		return false, fmt.Errorf("look who holds the lock: %w", err)
	}
	return transitions(lease) != h.Fence || holderOf(lease) != h.holder, nil
}

func (h *Held) end(why error) {
	h.mu.Lock()
	if h.ended == nil {
		h.ended = why
	}
	h.mu.Unlock()
	h.cancel(why)
	h.stop()
}

// Release gives the lock back. Afterwards nothing is sent through clients made by
// Client. A lock that was lost is left to its new holder.
func (h *Held) Release() error {
	h.end(errors.New("the lock was given back"))
	<-h.done
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	lease, err := h.lease.Get(ctx, LockName, metav1.GetOptions{})
	if err != nil {
		return fmt.Errorf("give the lock back: %w", err)
	}
	if holderOf(lease) != h.holder {
		return nil
	}
	none := ""
	lease.Spec.HolderIdentity = &none
	if _, err := h.lease.Update(ctx, lease, metav1.UpdateOptions{}); err != nil && !apierrors.IsConflict(err) {
		return fmt.Errorf("give the lock back: %w", err)
	}
	return nil
}
