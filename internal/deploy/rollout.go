package deploy

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"gauntlet/internal/deploy/helm"
	"gauntlet/internal/kube"
)

// lookEvery is how often a wait looks at what it waits for.
const lookEvery = time.Second

// A StuckError says why a wait for what Helm applied ended without success.
type StuckError struct {
	Object string        // "Deployment/hub"
	Reason string        // as in package kube, or "Quota", "Volume", "Node", "Gone", "Job"
	Cause  string        // one line; quotes the cluster
	After  time.Duration // since the wait began
}

func (e *StuckError) Error() string {
	return fmt.Sprintf("%s does not come up (%s after %s): %s", e.Object, e.Reason, e.After.Round(time.Second), e.Cause)
}

// A problem keeps an object from being done.
type problem struct {
	Reason  string
	Message string
	Grace   time.Duration // it ends the wait when it lasts so long; 0: at once; forever: never by itself
}

const forever = time.Duration(-1)

// A status is how far one object is.
type status struct {
	Object   string
	Done     bool
	Text     string // "1 of 2 ready"
	Problems []problem
}

// waits waits for what Helm makes: hooks and the rollout. It ends with ctx, while
// what is applied goes on.
type waits struct {
	ctx     context.Context
	client  *kube.Client
	observe func(Event)
	hooks   []helm.Object // DaemonSets that hooks of this run made
}

// Rollout waits until the workloads among the objects run what was applied.
func (w *waits) Rollout(objects []helm.Object, timeout time.Duration) error {
	var list []helm.Object
	for _, o := range objects {
		switch o.Kind {
		case "Deployment", "StatefulSet", "DaemonSet":
			list = append(list, o)
		}
	}
	l := look{client: w.client, begun: time.Now(), running: map[string]time.Time{}}
	return w.until("rollout", timeout, func(ctx context.Context) ([]status, error) { return l.workloads(ctx, list) })
}

// Hook waits until the hook's Jobs and Pods have finished. While it waits, it also
// watches the pods of DaemonSets that earlier hooks made: what a Job of the chart
// waits for in silence (images on every node) shows there.
func (w *waits) Hook(objects []helm.Object, timeout time.Duration) error {
	var list []helm.Object
	for _, o := range objects {
		switch o.Kind {
		case "Job", "Pod":
			list = append(list, o)
		case "DaemonSet":
			w.hooks = append(w.hooks, o)
		}
	}
	if len(list) == 0 {
		return nil
	}
	l := look{client: w.client, begun: time.Now(), running: map[string]time.Time{}}
	return w.until("hook", timeout, func(ctx context.Context) ([]status, error) {
		all, err := l.hookObjects(ctx, list)
		if err != nil {
			return nil, err
		}
		beside, err := l.workloads(ctx, w.hooks)
		if err != nil {
			return nil, err
		}
		for _, s := range beside {
			if len(s.Problems) > 0 {
				// Not waited for, but what troubles it troubles the hook.
				all[0].Problems = append(all[0].Problems, under(s)...)
			}
		}
		return all, nil
	})
}

// under is a status' problems as another object's.
func under(s status) []problem {
	var out []problem
	for _, p := range s.Problems {
		if p.Reason == reasonGone {
			continue // a hook's leftovers may be removed while it runs
		}
		p.Message = s.Object + ": " + p.Message
		out = append(out, p)
	}
	return out
}

// until looks until everything is done, a problem has lasted too long, or the time
// is over. A look that fails is repeated: API servers restart.
func (w *waits) until(step string, timeout time.Duration, look func(context.Context) ([]status, error)) error {
	begun := time.Now()
	ctx, cancel := context.WithTimeoutCause(w.ctx, timeout, fmt.Errorf("not done in %s", timeout))
	defer cancel()
	since := map[string]time.Time{} // problems by object and reason
	told := map[string]string{}
	lastTold := time.Time{}
	var failing error
	var last []status
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		all, err := look(ctx)
		now := time.Now()
		if err != nil {
			if ctx.Err() == nil && (failing == nil || now.Sub(lastTold) > 10*time.Second) {
				w.tell(Event{Step: step, Since: begun, Message: "the cluster cannot be asked: " + kube.OneLine(err.Error())})
				lastTold = now
			}
			failing = err
		} else {
			failing, last = nil, all
			if stuck := judge(all, since, begun, now); stuck != nil {
				return stuck
			}
			again := now.Sub(lastTold) > 10*time.Second
			waiting := false
			for _, s := range all {
				waiting = waiting || !s.Done
				if line := s.line(); !s.Done && (again || told[s.Object] != line) {
					w.tell(Event{Step: step, Object: s.Object, Since: begun, Message: line})
					told[s.Object], lastTold = line, now
				}
			}
			if !waiting {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return over(context.Cause(ctx), last, failing, time.Since(begun))
		case <-tick.C:
		}
	}
}

// judge ends a wait whose problem has lasted longer than its grace. since keeps
// when each was first seen.
func judge(all []status, since map[string]time.Time, begun, now time.Time) error {
	seen := map[string]bool{}
	for _, s := range all {
		for _, p := range s.Problems {
			key := s.Object + " " + p.Reason
			if _, known := since[key]; !known {
				since[key] = now
			}
			seen[key] = true
			if p.Grace != forever && now.Sub(since[key]) >= p.Grace {
				return &StuckError{Object: s.Object, Reason: p.Reason, Cause: p.Message, After: now.Sub(begun)}
			}
		}
	}
	for key := range since {
		if !seen[key] {
			delete(since, key)
		}
	}
	return nil
}

// over says what a wait that ran out of time was waiting for.
func over(why error, last []status, failing error, after time.Duration) error {
	if failing != nil && !errors.Is(failing, context.DeadlineExceeded) && !errors.Is(failing, context.Canceled) {
		return fmt.Errorf("%w: the cluster could not be asked any more: %w", why, failing)
	}
	var lines []string
	for _, s := range last {
		if s.Done {
			continue
		}
		if len(s.Problems) > 0 {
			p := s.Problems[0]
			return &StuckError{Object: s.Object, Reason: p.Reason, Cause: p.Message, After: after}
		}
		lines = append(lines, s.Object+" "+s.line())
	}
	slices.Sort(lines)
	if len(lines) == 0 {
		return why
	}
	return fmt.Errorf("%w: %s", why, strings.Join(lines, "; "))
}

// line is the status for people.
func (s status) line() string {
	line := s.Text
	for _, p := range s.Problems {
		line += "; " + p.Message
	}
	return line
}

func (w *waits) tell(e Event) {
	if w.observe != nil {
		w.observe(e)
	}
}
