package pipeline

import (
	"fmt"
	"strconv"

	"gauntlet/internal/gate"
	"gauntlet/internal/release"
)

// InputError is a mistake in what the caller gave: configuration, values, a name,
// a key. Nothing was changed.
type InputError struct{ Err error }

func (e *InputError) Error() string { return e.Err.Error() }
func (e *InputError) Unwrap() error { return e.Err }

func inputf(format string, args ...any) error {
	return &InputError{fmt.Errorf(format, args...)}
}

// shown is a name of a file, quoted when it holds what would not print.
func shown(name string) string {
	for _, r := range name {
		if !strconv.IsPrint(r) {
			return strconv.Quote(name)
		}
	}
	return name
}

// An Answer is what a gate said about a release.
type Answer struct {
	Release release.Digest `json:"release"`
	Tier    string         `json:"tier"`
	Hub     string         `json:"hub,omitempty"` // "" for the tier in general
	gate.Verdict
}

// PendingError says that nothing failed: a gate waits for people or time.
type PendingError struct{ Answer }

func (e *PendingError) Error() string {
	return fmt.Sprintf("release %s waits before %s: %s", e.Release.Short(), e.Tier, reasons(e.Verdict))
}

// DeniedError says that a gate refused and that waiting will not help.
type DeniedError struct{ Answer }

func (e *DeniedError) Error() string {
	return fmt.Sprintf("release %s is denied %s: %s", e.Release.Short(), e.Tier, reasons(e.Verdict))
}

// reasons is the first unmet reason and how many more there are.
func reasons(v gate.Verdict) string {
	first, more := "", -1
	for _, r := range v.Requirements {
		if r.Decision == gate.Allow {
			continue
		}
		if more++; more == 0 {
			first = r.Reason
		}
	}
	if more > 0 {
		return fmt.Sprintf("%s (and %d more)", first, more)
	}
	return first
}

// StepError is the failure of one step of the journey: its cause in one line.
type StepError struct {
	Step  string // "build", "image test", "pairing", "render", "deploy", "hub suite"
	Hub   string // when the step belongs to one
	Cause error
}

func (e *StepError) Error() string {
	if e.Hub != "" {
		return fmt.Sprintf("%s of %s: %v", e.Step, e.Hub, e.Cause)
	}
	return fmt.Sprintf("%s: %v", e.Step, e.Cause)
}

func (e *StepError) Unwrap() error { return e.Cause }

// A RolledBackError is a deployment that failed and what was done about it.
type RolledBackError struct {
	Cause error       // why the deployment failed
	Back  *RolledBack // nil when the hub could not be brought back
	Err   error       // why it could not, or what failed on it afterwards; nil when all is well again
}

func (e *RolledBackError) Error() string {
	s := e.Cause.Error() + "\n  "
	switch {
	case e.Back == nil:
		return s + fmt.Sprintf("NOT rolled back: %v", e.Err)
	case e.Back.Reused:
		s += fmt.Sprintf("rolled back before: revision %d", e.Back.Revision)
	default:
		s += fmt.Sprintf("rolled back: revision %d", e.Back.Revision)
	}
	s += fmt.Sprintf(" runs what revision %d did (%s)", e.Back.To, ofRelease(e.Back.RollbackResult))
	switch {
	case e.Err != nil:
		return s + fmt.Sprintf("; but: %v", e.Err)
	case e.Back.Problem != "":
		return s + "; " + e.Back.Problem
	}
	return s + "; its suites passed"
}

// Unwrap gives the cause alone: it is what people look for.
func (e *RolledBackError) Unwrap() error { return e.Cause }
