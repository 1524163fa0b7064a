package kube

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// leaseServer is one Lease with the API server's rule for concurrent updates.
type leaseServer struct {
	mu      sync.Mutex
	lease   *coordinationv1.Lease
	version int
	down    bool
}

var leaseResource = schema.GroupResource{Resource: "leases"}

func (s *leaseServer) store(l *coordinationv1.Lease) *coordinationv1.Lease {
	s.version++
	s.lease = l.DeepCopy()
	s.lease.ResourceVersion = strconv.Itoa(s.version)
	return s.lease.DeepCopy()
}

func (s *leaseServer) Get(context.Context, string, metav1.GetOptions) (*coordinationv1.Lease, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.down:
		return nil, errors.New("connection refused")
	case s.lease == nil:
		return nil, apierrors.NewNotFound(leaseResource, LockName)
	}
	return s.lease.DeepCopy(), nil
}

func (s *leaseServer) Create(_ context.Context, l *coordinationv1.Lease, _ metav1.CreateOptions) (*coordinationv1.Lease, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lease != nil {
		return nil, apierrors.NewAlreadyExists(leaseResource, LockName)
	}
	return s.store(l), nil
}

func (s *leaseServer) Update(_ context.Context, l *coordinationv1.Lease, _ metav1.UpdateOptions) (*coordinationv1.Lease, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.down:
		return nil, errors.New("connection refused")
	case s.lease == nil:
		return nil, apierrors.NewNotFound(leaseResource, LockName)
	case s.lease.ResourceVersion != l.ResourceVersion:
		return nil, apierrors.NewConflict(leaseResource, LockName, errors.New("changed"))
	}
	return s.store(l), nil
}

func (s *leaseServer) set(down bool) { s.mu.Lock(); s.down = down; s.mu.Unlock() }

func newHeld(s *leaseServer, name string, c clock) *Held {
	if c == nil {
		c = systemClock()
	}
	return &Held{lease: s, clock: c, duration: 30 * time.Second, holder: name + " " + nonce(), done: make(chan struct{})}
}

// lock takes and keeps the lock, as Lock does.
func lock(t *testing.T, s *leaseServer, name string, c clock) (context.Context, *Held) {
	t.Helper()
	h := newHeld(s, name, c)
	if err := h.take(t.Context(), LockRequest{}); err != nil {
		t.Fatal(err)
	}
	return h.start(t.Context()), h
}

func TestALockIsKeptUntilItIsGivenBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &leaseServer{}
		ctx, h := lock(t, s, "ada", nil)
		time.Sleep(10 * time.Minute)
		if err := ctx.Err(); err != nil {
			t.Fatalf("lost: %v", context.Cause(ctx))
		}
		s.mu.Lock()
		n := s.version
		s.mu.Unlock()
		if n < 50 || n > 65 {
			t.Errorf("%d writes in ten minutes, want about one each ten seconds", n)
		}
		if h.Fence != 1 {
			t.Errorf("fence %d", h.Fence)
		}
		if err := h.Release(); err != nil {
			t.Fatal(err)
		}
		if ctx.Err() == nil || h.Check() == nil || holderOf(s.lease) != "" {
			t.Errorf("after release: ctx %v, check %v, holder %q", ctx.Err(), h.Check(), holderOf(s.lease))
		}
	})
}

func TestTheSecondWaitsForTheFirstAndIsToldWhoItIs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &leaseServer{}
		_, first := lock(t, s, "ada@one", nil)
		begun := time.Now()
		go func() { time.Sleep(5 * time.Minute); _ = first.Release() }()
		var told string
		var since time.Time
		times := 0
		second := newHeld(s, "grace@two", nil)
		if err := second.take(t.Context(), LockRequest{Waiting: func(h string, at time.Time) { told, since = h, at; times++ }}); err != nil {
			t.Fatal(err)
		}
		if waited := time.Since(begun); waited < 5*time.Minute || waited > 5*time.Minute+5*time.Second {
			t.Errorf("waited %s", waited)
		}
		if told != "ada@one" || !since.Equal(begun) || times < 25 || times > 35 {
			t.Errorf("told %d times: %q since %s", times, told, since)
		}
		if second.Fence != 2 {
			t.Errorf("fence %d", second.Fence)
		}
	})
}

