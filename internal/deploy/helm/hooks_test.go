package helm

import (
	"testing"

	release1 "helm.sh/helm/v4/pkg/release/v1"
)

func TestAHookComesBeforeOnlyOfItsOwnOperation(t *testing.T) {
	for status, want := range map[string]bool{
		"pending-install": true, "pending-upgrade": true, "pending-rollback": false, "failed": false, "deployed": false, "": false,
	} {
		h := Hook{Events: []string{"pre-install", "pre-upgrade", "post-rollback"}}
		if h.Before(status) != want {
			t.Errorf("%s: %v", status, !want)
		}
	}
	if (Hook{Events: []string{"post-upgrade"}}).Before("pending-upgrade") {
		t.Error("a hook that comes after")
	}
}

func TestARecordTellsWhichHelmMadeIt(t *testing.T) {
	for method, want := range map[string]int{"": 3, "csa": 4, "ssa": 4} {
		if got := (Record{release: &release1.Release{ApplyMethod: method}}).Version(); got != want {
			t.Errorf("%q: %d, want %d", method, got, want)
		}
	}
}
