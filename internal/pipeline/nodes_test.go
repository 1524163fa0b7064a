package pipeline

import (
	"testing"
	"time"

	"gauntlet/internal/check/suites"
	"gauntlet/internal/config"
	"gauntlet/internal/evidence"
)

func TestNodesAreFollowedSinceTheLastDeploymentByWhatCheckersSaid(t *testing.T) {
	about := of(evidence.Deployable, digest("A on compute"))
	tier := config.Tier{Name: "testing", Nodes: config.NodeLimits{Warn: 45 * time.Minute, Fail: 2 * time.Hour}}
	scaling := func(hub string, nodes ...string) evidence.TestResult {
		r := resultOf(evidence.Passed, "5ca1e", hub)
		r.Suite = suites.ScalingName
		for _, n := range nodes {
			r.Brought = append(r.Brought, evidence.Node{Name: n, UID: "uid of " + n})
		}
		return r
	}
	deployed := evidence.Deployment{Hub: "compute"}
	for name, tt := range map[string]struct {
		say  func(*sight)
		ran  bool
		node string // the one that is followed, "" for none
	}{
		"nothing ran":           {func(*sight) {}, false, ""},
		"it brought a node":     {func(s *sight) { s.say(t, "checker", evidence.TestResultType, scaling("compute", "n1"), about) }, true, "n1"},
		"it brought none":       {func(s *sight) { s.say(t, "checker", evidence.TestResultType, scaling("compute"), about) }, true, ""},
		"it ran on another hub": {func(s *sight) { s.say(t, "checker", evidence.TestResultType, scaling("coastal", "n1"), about) }, false, ""},
		"somebody else says so": {func(s *sight) { s.say(t, "user", evidence.TestResultType, scaling("compute", "n1"), about) }, false, ""},
		"the newest run counts": {func(s *sight) {
			s.say(t, "checker", evidence.TestResultType, scaling("compute", "n1"), about)
			s.say(t, "checker", evidence.TestResultType, scaling("compute", "n2"), about)
		}, true, "n2"},
		"another was deployed since": {func(s *sight) {
			s.say(t, "checker", evidence.TestResultType, scaling("compute", "n1"), about)
			s.say(t, "deployer", evidence.DeploymentType, deployed, of(evidence.Deployable, digest("B on compute")))
		}, false, ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSight()
			s.say(t, "deployer", evidence.DeploymentType, deployed, about)
			tt.say(s)
			watch, on := s.nodeWatch("compute", tier)
			node := ""
			if len(watch.Nodes) > 0 {
				node = watch.Nodes[0].Name
			}
			if watch.Ran != tt.ran || node != tt.node || tt.ran != (on == about.Digest) || watch.Fail != 2*time.Hour {
				t.Errorf("%+v of %q", watch, on)
			}
		})
	}
}
