package suites

import (
	"errors"
	"strings"
	"testing"
	"time"

	"gauntlet/internal/check"
)

func TestNodesAreWaitedForThenWarnedOfThenFailed(t *testing.T) {
	w := NodeWatch{Ran: true, Warn: 45 * time.Minute, Fail: 2 * time.Hour}
	stay := []string{"pool-1: pod ns/debug has no controller"}
	for name, tt := range map[string]struct {
		stay []string
		age  time.Duration
		want check.State
		says string
	}{
		"gone soon":          {nil, 12 * time.Minute, check.Passed, "1 node gone"},
		"found gone late":    {nil, 50 * time.Minute, check.Warned, "only after 50m"},
		"still there":        {stay, 12 * time.Minute, check.PendingState, "has no controller"},
		"there for long":     {stay, 50 * time.Minute, check.PendingState, "must go within 2h"},
		"there for too long": {stay, 121 * time.Minute, check.Failed, "debug has no controller"},
	} {
		t.Run(name, func(t *testing.T) {
			said, err := w.verdict(1-len(tt.stay), tt.stay, tt.age)
			got := check.Passed
			var warning check.Warning
			var pending check.Pending
			switch {
			case errors.As(err, &warning):
				got, said = check.Warned, err.Error()
			case errors.As(err, &pending):
				got, said = check.PendingState, err.Error()
			case err != nil:
				got, said = check.Failed, err.Error()
			}
			if got != tt.want || !strings.Contains(said, tt.says) {
				t.Errorf("%s %q, want %s %q", got, said, tt.want, tt.says)
			}
		})
	}
}

func TestNodesThatNobodyBroughtAreNoPass(t *testing.T) {
	if _, err := (NodeWatch{}).look(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "scaling before nodes") {
		t.Errorf("got %v", err)
	}
	var warning check.Warning
	if _, err := (NodeWatch{Ran: true}).look(t.Context(), nil); !errors.As(err, &warning) {
		t.Errorf("got %v", err)
	}
}
