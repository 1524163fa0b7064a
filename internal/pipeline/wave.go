package pipeline

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"

	"gauntlet/internal/config"
	"gauntlet/internal/release"
)

// enter brings a release into a tier, wave after wave: each hub is judged, deployed and
// checked before the next wave begins.
func (w *Workspace) enter(ctx context.Context, id release.Digest, tier config.Tier, o DeployOptions) error {
	if shared(tier) {
		return w.enterAny(ctx, id, tier, o)
	}
	for _, wave := range tier.Plan(w.hubNames(tier.Name)) {
		if len(wave) > 1 {
			w.tell("wave", "", Started, "", tier.Name+": "+strings.Join(wave, ", "))
		}
		err := sideBySide(wave, tier.MaxParallel, func(hub string) error {
			_, err := w.Deploy(ctx, id.Hex(), hub, o)
			if err != nil && len(wave) > 1 && ctx.Err() == nil {
				w.tell("wave", hub, Failed, "", err.Error())
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// sideBySide does something to hubs, at most so many at a time (0: all of them), in their
// order. After a failure nothing more is begun, and what was begun goes on to its end.
// The error is the gravest: failures, all of them, before refusals before waits.
func sideBySide(hubs []string, most int, do func(hub string) error) error {
	if most <= 0 || most > len(hubs) {
		most = len(hubs)
	}
	var (
		mu     sync.Mutex
		wg     sync.WaitGroup
		errs   = make([]error, len(hubs))
		failed bool
		next   int
	)
	take := func() (int, bool) {
		mu.Lock()
		defer mu.Unlock()
		if failed || next == len(hubs) {
			return 0, false
		}
		next++
		return next - 1, true
	}
	for range most {
		wg.Go(func() {
			for {
				i, ok := take()
				if !ok {
					return
				}
				err := do(hubs[i])
				mu.Lock()
				errs[i], failed = err, failed || err != nil
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return gravest(errs)
}

// gravest are the errors that weigh most: people are told of a failure before they are
// told what is waited for.
func gravest(errs []error) error {
	var pending *PendingError
	var denied *DeniedError
	weight := func(err error) int {
		switch {
		case err == nil:
			return 0
		case errors.As(err, &pending):
			return 1
		case errors.As(err, &denied):
			return 2
		}
		return 3
	}
	most := 0
	for _, err := range errs {
		most = max(most, weight(err))
	}
	errs = slices.DeleteFunc(slices.Clone(errs), func(err error) bool { return err == nil || weight(err) < most })
	if len(errs) == 1 || most > 0 && most < 3 {
		return errs[0] // one answer of a gate is enough
	}
	return errors.Join(errs...)
}
