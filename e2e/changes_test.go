package e2e

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"gauntlet/internal/gate"
	"gauntlet/internal/kill"
)

// changes makes a change to the values and then one to the user list.
func changes(t *testing.T) {
	s := newSmall(t, "changes", 30117)
	s.another("far", "production", "jupyter-config.yml")
	s.replace("policy.yaml", "suites: [hub]}", "suites: [hub], signoff: {of: people, require: all}}")
	s.write("policy.yaml", s.text("policy.yaml")+fmt.Sprintf("  linus: {roles: [user], key: %q}\n", demoKey(t, "linus").Public()))
	s.begin()
	s.borrow()
	s.gauntlet(0, "run", "--to", "bleeding-edge", "--key", "ci")
	first := statusOf(s.team)
	s.gauntlet(0, "signoff", first.Release.Short(), "--key", "linus")

	t.Run("a user list voids no sign-off", func(t *testing.T) {
		s.replace("jupyter-config.yml", "users: [linus, barbara]", "users: [linus, barbara, edsger]")
		s.commit("Let another user in")
		s.gauntlet(0, "run", "--to", "bleeding-edge", "--key", "ci")
		st := statusOf(s.team)
		if st.Release == first.Release {
			t.Fatal("another user list is no other release")
		}
		v := read[gate.Verdict](t, s.try(nil, "deploy", st.Release.Short(), "far", "--check", "-o", "json"))
		if r := requirement(t, v, "signoff:linus"); r.Decision != gate.Allow {
			t.Errorf("the sign-off no longer holds: %s", r.Reason)
		}
		if got, want := s.count(), (map[string]int{"image PASSED": 0, "pairing PASSED": 0, "render PASSED": 2}); !covers(got, want) {
			t.Errorf("the ledger shows %v, expected %v", got, want)
		}
	})
	t.Run("a plan names the change, shows no secret and changes nothing", func(t *testing.T) {
		s.set("jupyter-config.yml", map[string]any{"jupyterhub.singleuser.storage.capacity": "280Mi"})
		s.replace("jupyter-config.yml", "  auth:\n", "  auth:\n    password: open-sesame\n")
		s.commit("Think of giving homes more room")
		// A run that dies before it changes the hub leaves the release to plan with.
		s.try([]string{kill.Env + "=deploy:locked"}, "run", "--to", "bleeding-edge", "--key", "ci")
		st := statusOf(s.team)
		revision := func() string {
			return s.kubectl("bleeding-edge", "-n", s.name, "get", "secrets", "-l", "owner=helm", "-o", "name")
		}
		before := revision()
		r := s.gauntlet(0, "plan", st.Release.Short(), "testing")
		for _, want := range []string{"USER SERVERS", "ConfigMap/hub", "storage.capacity: 256Mi → 280Mi", "Deployment/hub: its pods restart", "key password: another value"} {
			if !strings.Contains(r.out, want) {
				t.Errorf("the plan does not say %q", want)
			}
		}
		if strings.Contains(r.out, "USERS CUT OFF") {
			t.Error("a restart of the hub alone cuts users off")
		}
		p := s.gauntlet(0, "plan", st.Release.Short(), "testing", "-o", "json")
		for _, secret := range []string{"open-sesame", base64.StdEncoding.EncodeToString([]byte("open-sesame"))} {
			if strings.Contains(r.all()+p.all(), secret) {
				t.Errorf("the plan shows %s", secret)
			}
		}
		if t.Failed() {
			t.Log(r.all())
		}
		if after := revision(); after != before || before == "" {
			t.Errorf("Helm's revisions: %s before and %s after", before, after)
		}
		s.replace("jupyter-config.yml", "    password: open-sesame\n", "")
	})
	t.Run("a value reuses images and pairing and redoes the rest", func(t *testing.T) {
		before := s.count()
		s.set("jupyter-config.yml", map[string]any{"jupyterhub.singleuser.storage.capacity": "300Mi"})
		s.commit("Give homes more room")
		s.gauntlet(0, "run", "--to", "bleeding-edge", "--key", "ci")
		after := s.count()
		for what, more := range map[string]int{"image PASSED": 0, "pairing PASSED": 0, "render PASSED": 1, "hub PASSED": 1, "deployment": 1} {
			if after[what] != before[what]+more {
				t.Errorf("%s: %d before and %d after, expected %d more", what, before[what], after[what], more)
			}
		}
		st := statusOf(s.team)
		v := read[gate.Verdict](t, s.try(nil, "deploy", st.Release.Short(), "far", "--check", "-o", "json"))
		if r := requirement(t, v, "signoff:linus"); r.Decision == gate.Allow {
			t.Error("a sign-off of other values counts")
		}
	})
	t.Run("what no commit holds goes to the first tier alone", func(t *testing.T) {
		s.set("jupyter-config.yml", map[string]any{"jupyterhub.singleuser.storage.capacity": "310Mi"})
		s.gauntlet(2, "run", "--key", "ci")
		s.gauntlet(2, "run", "--dirty", "--to", "production", "--key", "ci")
		s.gauntlet(0, "run", "--dirty", "--key", "ci")
		st := statusOf(s.team)
		made := func() gate.Requirement {
			v := read[gate.Verdict](t, s.try(nil, "deploy", st.Release.Short(), "far", "--check", "-o", "json"))
			return requirement(t, v, "release-made")
		}
		if r := made(); r.Decision != gate.Deny || !strings.Contains(r.Reason, "bleeding-edge") {
			t.Errorf("production: %s (%s)", r.Decision, r.Reason)
		}
		// Once it is committed it is the release that was tried.
		s.commit("Give homes a little more room")
		s.gauntlet(0, "run", "--to", "bleeding-edge", "--key", "ci")
		if now := statusOf(s.team); now.Release != st.Release {
			t.Errorf("release %s was tried, and %s is made of the commit", st.Release.Short(), now.Release.Short())
		}
		if r := made(); r.Decision != gate.Allow {
			t.Errorf("production: %s (%s)", r.Decision, r.Reason)
		}
	})
	t.Run("images of a repository elsewhere are those of its ref", func(t *testing.T) {
		elsewhere := t.TempDir()
		s.sh("git", "clone", "--quiet", "--bare", s.dir, elsewhere)
		s.replace("gauntlet.yaml", "  source: images\n", "  source: file://"+elsewhere+"#HEAD:images\n")
		s.commit("Keep the images elsewhere")
		r := s.gauntlet(0, "run", "--to", "bleeding-edge", "--key", "ci")
		if !strings.Contains(r.errout, "are built already") {
			t.Errorf("equal sources are built twice:\n%s", r.all())
		}
		s.replace("gauntlet.yaml", "#HEAD:images", "#no-such-branch:images")
		s.commit("Name a branch that is not there")
		if r := s.gauntlet(2, "run", "--key", "ci"); !strings.Contains(r.errout, "fetch no-such-branch from file://") {
			t.Errorf("the branch is not named:\n%s", r.errout)
		}
	})
}

func covers(got, want map[string]int) bool {
	for k, n := range want {
		if got[k] != n {
			return false
		}
	}
	return true
}

// count counts what the platform's ledger shows.
func (s *small) count() map[string]int {
	n := map[string]int{}
	for _, what := range s.shown() {
		n[what]++
	}
	return n
}
