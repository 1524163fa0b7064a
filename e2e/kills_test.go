package e2e

import (
	"encoding/json"
	"strings"
	"testing"

	"gauntlet/internal/kill"
)

// killPoints are where every `make test` ends gauntlet with SIGKILL.
var killPoints = []string{
	"build:pushed",         // the images are in the registry, no statement says so
	"pairing:worker-joins", // pods on the workbench
	"deploy:pending",       // between Helm's pending record and its deployed one
	"deploy:unrecorded",    // deployed, and no statement says so
	"hub:server-spawns",    // a probe user with a running server and a volume
}

func kills(t *testing.T) {
	s := newSmall(t, "kills", 30120)
	// Sources of its own, so that the images are built here.
	s.replace("images/worker/Dockerfile", "USER 1000", "ENV DRILL="+randomName()+"\nUSER 1000")
	s.begin()
	for _, point := range killPoints {
		if r := s.try([]string{kill.Env + "=" + point}, "run", "--key", "ci"); r.code != -1 {
			t.Fatalf("the run was not killed at %s: exit code %d\n%s", point, r.code, r.all())
		}
	}
	s.gauntlet(0, "run", "--key", "ci")
	s.whole()
}

// whole checks what must hold after any number of kills and one completed run.
func (s *small) whole() {
	s.t.Helper()
	st := statusOf(s.team)
	if h := st.Hubs["testing"]; h.Release != st.Release.Label() || h.Foreign || h.Problem != "" {
		s.t.Errorf("hub testing: %+v", h)
	}
	deployed, failed := s.revisions()
	if deployed != 1 || failed > 1 {
		s.t.Errorf("%d deployed and %d failed revisions, expected 1 and at most 1", deployed, failed)
	}
	count := map[string]int{}
	for _, what := range s.shown() {
		count[what]++
	}
	for _, want := range []string{"image PASSED", "pairing PASSED", "render PASSED", "hub PASSED", "deployment"} {
		if count[want] != 1 {
			s.t.Errorf("the ledger holds %d × %q, expected one: %v", count[want], want, count)
		}
	}
	if rejected := logOf(s.team).Rejected; len(rejected) > 0 {
		s.t.Errorf("rejected statements: %v", rejected)
	}
	leftNothing(s.team, s.name)
}

// revisions counts the Helm revisions of the hub that brought what it runs and those
// that failed.
func (s *small) revisions() (deployed, failed int) {
	s.t.Helper()
	out := s.kubectl("bleeding-edge", "-n", s.name, "get", "secrets", "-l", "owner=helm", "-o", "json")
	var list struct {
		Items []struct {
			Metadata struct{ Labels map[string]string }
		}
	}
	if err := json.Unmarshal([]byte(out), &list); err != nil {
		s.t.Fatal(err)
	}
	for _, i := range list.Items {
		switch status := i.Metadata.Labels["status"]; {
		case status == "failed":
			failed++
		case status == "deployed" || status == "superseded":
			deployed++
		case strings.HasPrefix(status, "pending"):
			s.t.Errorf("a revision is %s for ever", status)
		}
	}
	return deployed, failed
}
