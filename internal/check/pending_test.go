package check

import (
	"context"
	"strings"
	"testing"
	"time"
)

func TestWhatIsPendingIsNoVerdictAndNeitherPassesNorFails(t *testing.T) {
	s := Suite{Name: "s", Checks: []Check{
		{Name: "takes its time", Timeout: time.Second, Retries: 3, Run: func(context.Context) (string, error) { return "", Pending{"1 node still there"} }},
		{Name: "after it", Timeout: time.Second, Run: ok, Needs: []string{"takes its time"}},
		{Name: "beside it", Timeout: time.Second, Run: ok},
	}}
	r := Run(t.Context(), Suite{Name: "s", Checks: s.Checks[:1]}, nil)
	if r.State != PendingState || r.Outcomes[0].Message != "1 node still there" {
		t.Errorf("%+v", r)
	}
	got := outcomes(Run(t.Context(), s, nil))
	if o := got["after it"]; o.State != Failed || !strings.Contains(o.Message, "is pending") {
		t.Errorf("%+v", o)
	}
	if got["beside it"].State != Passed {
		t.Errorf("%+v", got["beside it"])
	}
	e := r.Evidence("testing")
	if e.Result != "PENDING" || len(e.PassedTests)+len(e.WarnedTests)+len(e.FailedTests) != 0 {
		t.Errorf("%+v", e)
	}
}
