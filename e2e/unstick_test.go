package e2e

import (
	"strings"
	"testing"
	"time"

	"gauntlet/internal/deploy"
	"gauntlet/internal/kube"
	"gauntlet/internal/pipeline"
)

// hanging is how the runbook's upgrade hangs: the chart's hook waits for an image that
// no registry has.
var hanging = map[string]any{"jupyterhub": map[string]any{
	"prePuller":  map[string]any{"hook": map[string]any{"enabled": true}},
	"singleuser": map[string]any{"image": map[string]any{"tag": "nowhere"}},
}}

// unsticks reproduces the runbook's hang with plain helm on a hub that gauntlet runs,
// and gets out of it twice: with helm alive, and with helm killed.
func unsticks(t *testing.T) {
	s := newSmall(t, "unstick", 30362)
	s.begin()
	s.borrow()
	s.gauntlet(0, "run", "--key", "ci")
	id := statusOf(s.team).Release.Short()
	if r := s.gauntlet(0, "unstick", "testing"); !strings.Contains(r.out, "nothing hangs on testing") {
		t.Error(r.out)
	}

	helm := s.plainHelm(hanging)
	s.seesHang(2)
	done := s.unstuck(deploy.EndedItself)
	if code := helm.ends(t, 30*time.Second); code != 1 {
		t.Errorf("plain helm ended with %d, expected 1: its upgrade failed", code)
	}
	if done.Runs.Revision != 1 || !done.Runs.Gauntlet || done.Runs.Status != "failed" {
		t.Errorf("the hub runs %+v", done.Runs)
	}

	helm = s.plainHelm(hanging)
	s.seesHang(3)
	helm.kill()
	if done = s.unstuck(deploy.EndedMarked); len(done.Removed) == 0 {
		t.Error("a helm that was killed has left hooks, and none was removed")
	}

	// The newest revision is another tool's, so a deploy asks; then gauntlet goes on.
	if r := s.gauntlet(1, "deploy", id, "testing", "--key", "ci"); !strings.Contains(r.errout, "was not made by gauntlet") {
		t.Error(r.errout)
	}
	s.gauntlet(0, "deploy", id, "testing", "--adopt", "--key", "ci")
	if st := statusOf(s.team); st.Hubs["testing"].Release != st.Release.Label() {
		t.Errorf("hub testing runs %q, not release %s", st.Hubs["testing"].Release, st.Release.Short())
	}
}

// seesHang waits until unstick names the cause of the hang, and checks what else it says.
func (s *small) seesHang(revision int) {
	s.t.Helper()
	var h *deploy.Hang
	for end := time.Now().Add(90 * time.Second); ; {
		r := s.try(nil, "unstick", "testing", "-o", "json")
		h = read[pipeline.Sticking](s.t, r).Hang
		if r.code == 3 && h != nil && h.Hook != nil && strings.HasPrefix(h.Hook.Object, "Job/") && len(h.Causes) > 0 {
			break
		}
		if time.Now().After(end) {
			s.t.Fatalf("no hang is seen: %s", r.all())
		}
	}
	switch {
	case h.Revision != revision || h.Status != "pending-upgrade" || h.Helm != 4 || h.Gauntlet || !h.Unapplied:
		s.t.Errorf("%+v", h)
	case h.Hook.Object != "Job/hook-image-awaiter":
		s.t.Errorf("it waits for %s", h.Hook.Object)
	case h.Causes[0].Reason != kube.ImageNotFound || !strings.Contains(h.Causes[0].Message, "notebook:nowhere"):
		s.t.Errorf("cause %+v", h.Causes[0])
	case len(h.Nodes) != 2:
		s.t.Errorf("it is held by %+v, expected both nodes", h.Nodes)
	}
}

// unstuck ends the hang, and checks that the hub is up and nothing is left at work.
func (s *small) unstuck(how string) *deploy.Unstuck {
	s.t.Helper()
	done := read[pipeline.Sticking](s.t, s.gauntlet(0, "unstick", "testing", "--yes", "-o", "json")).Done
	if done == nil || done.Ended != how || !done.Runs.Up {
		s.t.Fatalf("%+v", done)
	}
	for _, kind := range []string{"daemonsets", "jobs", "pods"} {
		if left := s.kubectl("bleeding-edge", "-n", s.name, "get", kind, "-o", "name"); strings.Contains(left, "hook-image") {
			s.t.Errorf("left at work: %s", left)
		}
	}
	s.gauntlet(0, "unstick", "testing")
	return done
}
