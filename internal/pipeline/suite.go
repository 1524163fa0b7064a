package pipeline

import (
	"context"
	"fmt"
	"strings"

	"gauntlet/internal/check"
	"gauntlet/internal/config"
	"gauntlet/internal/evidence"
	"gauntlet/internal/kill"
	"gauntlet/internal/ledger"
)

// suite runs a suite on a subject and records its result, unless the ledger holds a
// passing result of the very same suite on it: that verdict is reused, and said so.
func (w *Workspace) suite(ctx context.Context, s *sight, suite check.Suite, about evidence.Subject, hubName string) error {
	if w.known(s, suite, about, hubName) {
		return nil
	}
	return w.try(ctx, s, suite, about, hubName)
}

// known says whether the verdict of a suite is reused, and tells so.
func (w *Workspace) known(s *sight, suite check.Suite, about evidence.Subject, hubName string) bool {
	r, ok := s.result(suite, about, hubName)
	if ok {
		w.tell(suite.Name, hubName, Reused, "", fmt.Sprintf("passed on %s for the same %s", r.Finished.Local().Format("2 Jan 15:04:05"), called(about.Kind)))
	}
	return ok
}

// try runs a suite on a subject and records its result.
func (w *Workspace) try(ctx context.Context, s *sight, suite check.Suite, about evidence.Subject, hubName string) error {
	result := w.check(ctx, suite, hubName)
	if ctx.Err() != nil {
		return context.Cause(ctx) // cut short by its caller: says nothing about the subject
	}
	return w.conclude(ctx, s, result, about, hubName)
}

// check runs a suite, and tells of each check. Of one that is cut short the checks that
// could not run are nobody's news.
func (w *Workspace) check(ctx context.Context, suite check.Suite, hubName string) check.Result {
	w.tell(suite.Name, hubName, Started, "", count(len(suite.Checks), "check", "checks"))
	result := check.Run(ctx, suite, func(o check.Outcome) {
		if ctx.Err() != nil && o.State == check.Failed {
			return
		}
		w.tell(suite.Name, hubName, strings.ToLower(string(o.State)), o.Name, o.Message)
		kill.At(suite.Name + ":" + o.Name)
	})
	if ctx.Err() != nil {
		w.tell(suite.Name, hubName, Progress, "", "no verdict: "+context.Cause(ctx).Error())
	}
	return result
}

// conclude records a suite's result, and is its failure if it failed.
func (w *Workspace) conclude(ctx context.Context, s *sight, result check.Result, about evidence.Subject, hubName string) error {
	step := result.Suite
	if err := w.keep(ctx, s, result, about, hubName); err != nil {
		return err
	}
	if result.State == check.Failed {
		return &StepError{Step: step, Hub: hubName, Cause: firstFailure(result)}
	}
	w.tell(step, hubName, Passed, "", fmt.Sprintf("%s in %s", count(len(result.Outcomes), "check", "checks"), result.Finished.Sub(result.Started).Round(100e6)))
	return nil
}

// keep records a suite's result, with the pictures that it took.
func (w *Workspace) keep(ctx context.Context, s *sight, result check.Result, about evidence.Subject, hubName string) error {
	said := result.Evidence(hubName)
	if a, any := picturesOf(result); any {
		if err := w.ledger.PutArtifact(ctx, a); err != nil {
			return fmt.Errorf("keep the pictures of suite %s: %w", result.Suite, err)
		}
		said.Pictures = a.Digest()
	}
	return w.record(ctx, s, ledger.Statement{Type: evidence.TestResultType, Subjects: []evidence.Subject{about}, Predicate: said})
}

// result is the newest result of a suite on a subject, when it passed, was made by
// a checker, and the suite has not changed since. One that rests on no check is none.
func (s *sight) result(suite check.Suite, about evidence.Subject, hubName string) (evidence.TestResult, bool) {
	for i := len(s.view.Records) - 1; i >= 0; i-- {
		r := s.view.Records[i]
		if hubName != "" && s.freshly(r, hubName) {
			return evidence.TestResult{}, false // what was seen before this deployment says nothing about it
		}
		if r.Type != evidence.TestResultType || !r.About(about.Kind, about.Digest) {
			continue
		}
		if !s.is(r.Signer, config.RoleChecker) {
			continue
		}
		t, err := evidence.Decode[evidence.TestResult](r)
		if err != nil || t.Suite != suite.Name || t.Hub != hubName {
			continue
		}
		same := len(t.Configuration) > 0 && t.Configuration[0].Digest["sha256"] == suite.Digest
		return t, same && len(t.Checks) > 0 && (t.Result == evidence.Passed || t.Result == evidence.Warned)
	}
	return evidence.TestResult{}, false
}

// freshly says whether a record is of a deployment that changed the hub.
func (s *sight) freshly(r evidence.Record, hubName string) bool {
	d, ok := s.deployed(r)
	return ok && d.Hub == hubName && !d.Reused
}

// called is a kind of subject as people write it.
func called(kind string) string {
	if kind == evidence.ImageSet {
		return "image set"
	}
	return kind
}

// firstFailure is the cause of a failed suite in one line.
func firstFailure(r check.Result) error {
	for _, o := range r.Outcomes {
		if o.State == check.Failed {
			return fmt.Errorf("%s: %s", o.Name, o.Message)
		}
	}
	return fmt.Errorf("no check ran")
}
