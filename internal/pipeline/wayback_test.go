package pipeline

import (
	"strings"
	"testing"

	"gauntlet/internal/deploy"
	"gauntlet/internal/evidence"
)

func rev(n int, status, what string) deploy.Revision {
	r := deploy.Revision{Revision: n, Status: status}
	if what != "" {
		r.Deployable, r.Access = digest(what+" on compute").Label(), digest("access").Label()
	}
	return r
}

func TestAHubGoesBackToTheNewestThatPassedItsSuites(t *testing.T) {
	const deployed, superseded, failed = "deployed", "superseded", "failed"
	asked := rev(0, "", "B")
	for name, tt := range map[string]struct {
		before int
		revs   []deploy.Revision
		to     int
		why    string // "" with to 0: there is nothing to undo
	}{
		"the rollout failed":              {1, []deploy.Revision{rev(2, failed, "B"), rev(1, deployed, "A")}, 1, ""},
		"a suite failed":                  {1, []deploy.Revision{rev(2, deployed, "B"), rev(1, superseded, "A")}, 1, ""},
		"nothing was written":             {1, []deploy.Revision{rev(1, deployed, "A")}, 0, ""},
		"nothing is there":                {0, nil, 0, ""},
		"it was the first":                {0, []deploy.Revision{rev(1, failed, "B")}, 0, "nothing here before"},
		"what was before never ran":       {1, []deploy.Revision{rev(2, failed, "B"), rev(1, failed, "A")}, 0, "nothing here before"},
		"another tool's was before":       {1, []deploy.Revision{rev(2, failed, "B"), rev(1, deployed, "")}, 0, "nothing here before"},
		"what was taken over was before":  {1, []deploy.Revision{rev(2, failed, "B"), {Revision: 1, Status: deployed, Adopted: true}}, 1, ""},
		"what was before passed nothing":  {1, []deploy.Revision{rev(2, failed, "B"), rev(1, deployed, "unverified")}, 0, "--to 1"},
		"an older one passed":             {3, []deploy.Revision{rev(4, failed, "B"), rev(3, deployed, "unverified"), rev(2, failed, "A"), rev(1, superseded, "A")}, 1, ""},
		"others were faster":              {1, []deploy.Revision{rev(2, deployed, "C"), rev(1, superseded, "A")}, 0, "somebody else"},
		"another tool was faster":         {1, []deploy.Revision{rev(2, deployed, ""), rev(1, superseded, "A")}, 0, "somebody else"},
		"two attempts failed":             {2, []deploy.Revision{rev(3, failed, "B"), rev(2, failed, "B"), rev(1, deployed, "A")}, 1, ""},
		"a killed run had deployed it":    {2, []deploy.Revision{rev(2, deployed, "B"), rev(1, superseded, "A")}, 1, ""},
		"it has run and passed long ago":  {2, []deploy.Revision{rev(2, deployed, "verified B"), rev(1, superseded, "A")}, 0, ""},
		"an attempt of before was failed": {2, []deploy.Revision{rev(2, failed, "B"), rev(1, superseded, "A")}, 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			want := asked
			if strings.HasPrefix(name, "it has run") {
				want = rev(0, "", "verified B")
			}
			to, why := wayBack("compute", tt.before, tt.revs, want, func(r deploy.Revision) bool {
				return r.Same(rev(0, "", "A")) || r.Same(rev(0, "", "verified B"))
			})
			if to != tt.to || (tt.why == "") != (why == "") || !strings.Contains(why, tt.why) {
				t.Errorf("to %d, %q", to, why)
			}
		})
	}
}

func TestARevisionIsVerifiedByWhatPassedWhileItRan(t *testing.T) {
	passed := func(hub string) evidence.TestResult {
		return evidence.TestResult{Suite: "hub", Hub: hub, Result: evidence.Passed, Checks: []evidence.Check{{Name: "it works"}}}
	}
	failed := passed("compute")
	failed.Result = evidence.Failed
	empty := passed("compute")
	empty.Checks = nil
	on := of(evidence.Deployable, digest("A on compute"))
	for name, tt := range map[string]struct {
		say  func(*testing.T, *sight)
		want bool
	}{
		"passed":           {func(t *testing.T, s *sight) { s.say(t, "checker", evidence.TestResultType, passed("compute"), on) }, true},
		"nothing ran":      {func(*testing.T, *sight) {}, false},
		"failed":           {func(t *testing.T, s *sight) { s.say(t, "checker", evidence.TestResultType, failed, on) }, false},
		"of no check":      {func(t *testing.T, s *sight) { s.say(t, "checker", evidence.TestResultType, empty, on) }, false},
		"by somebody else": {func(t *testing.T, s *sight) { s.say(t, "builder", evidence.TestResultType, passed("compute"), on) }, false},
		"on another hub":   {func(t *testing.T, s *sight) { s.say(t, "checker", evidence.TestResultType, passed("coastal"), on) }, false},
		"of another": {func(t *testing.T, s *sight) {
			s.say(t, "checker", evidence.TestResultType, passed("compute"), of(evidence.Deployable, digest("B on compute")))
		}, false},
		"passed and then left": {func(t *testing.T, s *sight) {
			s.say(t, "checker", evidence.TestResultType, passed("compute"), on)
			s.brings(t, "deployer", "B", evidence.Deployment{Hub: "compute", Revision: 4})
		}, true},
		"passed after another came": {func(t *testing.T, s *sight) {
			s.brings(t, "deployer", "B", evidence.Deployment{Hub: "compute", Revision: 4})
			s.say(t, "checker", evidence.TestResultType, passed("compute"), on)
		}, false},
		"passed after it failed": {func(t *testing.T, s *sight) {
			s.say(t, "checker", evidence.TestResultType, failed, on)
			s.say(t, "checker", evidence.TestResultType, passed("compute"), on)
		}, true},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSight()
			s.brings(t, "deployer", "A", evidence.Deployment{Hub: "compute", Revision: 3})
			tt.say(t, s)
			if got := s.verified("compute", rev(3, "deployed", "A"), []string{"hub"}); got != tt.want {
				t.Errorf("got %v", got)
			}
			if s.verified("compute", rev(3, "deployed", "A"), nil) || s.verified("compute", rev(2, "deployed", "A"), []string{"hub"}) {
				t.Error("no suite, or another revision, counts as verified")
			}
			if !s.knows("compute", rev(3, "deployed", "A")) || s.knows("compute", rev(5, "deployed", "A")) || s.knows("coastal", rev(3, "deployed", "A")) {
				t.Error("the ledger knows other revisions than it does")
			}
		})
	}
}