func TestWaitingEndsWithItsContextAndNamesTheHolder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &leaseServer{}
		_, first := lock(t, s, "ada@one", nil)
		defer func() { _ = first.Release() }()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		err := newHeld(s, "grace", nil).take(ctx, LockRequest{})
		if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "ada@one holds it") {
			t.Errorf("got %v", err)
		}
	})
}

func TestADeadHoldersLockIsTakenOverAfterItsDuration(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &leaseServer{}
		dead := newHeld(s, "dead", nil)
		if err := dead.take(t.Context(), LockRequest{}); err != nil {
			t.Fatal(err) // and never started: as after a SIGKILL
		}
		begun := time.Now()
		h := newHeld(s, "next", nil)
		if err := h.take(t.Context(), LockRequest{}); err != nil {
			t.Fatal(err)
		}
		if d := time.Since(begun); d < 30*time.Second || d > 33*time.Second {
			t.Errorf("took %s", d)
		}
		// Long dead: no need to watch.
		time.Sleep(2 * time.Minute)
		begun = time.Now()
		if err := newHeld(s, "third", nil).take(t.Context(), LockRequest{}); err != nil || time.Since(begun) > 0 {
			t.Errorf("took %s: %v", time.Since(begun), err)
		}
	})
}

func TestALockThatCannotBeRenewedEndsBeforeAnotherMayTakeIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &leaseServer{}
		ctx, h := lock(t, s, "ada", nil)
		time.Sleep(time.Minute)
		s.set(true)
		cut := time.Now()
		<-ctx.Done()
		if d := time.Since(cut); d < 14*time.Second || d > 27*time.Second {
			t.Errorf("ended %s after the last renewal could succeed", d)
		}
		if !errors.Is(context.Cause(ctx), ErrLockLost) || !errors.Is(h.Check(), ErrLockLost) {
			t.Errorf("cause %v, check %v", context.Cause(ctx), h.Check())
		}
		s.set(false)
		if err := h.Release(); err != nil {
			t.Error(err)
		}
	})
}

func TestAShortOutageDoesNotEndTheLock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &leaseServer{}
		ctx, h := lock(t, s, "ada", nil)
		time.Sleep(time.Minute)
		s.set(true)
		time.Sleep(13 * time.Second)
		s.set(false)
		time.Sleep(time.Minute)
		if ctx.Err() != nil {
			t.Errorf("ended: %v", context.Cause(ctx))
		}
		_ = h.Release()
	})
}

func TestAStolenLockEndsAtTheNextRenewal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &leaseServer{}
		ctx, h := lock(t, s, "ada", nil)
		s.mu.Lock()
		l := s.lease.DeepCopy()
		thief := "mallory@x y"
		l.Spec.HolderIdentity = &thief
		s.store(l)
		s.mu.Unlock()
		<-ctx.Done()
		if err := context.Cause(ctx); !errors.Is(err, ErrLockLost) || !strings.Contains(err.Error(), "mallory@x") {
			t.Errorf("got %v", err)
		}
		if err := h.Release(); err != nil || holderOf(s.lease) != thief {
			t.Errorf("release: %v, holder %q", err, holderOf(s.lease))
		}
	})
}

func TestALostLockTellsWhetherAnotherHasHeldItSince(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &leaseServer{}
		ctx, h := lock(t, s, "ada", nil)
		s.set(true)
		<-ctx.Done()
		if _, err := h.Overtaken(t.Context()); err == nil {
			t.Error("no error while nobody can be asked")
		}
		s.set(false)
		if taken, err := h.Overtaken(t.Context()); taken || err != nil {
			t.Errorf("nobody came: %v, %v", taken, err)
		}
		next := newHeld(s, "next", nil)
		if err := next.take(t.Context(), LockRequest{}); err != nil {
			t.Fatal(err)
		}
		for _, when := range []string{"held", "given back"} {
			if taken, err := h.Overtaken(t.Context()); !taken || err != nil {
				t.Errorf("%s by another: %v, %v", when, taken, err)
			}
			none := ""
			s.mu.Lock()
			l := s.lease.DeepCopy()
			l.Spec.HolderIdentity = &none
			s.store(l)
			s.mu.Unlock()
		}
		_ = h.Release()
	})
}

