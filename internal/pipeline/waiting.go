package pipeline

import (
	"context"
	"fmt"
	"time"
)

// patience is how long something may take before it is told.
const patience = 2 * time.Second

// waiting tells what is being waited for, if that takes long. The caller calls what
// it returns when the wait is over.
func (w *Workspace) waiting(step, hub, text string) (over func()) {
	t := time.AfterFunc(patience, func() { w.tell(step, hub, Progress, "", text) })
	return func() { t.Stop() }
}

// bounded gives a context that ends after some time, with a cause for people.
func bounded(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, d, fmt.Errorf("no answer in %s", d))
}

// because puts the cause of a context's end in place of the error it led to.
func because(ctx context.Context, err error) error {
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}
