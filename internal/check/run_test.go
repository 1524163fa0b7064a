package check

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"
)

func ok(context.Context) (string, error) { return "fine", nil }

func outcomes(r Result) map[string]Outcome {
	m := map[string]Outcome{}
	for _, o := range r.Outcomes {
		m[o.Name] = o
	}
	return m
}

func TestRunInOrderAndTellsTheObserver(t *testing.T) {
	var seen []string
	s := Suite{Name: "s", Digest: "ab", Checks: []Check{
		{Name: "a", Timeout: time.Second, Run: ok},
		{Name: "b", Timeout: time.Second, Run: ok, Needs: []string{"a"}},
	}}
	r := Run(t.Context(), s, func(o Outcome) { seen = append(seen, o.Name) })
	if r.State != Passed || strings.Join(seen, " ") != "a b" || r.Suite != "s" || r.Digest != "ab" {
		t.Errorf("got %+v, seen %v", r, seen)
	}
	if r.Outcomes[0].Message != "fine" || r.Started.IsZero() || r.Finished.Before(r.Started) {
		t.Errorf("got %+v", r)
	}
}

func TestNoChecksIsAFailureThatSaysSo(t *testing.T) {
	r := Run(t.Context(), Suite{Name: "empty"}, nil)
	if r.State != Failed || len(r.Outcomes) != 1 || !strings.Contains(r.Outcomes[0].Message, "no checks") {
		t.Errorf("got %+v", r)
	}
}

func TestWhatCannotRunFailsWithItsReason(t *testing.T) {
	fail := func(context.Context) (string, error) { return "", errors.New("broken") }
	s := Suite{Name: "s", Checks: []Check{
		{Name: "bad", Timeout: time.Second, Run: fail},
		{Name: "after bad", Timeout: time.Second, Run: ok, Needs: []string{"bad"}},
		{Name: "after that", Timeout: time.Second, Run: ok, Needs: []string{"after bad"}},
		{Name: "needs a typo", Timeout: time.Second, Run: ok, Needs: []string{"bda"}},
		{Name: "no timeout", Run: ok},
		{Name: "nothing", Timeout: time.Second},
		{Name: "good", Timeout: time.Second, Run: ok},
	}}
	r := Run(t.Context(), s, nil)
	if r.State != Failed {
		t.Errorf("state %s", r.State)
	}
	want := map[string]string{
		"bad":          "broken",
		"after bad":    "not run: bad failed",
		"after that":   "not run: after bad failed",
		"needs a typo": `not run: it needs "bda"`,
		"no timeout":   "no timeout",
		"nothing":      "nothing to run",
	}
	got := outcomes(r)
	for name, m := range want {
		if o := got[name]; o.State != Failed || !strings.Contains(o.Message, m) {
			t.Errorf("%s: got %+v, want %q", name, o, m)
		}
	}
	if got["good"].State != Passed {
		t.Errorf("good: %+v", got["good"])
	}
}

func TestTwoChecksOfOneNameAreAMistake(t *testing.T) {
	s := Suite{Checks: []Check{{Name: "a", Timeout: time.Second, Run: ok}, {Name: "a", Timeout: time.Second, Run: ok}}}
	if r := Run(t.Context(), s, nil); r.State != Failed || r.Outcomes[1].State != Failed {
		t.Errorf("got %+v", r)
	}
}

func TestAWarningWarns(t *testing.T) {
	s := Suite{Checks: []Check{
		{Name: "w", Timeout: time.Second, Run: func(context.Context) (string, error) { return "", Warning{"careful"} }},
		{Name: "b", Timeout: time.Second, Run: ok, Needs: []string{"w"}},
	}}
	r := Run(t.Context(), s, nil)
	if r.State != Warned || r.Outcomes[0].Message != "careful" || r.Outcomes[1].State != Passed {
		t.Errorf("got %+v", r)
	}
}

func TestTimeoutEndsACheckThatHeedsItsContext(t *testing.T) {
	s := Suite{Checks: []Check{{Name: "slow", Timeout: 10 * time.Millisecond, Run: func(ctx context.Context) (string, error) {
		<-ctx.Done()
		return "", errors.New("pod x still Pending")
	}}}}
	o := Run(t.Context(), s, nil).Outcomes[0]
	if o.State != Failed || o.Message != "no result in 10ms: pod x still Pending" {
		t.Errorf("got %+v", o)
	}
}

