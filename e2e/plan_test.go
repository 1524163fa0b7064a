package e2e

import (
	"path/filepath"
	"strings"
	"testing"

	"gauntlet/internal/evidence"
	"gauntlet/internal/kill"
	"gauntlet/internal/pipeline"
)

// savedPlan deploys a change to a hub of gauntlet's by a plan, which is refused as long
// as somebody has scaled the hub since.
func savedPlan(t *testing.T, s *small) {
	s.set("jupyter-config.yml", map[string]any{"jupyterhub.singleuser.storage.capacity": "280Mi"})
	s.commit("Give homes more room")
	s.try([]string{kill.Env + "=deploy:locked"}, "run", "--key", "ci") // leaves a release to plan with
	id := statusOf(s.team).Release.Short()
	file := filepath.Join(t.TempDir(), "testing.plan")
	p := read[pipeline.Planned](t, s.gauntlet(0, "plan", id, "testing", "--save", file, "-o", "json"))
	if p.Saved == nil || p.Unchanged {
		t.Fatalf("%+v", p)
	}
	hub := "apps/v1 Deployment " + s.name + "/hub"
	scale := func(n string) { s.kubectl("bleeding-edge", "-n", s.name, "scale", "deployment/hub", "--replicas="+n) }

	scale("0")
	r := s.gauntlet(4, "deploy", id, "testing", "--key", "ci", "--plan", file)
	if !strings.Contains(r.errout, hub+" was changed") || strings.Contains(r.errout, "Deployment "+s.name+"/proxy") {
		t.Errorf("%s", r.errout)
	}
	r = s.gauntlet(4, "deploy", id, "testing", "--key", "ci", "--plan", file, "-o", "json")
	if !strings.Contains(r.errout, `"exitCode":4`) {
		t.Errorf("%s", r.errout)
	}
	if h := statusOf(s.team).Hubs["testing"]; h.Release == statusOf(s.team).Release.Label() {
		t.Errorf("it was deployed: %+v", h)
	}
	scale("1")
	s.kubectl("bleeding-edge", "-n", s.name, "rollout", "status", "deployment/hub", "--timeout=100s")
	s.gauntlet(2, "deploy", id, "testing", "--key", "ci", "--plan", filepath.Join(s.dir, "gauntlet.yaml"))
	s.gauntlet(0, "deploy", id, "testing", "--key", "ci", "--plan", file)

	var last evidence.Deployment
	for _, e := range logOf(s.team).Statements {
		if e.Type == evidence.DeploymentType {
			var err error
			if last, err = evidence.Decode[evidence.Deployment](evidence.Record{Type: e.Type, ID: e.ID, Predicate: e.Predicate}); err != nil {
				t.Fatal(err)
			}
		}
	}
	if last.Plan != p.Saved.Digest {
		t.Errorf("the ledger names plan %q, deployed was %q", last.Plan, p.Saved.Digest)
	}
}
