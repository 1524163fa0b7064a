package suites

import (
	"testing"

	"gauntlet/internal/config"
)

func TestEverySuiteHasADigestChecksAndTimes(t *testing.T) {
	for _, name := range Names() {
		m, ok := Named(name)
		if !ok {
			t.Errorf("%s is named and is none", name)
			continue
		}
		s := m(HubTarget{Storage: []config.Store{{URL: "s3://climate"}}})
		if s.Name != name || len(s.Digest) != 64 || len(s.Checks) == 0 {
			t.Errorf("%s: %q, digest %q, %d checks", name, s.Name, s.Digest, len(s.Checks))
		}
		for _, c := range s.Checks {
			if c.Timeout <= 0 || c.Run == nil {
				t.Errorf("%s: %s has no time or nothing to run", name, c.Name)
			}
		}
	}
}
