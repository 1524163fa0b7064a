package check

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// stopGrace is how long a check that ran out of time may take to stop, so that it
// can say what it was waiting for.
const stopGrace = 3 * time.Second

// A Warning is an error that warns: the check counts as Warned, not as Failed.
type Warning struct{ Message string }

func (w Warning) Error() string { return w.Message }

// Pending is an error that says that what is checked takes its time: the suite has no
// verdict yet, and is run again later.
type Pending struct{ Message string }

func (p Pending) Error() string { return p.Message }

// final is a failure that would come again.
type final struct{ error }

func (f final) Unwrap() error { return f.error }

// Final marks a failure that would come again: the check is not retried.
func Final(err error) error { return final{err} }

// Run runs the suite's checks one after another and its Cleanup last. observe,
// which may be nil, is told of each outcome as it comes.
//
// A check that does not end in its Timeout fails, also when it ignores its
// context: then it is left behind and its outcome says so. A check that panics
// takes the program down: a broken check has no result. When ctx ends, the checks
// not yet run fail as "not run", but Cleanup still runs.
func Run(ctx context.Context, s Suite, observe func(Outcome)) Result {
	r := Result{Suite: s.Name, Digest: s.Digest, State: Passed, Started: time.Now()}
	states := map[string]State{}
	add := func(o Outcome) {
		r.Outcomes = append(r.Outcomes, o)
		states[o.Name] = o.State
		r.State = worse(r.State, o.State)
		if observe != nil {
			observe(o)
		}
	}

	if len(s.Checks) == 0 {
		add(Outcome{Name: "checks", State: Failed, Message: fmt.Sprintf("suite %q has no checks: nothing was tested", s.Name)})
	}
	for _, c := range s.Checks {
		if why := unfit(ctx, c, states); why != "" {
			add(Outcome{Name: c.Name, State: Failed, Message: why})
			continue
		}
		add(try(ctx, c))
	}
	if c := s.Cleanup; c != nil {
		kept := context.WithoutCancel(ctx)
		if why := unfit(kept, *c, states); why != "" {
			add(Outcome{Name: c.Name, State: Failed, Message: why})
		} else {
			add(try(kept, *c))
		}
	}
	if s.Brought != nil {
		r.Brought = s.Brought()
	}
	if s.Pictures != nil {
		r.Pictures = s.Pictures()
	}
	if s.Measures != nil {
		r.Measures = s.Measures()
	}
	r.Finished = time.Now()
	return r
}

// unfit says why a check cannot run, "" when it can.
func unfit(ctx context.Context, c Check, states map[string]State) string {
	if _, twice := states[c.Name]; twice {
		return fmt.Sprintf("not run: another check of the suite is called %q too", c.Name)
	}
	if c.Timeout <= 0 {
		return "not run: the check has no timeout, which every check must have"
	}
	if c.Run == nil {
		return "not run: the check has nothing to run"
	}
	for _, need := range c.Needs {
		switch st, ran := states[need]; {
		case !ran:
			return fmt.Sprintf("not run: it needs %q, and no check before it has that name", need)
		case st == Failed:
			return fmt.Sprintf("not run: %s failed", need)
		case st == PendingState:
			return fmt.Sprintf("not run: %s is pending", need)
		}
	}
	if err := ctx.Err(); err != nil {
		return fmt.Sprintf("not run: %v", context.Cause(ctx))
	}
	return ""
}

// try runs a check, and again while it fails and may.
func try(ctx context.Context, c Check) Outcome {
	first, again := run(ctx, c)
	o := first
	for range c.Retries {
		if o.State != Failed || !again || ctx.Err() != nil {
			break
		}
		took := o.Took
		o, again = run(ctx, c)
		o.Took += took
	}
	if first.State == Failed && o.State != Failed {
		o.State, o.Message = Warned, fmt.Sprintf("flaky: it failed first (%s), then: %s", first.Message, o.Message)
	}
	return o
}

// run runs one check within its time, and says whether it makes sense to do so again.
func run(ctx context.Context, c Check) (Outcome, bool) {
	type answer struct {
		message string
		err     error
	}
	start := time.Now()
	bounded, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	// Buffered, so that a check that was left behind can still end.
	done := make(chan answer, 1)
	go func() {
		m, err := c.Run(bounded)
		done <- answer{m, err}
	}()

	o := Outcome{Name: c.Name, State: Passed}
	var a answer
	select {
	case a = <-done:
	case <-bounded.Done():
		late := time.NewTimer(stopGrace)
		defer late.Stop()
		select {
		case a = <-done:
		case <-late.C:
			a.err = errors.New("it did not stop when told to and was left running")
		}
	}
	o.Took = time.Since(start)

	var w Warning
	var pending Pending
	switch {
	case bounded.Err() != nil && ctx.Err() != nil && a.err != nil:
		o.State, o.Message = Failed, fmt.Sprintf("stopped (%v): %v", context.Cause(ctx), a.err)
	case bounded.Err() != nil && a.err == nil:
		o.State, o.Message = Failed, fmt.Sprintf("took longer than its %s: %s", c.Timeout, a.message)
	case bounded.Err() != nil:
		o.State, o.Message = Failed, fmt.Sprintf("no result in %s: %v", c.Timeout, a.err)
	case errors.As(a.err, &w):
		o.State, o.Message = Warned, w.Message
	case errors.As(a.err, &pending):
		o.State, o.Message = PendingState, pending.Message
	case a.err != nil:
		o.State, o.Message = Failed, a.err.Error()
	default:
		o.Message = a.message
	}
	var f final
	return o, !errors.As(a.err, &f)
}

// worse is the worse of two states.
func worse(a, b State) State {
	rank := map[State]int{Passed: 0, Warned: 1, PendingState: 2, Failed: 3}
	if rank[b] > rank[a] {
		return b
	}
	return a
}
