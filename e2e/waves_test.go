package e2e

import (
	"fmt"
	"strings"
	"testing"
)

// waves brings a release to three hubs of a tier in two waves, the first of which has a
// hub that fails: the hub beside it goes on to its end, and the second wave never begins.
func waves(t *testing.T) {
	s := newSmall(t, "waves", 30310)
	s.replace("policy.yaml", "hubs: all, suites: [hub]}", "hubs: all, suites: [hub], waves: [[testing, second], [third]], maxParallel: 2}")
	config := s.text("gauntlet.yaml")
	for i, hub := range []string{"second", "third"} {
		namespace := s.name + "-" + hub
		config += fmt.Sprintf(`  %[1]s:
    tier: bleeding-edge
    cluster: bleeding-edge
    namespace: %[2]s
    release: %[1]s
    values: [jupyter-config.yml, %[1]s.yml]
    set: {jupyterhub.proxy.service.nodePort: %[3]d}
    url: http://172.29.0.11:%[3]d
    apiTokenFrom: {secret: hub, key: gauntlet}
`, hub, namespace, s.port+1+i)
		s.write(hub+".yml", "jupyterhub: {hub: {image: {tag: 6.1.1-1}}}\n")
		t.Cleanup(func() {
			s.kubectlAfter("bleeding-edge", "delete", "namespace", namespace, "--ignore-not-found", "--wait=false")
		})
	}
	s.write("gauntlet.yaml", config)
	s.write("second.yml", "jupyterhub: {singleuser: {cmd: [sh, -c, exit 3]}}\n") // no server starts there
	s.begin()
	s.borrow()
	r := s.gauntlet(1, "run", "--key", "ci")
	if !strings.Contains(r.all(), "hub of second: server starts") || !strings.Contains(r.all(), "ended with code 3") {
		t.Errorf("it does not say which hub failed and why:\n%s", r.all())
	}
	hubs := statusOf(s.team).Hubs
	if hubs["testing"].Revision != 1 || hubs["second"].Revision == 0 || hubs["third"].Revision != 0 {
		t.Errorf("after the failure in the first wave the hubs are at %+v: expected the first wave to have ended and the second not begun", hubs)
	}
	if !passed(s, "testing") || passed(s, "second") {
		t.Error("the suite of testing should have passed beside the failure of second")
	}
	// Nobody gets past a wave.
	if r := s.gauntlet(4, "deploy", statusOf(s.team).Release.Hex(), "third", "--key", "ci"); !strings.Contains(r.all(), "second") {
		t.Errorf("the gate does not say that third comes after second:\n%s", r.all())
	}

	s.write("second.yml", "{}\n")
	s.commit("Mend the second hub")
	s.gauntlet(0, "run", "--key", "ci")
	for _, hub := range []string{"testing", "second", "third"} {
		if h := statusOf(s.team).Hubs[hub]; h.Revision == 0 || !passed(s, hub) {
			t.Errorf("hub %s is at %+v", hub, h)
		}
	}
}

// passed says whether the ledger has a result of the suite hub that passed on a hub.
func passed(s *small, hub string) bool {
	s.t.Helper()
	for _, e := range logOf(s.team).Statements {
		if strings.Contains(e.Text, fmt.Sprintf("suite %q on %q: %q", "hub", hub, "passed")) {
			return true
		}
	}
	return false
}
