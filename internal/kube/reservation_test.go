package kube

import (
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"k8s.io/client-go/kubernetes/fake"
)

func TestAReservationIsItsHoldersUntilItsEnd(t *testing.T) {
	ctx, c := t.Context(), &Client{Context: "here", Interface: fake.NewClientset()}
	now := time.Date(2026, 11, 27, 9, 0, 0, 0, time.UTC)
	take := func(who string, at time.Time, lasts time.Duration) error {
		_, err := Reserve(ctx, c, "testing", Reserved, Reservation{Holder: who, Why: "a new chart", Until: at.Add(lasts)}, at)
		return err
	}
	if r, err := ReadReservation(ctx, c, "testing", Reserved, now); r != nil || err != nil {
		t.Fatalf("%+v, %v", r, err)
	}
	if err := take("ada", now, 48*time.Hour); err != nil {
		t.Fatal(err)
	}
	var by *ReservedError
	if err := take("linus", now.Add(time.Hour), time.Hour); !errors.As(err, &by) || by.By.Holder != "ada" || !strings.Contains(err.Error(), "a new chart") {
		t.Errorf("another took it: %v", err)
	}
	if err := EndReservation(ctx, c, "testing", Reserved, "linus", now); !errors.As(err, &by) {
		t.Errorf("another gave it back: %v", err)
	}
	// Extended, it is held since when it was taken.
	if err := take("ada", now.Add(24*time.Hour), 72*time.Hour); err != nil {
		t.Fatal(err)
	}
	r, err := ReadReservation(ctx, c, "testing", Reserved, now.Add(25*time.Hour))
	if err != nil || r == nil || !r.Since.Equal(now) || !r.Until.Equal(now.Add(96*time.Hour)) {
		t.Errorf("%+v, %v", r, err)
	}
	// Its end gives it to whoever asks.
	if err := take("linus", now.Add(96*time.Hour), time.Hour); err != nil {
		t.Error(err)
	}
	if err := EndReservation(ctx, c, "testing", Reserved, "linus", now.Add(96*time.Hour)); err != nil {
		t.Error(err)
	}
	if r, err := ReadReservation(ctx, c, "testing", Reserved, now.Add(96*time.Hour)); r != nil || err != nil {
		t.Errorf("given back: %+v, %v", r, err)
	}
	if err := take("ada", now, -time.Hour); err == nil {
		t.Error("one that is over was taken")
	}
}

func TestOfManyWhoAskAtOnceOneGetsTheHub(t *testing.T) {
	ctx, c := t.Context(), &Client{Context: "here", Interface: fake.NewClientset()}
	now := time.Now()
	var got atomic.Int32
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			_, err := Reserve(ctx, c, "testing", InUse, Reservation{Holder: string(rune('a' + i)), Until: now.Add(time.Minute)}, now)
			var by *ReservedError
			switch {
			case err == nil:
				got.Add(1)
			case !errors.As(err, &by):
				t.Error(err)
			}
		})
	}
	all.Wait()
	if got.Load() != 1 {
		t.Errorf("%d got it", got.Load())
	}
}
