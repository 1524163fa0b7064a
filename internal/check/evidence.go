package check

import (
	"strings"

	"gauntlet/internal/evidence"
)

// Evidence is the result as the ledger keeps it; hub is where it ran, "" when on
// no hub.
func (r Result) Evidence(hub string) evidence.TestResult {
	t := evidence.TestResult{
		Result: string(r.State),
		Configuration: []evidence.Descriptor{
			{Name: r.Suite, Digest: map[string]string{"sha256": r.Digest}},
		},
		Suite:    r.Suite,
		Hub:      hub,
		Checks:   []evidence.Check{},
		Started:  r.Started.UTC(),
		Finished: r.Finished.UTC(),
		Brought:  r.Brought,
		Measures: r.Measures,
	}
	for _, o := range r.Outcomes {
		t.Checks = append(t.Checks, evidence.Check{
			Name: o.Name, State: string(o.State), Message: oneLine(o.Message), Seconds: o.Took.Seconds(),
		})
		switch o.State {
		case Passed:
			t.PassedTests = append(t.PassedTests, o.Name)
		case Warned:
			t.WarnedTests = append(t.WarnedTests, o.Name)
		case PendingState: // neither
		default:
			t.FailedTests = append(t.FailedTests, o.Name)
		}
	}
	return t
}

// maxMessage bounds a message in the ledger, in bytes: it is a line for people,
// and what a cluster or an image printed may be of any length.
const maxMessage = 500

// oneLine makes one bounded line of s, without control characters.
func oneLine(s string) string {
	s = strings.Join(strings.Fields(strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, s)), " ")
	if len(s) > maxMessage {
		s = strings.ToValidUTF8(s[:maxMessage], "") + "…"
	}
	return s
}
