package e2e

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"gauntlet/internal/evidence"
	"gauntlet/internal/kill"
)

// crashes makes the hub of a platform end as soon as it reads its configuration.
const (
	reads   = "c = get_config()"
	crashes = "raise SystemExit('broken on purpose')\n" + reads
)

// ends makes the servers of users end at once.
const ends = "    cmd: [sh, -c, exit 3]\n"

// rollbacks makes changes that fail in several ways to a hub that runs, and looks that
// it runs as before afterwards.
func rollbacks(t *testing.T) {
	s := newSmall(t, "back", 30350)
	s.begin()
	s.borrow()
	s.gauntlet(0, "run", "--key", "ci")
	const config, values = "chart/files/jupyterhub_config.py", "jupyter-config.yml"
	change := func(what string, with func()) {
		t.Helper()
		with()
		s.commit(what)
	}
	// runs looks that the hub runs what its first revision did, in a revision that the
	// ledger knows as a rollback and as verified.
	first := statusOf(s.team).Hubs["testing"]
	runs := func(t *testing.T, revision int, reason string) {
		t.Helper()
		h := statusOf(s.team).Hubs["testing"]
		if h.Deployable != first.Deployable || h.Release != first.Release || h.Revision != revision {
			t.Errorf("the hub is at %+v, expected revision %d of what ran at first (%s)", h, revision, first.Deployable)
		}
		log := logOf(s.team).Statements
		at := -1
		for i, e := range log {
			if e.Type == evidence.RollbackType && strings.Contains(e.Text, reason) {
				at = i
			}
		}
		if at < 0 {
			t.Fatalf("no rollback in the ledger for %q", reason)
		}
		verified := false
		for _, e := range log[at:] {
			verified = verified || e.Type == evidence.TestResultType && strings.Contains(e.Text, "hub")
		}
		if !verified {
			t.Error("no suite ran after the rollback")
		}
		leftNothing(s.team, s.name)
	}

	t.Run("a rollout that fails", func(t *testing.T) {
		s := s.with(t)
		change("Break the hub", func() { s.replace(config, reads, crashes) })
		r := s.gauntlet(1, "run", "--key", "ci")
		s.says(r, "broken on purpose", "rolled back: revision 3 runs what revision 1 did", "its suites passed")
		runs(t, 3, "broken on purpose")
		r = s.gauntlet(3, "run", "--key", "ci")
		s.says(r, "rolled hub testing back from it", "broken on purpose", "gauntlet hold --lift")
		if h := statusOf(s.team).Hubs["testing"]; h.Revision != 3 {
			t.Errorf("a run that waits has made revision %d", h.Revision)
		}
	})
	t.Run("a suite that fails", func(t *testing.T) {
		s := s.with(t)
		change("Mend the hub and break the servers", func() {
			s.replace(config, crashes, reads)
			s.replace(values, "    storage:\n", ends+"    storage:\n")
		})
		r := s.gauntlet(1, "run", "--key", "ci")
		s.says(r, "server starts", "rolled back: revision 5 runs what revision 3 did", "its suites passed")
		runs(t, 5, "server starts")
	})
	t.Run("killed while it goes back", func(t *testing.T) {
		s := s.with(t)
		change("Mend the servers and break the hub", func() {
			s.replace(values, ends, "")
			s.replace(config, reads, crashes)
			// The hub went back from these very values with another capacity, and the gate knows.
			s.set(values, map[string]any{"jupyterhub.singleuser.storage.capacity": "255Mi"})
		})
		for _, point := range []string{"rollback:applied", "rollback:unrecorded"} {
			before := statusOf(s.team).Hubs["testing"].Revision
			if r := s.try([]string{kill.Env + "=" + point}, "run", "--key", "ci"); r.code != -1 {
				t.Fatalf("it was not killed at %s: exit code %d\n%s", point, r.code, r.all())
			}
			r := s.gauntlet(3, "run", "--key", "ci")
			s.says(r, "was not finished or not recorded", "back from it")
			lift := regexp.MustCompile(`gauntlet hold --lift (\w+)`).FindStringSubmatch(r.all())
			if lift == nil {
				t.Fatalf("it names no way to bring the release here again:\n%s", r.all())
			}
			s.gauntlet(0, "hold", "--lift", lift[1], "--key", "ci")
			after := statusOf(s.team).Hubs["testing"].Revision
			if after > before+3 {
				t.Errorf("killed at %s: revision %d came after %d", point, after, before)
			}
			runs(t, after, "interrupted")
		}
	})
	t.Run("left as it is when that is asked for", func(t *testing.T) {
		s := s.with(t)
		change("Break the hub once more", func() {
			s.set(values, map[string]any{"jupyterhub.singleuser.storage.capacity": "260Mi"})
		})
		before := statusOf(s.team).Hubs["testing"].Revision
		r := s.gauntlet(1, "run", "--no-rollback", "--key", "ci")
		s.says(r, "broken on purpose", "as --no-rollback asks", fmt.Sprintf("gauntlet rollback testing --to %d", before))
		s.gauntlet(0, "rollback", "testing", "--reason", "the drill is over", "--key", "ci")
		runs(t, before+2, "the drill is over")
	})
}

// with is the platform in a test below its own.
func (s *small) with(t *testing.T) *small {
	c, team := *s, *s.team
	team.t = t
	c.team = &team
	return &c
}

// says checks that a command has said all of these.
func (s *small) says(r result, words ...string) {
	s.t.Helper()
	for _, w := range words {
		if !strings.Contains(r.all(), w) {
			s.t.Errorf("it does not say %q:\n%s", w, r.all())
		}
	}
}