func TestADeletedLeaseEndsTheLock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &leaseServer{}
		ctx, h := lock(t, s, "ada", nil)
		s.mu.Lock()
		s.lease = nil
		s.mu.Unlock()
		<-ctx.Done()
		if !errors.Is(context.Cause(ctx), ErrLockLost) {
			t.Errorf("got %v", context.Cause(ctx))
		}
		_ = h.Release()
	})
}

func TestTheLockOutlivesItsCallersContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &leaseServer{}
		h := newHeld(s, "ada", nil)
		if err := h.take(t.Context(), LockRequest{}); err != nil {
			t.Fatal(err)
		}
		caller, cancel := context.WithCancel(t.Context())
		ctx := h.start(caller)
		cancel()
		if ctx.Err() == nil {
			t.Error("the context did not end with the caller's")
		}
		time.Sleep(5 * time.Minute)
		if err := h.Check(); err != nil {
			t.Errorf("what was begun cannot be ended: %v", err)
		}
		_ = h.Release()
	})
}

// A clock whose two hands are set apart, as when the machine sleeps (the wall
// clock jumps) or the wall clock is set back.
func TestBothClocksMustAgreeThatTheLockIsFresh(t *testing.T) {
	for name, jump := range map[string]instant{
		"the machine slept":               {wall: time.Time{}.Add(time.Hour), mono: 0},
		"the wall clock stands":           {wall: time.Time{}, mono: time.Hour},
		"the wall clock was set back too": {wall: time.Time{}.Add(-time.Hour), mono: 26 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			now := instant{wall: time.Now()}
			h := newHeld(&leaseServer{}, "ada", func() instant { return now })
			if err := h.take(t.Context(), LockRequest{}); err != nil {
				t.Fatal(err)
			}
			if err := h.Check(); err != nil {
				t.Fatal(err)
			}
			now.wall, now.mono = now.wall.Add(jump.wall.Sub(time.Time{})), now.mono+jump.mono
			if err := h.Check(); !errors.Is(err, ErrLockLost) {
				t.Errorf("got %v", err)
			}
		})
	}
}

type recorder struct{ sent []string }

func (r *recorder) RoundTrip(q *http.Request) (*http.Response, error) {
	r.sent = append(r.sent, q.Method)
	return &http.Response{StatusCode: 200, Body: http.NoBody}, nil
}

func TestNoWriteIsSentPastTheLock(t *testing.T) {
	now := instant{wall: time.Now()}
	h := newHeld(&leaseServer{}, "ada", func() instant { return now })
	if err := h.take(t.Context(), LockRequest{}); err != nil {
		t.Fatal(err)
	}
	methods := []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"}
	rec := &recorder{}
	f := fence{next: rec, check: h.Check}
	send := func() (refused []string) {
		for _, m := range methods {
			q, err := http.NewRequestWithContext(t.Context(), m, "https://k/api", strings.NewReader("x"))
			if err != nil {
				t.Fatal(err)
			}
			resp, err := f.RoundTrip(q)
			if resp != nil {
				_ = resp.Body.Close()
			}
			var fenced *FencedError
			if errors.As(err, &fenced) && errors.Is(err, ErrLockLost) {
				refused = append(refused, m)
			} else if err != nil {
				t.Errorf("%s: %v", m, err)
			}
		}
		return refused
	}
	if r := send(); len(r) != 0 {
		t.Errorf("refused while held: %v", r)
	}
	now.wall = now.wall.Add(time.Minute)
	rec.sent = nil
	if r := send(); strings.Join(r, " ") != "POST PUT PATCH DELETE" || strings.Join(rec.sent, " ") != "GET HEAD" {
		t.Errorf("refused %v, sent %v", r, rec.sent)
	}
}

func TestHoldersAreHarmlessToPrint(t *testing.T) {
	for in, want := range map[string]string{
		"ada@laptop abc":  "ada@laptop",
		"":                "nobody",
		"a\x1b[31mb\nc d": "a[31mbc",
	} {
		if got := publicHolder(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}
