package evidence

import (
	"encoding/json"
	"strings"
	"testing"

	"gauntlet/internal/release"
)

// nasty is text that would move a terminal's cursor or pass for a line of ours.
const nasty = "\x1b[2Jfine\napproved by everybody"

func TestDescribeSaysEachKindInOneLineAndEscapesWhatOthersWrote(t *testing.T) {
	for typ, predicate := range map[string]any{
		TestResultType: TestResult{Suite: nasty, Hub: nasty, Result: nasty, Checks: []Check{{Name: nasty, State: Failed, Message: nasty}}},
		BuildType:      Build{Label: nasty},
		ReleaseType:    Made{Label: nasty},
		ApprovalType:   Approval{Tier: nasty, Note: nasty},
		SignoffType:    Signoff{User: nasty, Vouch: &Vouch{Link: nasty}, Note: nasty},
		VetoType:       Veto{Reason: nasty},
		VersionType:    Version{Version: nasty},
		DeploymentType: Deployment{Hub: nasty},
		HoldType:       Hold{Hub: nasty, Tier: nasty, Reason: nasty},
		OverrideType:   Override{Tier: nasty, Reason: nasty},
		RollbackType:   Rollback{Hub: nasty, Reason: nasty},
		AdoptionType:   Adoption{Hub: nasty, Chart: nasty},
		PolicyType:     PolicyChange{Previous: release.DigestOf(nil)},
		nasty:          struct{}{},
	} {
		raw, err := json.Marshal(predicate)
		if err != nil {
			t.Fatal(err)
		}
		got := Describe(Record{Type: typ, Predicate: raw})
		if got == "" || strings.ContainsAny(got, "\n\x1b") {
			t.Errorf("%q is described as %q", typ, got)
		}
	}
}

func TestDescribeSaysWhatCannotBeRead(t *testing.T) {
	got := Describe(Record{Type: VetoType, Predicate: json.RawMessage(`[]`)})
	if !strings.HasPrefix(got, "unreadable: ") {
		t.Errorf("got %q", got)
	}
}
