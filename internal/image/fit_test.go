package image

import (
	"errors"
	"strings"
	"testing"

	"github.com/Masterminds/semver/v3"

	"gauntlet/internal/check"
)

func TestAnImageFitsHubsOfItsOwnMajorAndMinorVersion(t *testing.T) {
	for name, tt := range map[string]struct {
		own  string
		hubs []string
		want check.State
	}{
		"the same":           {"5.4.2", []string{"5.4"}, check.Passed},
		"nothing is known":   {"5.4.2", nil, check.Passed},
		"another minor":      {"5.4.2", []string{"5.3"}, check.Warned},
		"one of two":         {"5.4.2", []string{"5.3", "5.4"}, check.Warned},
		"another major":      {"4.1.6", []string{"5.4"}, check.Failed},
		"another major, too": {"5.4.2", []string{"5.4", "6.0"}, check.Failed},
	} {
		said, err := fit(semver.MustParse(tt.own), tt.own, tt.hubs)
		if got := stateOf(err); got != tt.want {
			t.Errorf("%s: %s (%s %v)", name, got, said, err)
		}
		if err != nil && !strings.Contains(err.Error(), "install jupyterhub==") {
			t.Errorf("%s: no mend is named: %v", name, err)
		}
	}
}

func TestAnImageMuchLargerThanProductionsWarns(t *testing.T) {
	for now, want := range map[int64]check.State{900: check.Passed, 1000: check.Passed, 1250: check.Passed, 1300: check.Warned} {
		said, err := larger(now*1e6, 1000*1e6)
		if got := stateOf(err); got != want {
			t.Errorf("%d: %s (%s %v)", now, got, said, err)
		}
	}
}

func stateOf(err error) check.State {
	var w check.Warning
	switch {
	case err == nil:
		return check.Passed
	case errors.As(err, &w):
		return check.Warned
	}
	return check.Failed
}
