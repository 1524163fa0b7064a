package pipeline

import (
	"context"
	"errors"
	"testing"
	"time"
)

// Only what takes long is told.
func TestALongWaitIsTold(t *testing.T) {
	told := make(chan Event, 2)
	w := &Workspace{opts: Options{Now: time.Now, Observe: func(e Event) { told <- e }}}
	over := w.waiting("hubs", "", "asking")
	over()
	defer w.waiting("ledger", "", "reading")()
	if e := <-told; e.Step != "ledger" || e.State != Progress || e.Text != "reading" {
		t.Errorf("told %+v", e)
	}
}

func TestTheCauseOfAnEndIsNamed(t *testing.T) {
	ctx, cancel := bounded(t.Context(), time.Nanosecond)
	defer cancel()
	<-ctx.Done()
	if err := because(ctx, context.DeadlineExceeded); err == nil || err.Error() != "no answer in 1ns" {
		t.Errorf("got %v", err)
	}
	if err := because(ctx, nil); err != nil {
		t.Errorf("got %v for what went well", err)
	}
	refused := errors.New("refused")
	if err := because(t.Context(), refused); !errors.Is(err, refused) {
		t.Errorf("got %v", err)
	}
}