func TestTimeoutEndsACheckThatIgnoresItsContext(t *testing.T) {
	release := make(chan struct{})
	defer close(release)
	s := Suite{Checks: []Check{
		{Name: "deaf", Timeout: 10 * time.Millisecond, Run: func(context.Context) (string, error) { <-release; return "late", nil }},
		{Name: "next", Timeout: time.Second, Run: ok},
	}}
	r := Run(t.Context(), s, nil)
	if o := r.Outcomes[0]; o.State != Failed || !strings.Contains(o.Message, "left running") {
		t.Errorf("got %+v", o)
	}
	if r.Outcomes[1].State != Passed {
		t.Errorf("the next check: %+v", r.Outcomes[1])
	}
}

func TestALateSuccessIsAFailure(t *testing.T) {
	s := Suite{Checks: []Check{{Name: "late", Timeout: time.Millisecond, Run: func(ctx context.Context) (string, error) {
		<-ctx.Done()
		return "done at last", nil
	}}}}
	if o := Run(t.Context(), s, nil).Outcomes[0]; o.State != Failed || !strings.Contains(o.Message, "longer than") {
		t.Errorf("got %+v", o)
	}
}

func TestCleanupRunsAfterFailureAndCancellation(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cleaned := false
	s := Suite{
		Checks: []Check{
			{Name: "a", Timeout: time.Minute, Run: func(ctx context.Context) (string, error) {
				cancel()
				<-ctx.Done()
				return "", ctx.Err()
			}},
			{Name: "b", Timeout: time.Second, Run: ok},
		},
		Cleanup: &Check{Name: "gone", Timeout: time.Second, Run: func(ctx context.Context) (string, error) {
			cleaned = true
			return "", ctx.Err()
		}},
	}
	r := Run(ctx, s, nil)
	got := outcomes(r)
	if !cleaned || got["gone"].State != Passed {
		t.Errorf("cleanup: %+v", got["gone"])
	}
	if o := got["b"]; o.State != Failed || !strings.HasPrefix(o.Message, "not run") {
		t.Errorf("b: %+v", o)
	}
}

func TestEvidenceHoldsEveryOutcomeOnce(t *testing.T) {
	r := Result{Suite: "hub", Digest: "abc", State: Failed, Outcomes: []Outcome{
		{Name: "a", State: Passed, Message: "ok", Took: 1500 * time.Millisecond},
		{Name: "b", State: Warned},
		{Name: "c", State: Failed, Message: "line one\nline\x1b[31m two " + strings.Repeat("é", 400)},
	}}
	e := r.Evidence("testing")
	if e.Result != "FAILED" || e.Hub != "testing" || e.Suite != "hub" || e.Configuration[0].Digest["sha256"] != "abc" {
		t.Errorf("got %+v", e)
	}
	if len(e.PassedTests) != 1 || len(e.WarnedTests) != 1 || len(e.FailedTests) != 1 || len(e.Checks) != 3 {
		t.Errorf("got %+v", e)
	}
	if e.Checks[0].Seconds != 1.5 {
		t.Errorf("seconds %v", e.Checks[0].Seconds)
	}
	m := e.Checks[2].Message
	if strings.ContainsAny(m, "\n\x1b") || len(m) > maxMessage+5 || !strings.HasPrefix(m, "line one line [31m two é") {
		t.Errorf("message %q", m)
	}
}

func TestAFlakyCheckIsNeverPassedInSilence(t *testing.T) {
	after := func(failures int, end error) func(context.Context) (string, error) {
		return func(context.Context) (string, error) {
			if failures--; failures >= 0 {
				return "", end
			}
			return "fine", nil
		}
	}
	chance := errors.New("chance")
	for name, c := range map[string]struct {
		retries int
		run     func(context.Context) (string, error)
		state   State
		words   string
	}{
		"passes at once":         {1, after(0, chance), Passed, "fine"},
		"passes the second time": {1, after(1, chance), Warned, "flaky: it failed first (chance), then: fine"},
		"fails twice":            {1, after(2, chance), Failed, "chance"},
		"passes the third time":  {2, after(2, chance), Warned, "flaky"},
		"is not to be run again": {0, after(1, chance), Failed, "chance"},
		"fails for good":         {3, after(1, Final(chance)), Failed, "chance"},
		"warns the second time": {1, func() func(context.Context) (string, error) {
			tried := false
			return func(context.Context) (string, error) {
				if !tried {
					tried = true
					return "", chance
				}
				return "", Warning{Message: "only one worker"}
			}
		}(), Warned, "flaky: it failed first (chance), then: only one worker"},
	} {
		t.Run(name, func(t *testing.T) {
			r := Run(t.Context(), Suite{Name: "s", Checks: []Check{{Name: "c", Timeout: time.Second, Retries: c.retries, Run: c.run}}}, nil)
			if o := r.Outcomes[0]; len(r.Outcomes) != 1 || o.State != c.state || !strings.Contains(o.Message, c.words) {
				t.Errorf("%+v", r.Outcomes)
			}
		})
	}
}
