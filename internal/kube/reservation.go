package kube

import (
	"context"
	"fmt"
	"math"
	"strings"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Leases of a test hub's namespace. Format: docs/formats.md.
const (
	Reserved = "gauntlet-reserved" // a person tries something there, for hours or days
	InUse    = "gauntlet-in-use"   // a run takes a release over it, and renews this
)

// whyKey is the annotation that says what a hub is reserved for.
const whyKey = "gauntlet/why"

// A Reservation keeps a test hub for somebody.
type Reservation struct {
	Holder string    `json:"holder"` // a person of the policy, or a run
	Why    string    `json:"why,omitempty"`
	Since  time.Time `json:"since"`
	Until  time.Time `json:"until"`
}

// Who is whose it is, for people: a run's holder ends with an id of its own.
func (r Reservation) Who() string {
	if strings.Contains(r.Holder, " ") {
		return "a run of " + publicHolder(r.Holder)
	}
	return publicHolder(r.Holder)
}

// When is since and until when, and what for.
func (r Reservation) When() string {
	const form = "2 Jan 15:04"
	s := fmt.Sprintf("since %s until %s", r.Since.Local().Format(form), r.Until.Local().Format(form))
	if r.Why != "" {
		s += " (" + OneLine(r.Why) + ")"
	}
	return s
}

// A ReservedError says that somebody else has the hub.
type ReservedError struct {
	Namespace string
	By        Reservation
}

func (e *ReservedError) Error() string {
	return fmt.Sprintf("namespace %s is kept for %s %s", e.Namespace, publicHolder(e.By.Holder), e.By.When())
}

// ReadReservation reads one of the leases of a namespace; nil when nobody has it, or had
// it until before now.
func ReadReservation(ctx context.Context, c *Client, namespace, lease string, now time.Time) (*Reservation, error) {
	l, err := c.CoordinationV1().Leases(namespace).Get(ctx, lease, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read for whom namespace %s of cluster %s is kept: %w", namespace, c.Context, err)
	}
	return reservationOf(l, now), nil
}

func reservationOf(l *coordinationv1.Lease, now time.Time) *Reservation {
	s := l.Spec
	if holderOf(l) == "" || s.LeaseDurationSeconds == nil || s.RenewTime == nil {
		return nil
	}
	r := &Reservation{
		Holder: holderOf(l), Why: l.Annotations[whyKey], Since: acquiredAt(l),
		Until: s.RenewTime.Add(time.Duration(*s.LeaseDurationSeconds) * time.Second),
	}
	if !r.Until.After(now) {
		return nil
	}
	return r
}

// Reserve takes or extends a reservation until r.Until. Its holder keeps it since when it
// was taken. The error is a *ReservedError when another has it.
func Reserve(ctx context.Context, c *Client, namespace, lease string, r Reservation, now time.Time) (Reservation, error) {
	for {
		took, err := reserve(ctx, c, namespace, lease, r, now)
		if !apierrors.IsConflict(err) && !apierrors.IsAlreadyExists(err) {
			return took, err
		}
		// Another wrote it just now: look who.
		if err := Sleep(ctx, 50*time.Millisecond); err != nil {
			return r, err
		}
	}
}

func reserve(ctx context.Context, c *Client, namespace, lease string, r Reservation, now time.Time) (Reservation, error) {
	seconds := int32(min(math.Ceil(r.Until.Sub(now).Seconds()), math.MaxInt32))
	if seconds <= 0 {
		return r, fmt.Errorf("a reservation must end later than now")
	}
	leases := c.CoordinationV1().Leases(namespace)
	old, err := leases.Get(ctx, lease, metav1.GetOptions{})
	missing := apierrors.IsNotFound(err)
	if err != nil && !missing {
		return r, fmt.Errorf("read for whom namespace %s of cluster %s is kept: %w", namespace, c.Context, err)
	}
	next := &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: lease, Labels: map[string]string{ManagedByLabel: ManagedBy}}}
	r.Since = now
	if !missing {
		next = old.DeepCopy()
		if by := reservationOf(old, now); by != nil {
			if by.Holder != r.Holder {
				return r, &ReservedError{Namespace: namespace, By: *by}
			}
			r.Since = by.Since
		}
	}
	at, since := metav1.NewMicroTime(now), metav1.NewMicroTime(r.Since)
	next.Spec.HolderIdentity, next.Spec.LeaseDurationSeconds = &r.Holder, &seconds
	next.Spec.RenewTime, next.Spec.AcquireTime = &at, &since
	next.Annotations = map[string]string{whyKey: r.Why}
	if missing {
		_, err = leases.Create(ctx, next, metav1.CreateOptions{})
	} else {
		_, err = leases.Update(ctx, next, metav1.UpdateOptions{})
	}
	if err != nil && !apierrors.IsConflict(err) && !apierrors.IsAlreadyExists(err) {
		err = fmt.Errorf("keep namespace %s of cluster %s for %s: %w", namespace, c.Context, r.Holder, err)
	}
	return r, err
}

// EndReservation gives a hub back; one that nobody has is no error. The error is a
// *ReservedError when another has it.
func EndReservation(ctx context.Context, c *Client, namespace, lease, holder string, now time.Time) error {
	leases := c.CoordinationV1().Leases(namespace)
	old, err := leases.Get(ctx, lease, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read for whom namespace %s of cluster %s is kept: %w", namespace, c.Context, err)
	}
	if by := reservationOf(old, now); by != nil && by.Holder != holder {
		return &ReservedError{Namespace: namespace, By: *by}
	}
	at := metav1.Preconditions{UID: &old.UID, ResourceVersion: &old.ResourceVersion}
	err = leases.Delete(ctx, lease, metav1.DeleteOptions{Preconditions: &at})
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("give namespace %s of cluster %s back: %w", namespace, c.Context, err)
	}
	return nil
}
