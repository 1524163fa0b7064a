package pipeline

import (
	"testing"
	"time"

	"gauntlet/internal/check"
	"gauntlet/internal/deploy"
	"gauntlet/internal/evidence"
	"gauntlet/internal/gate"
)

// resultOf is a result of suite "hub" with a digest.
func resultOf(state, suiteDigest, hub string) evidence.TestResult {
	return evidence.TestResult{
		Result: state, Suite: "hub", Hub: hub, Finished: day,
		Configuration: []evidence.Descriptor{{Name: "hub", Digest: map[string]string{"sha256": suiteDigest}}},
		Checks:        []evidence.Check{{Name: "spawn", State: state}},
	}
}

func TestAResultIsReusedOnlyWhenItStillHolds(t *testing.T) {
	suite := check.Suite{Name: "hub", Digest: "5417e"}
	about := of(evidence.Deployable, digest("A on compute"))
	other := of(evidence.Deployable, digest("B on compute"))
	passed := resultOf(evidence.Passed, "5417e", "compute")
	failed := resultOf(evidence.Failed, "5417e", "compute")

	type statement struct {
		who       string
		predicate any
		about     evidence.Subject
	}
	result := func(r evidence.TestResult) statement { return statement{"checker", r, about} }
	deployed := func(hub string, reused bool) statement {
		return statement{"deployer", evidence.Deployment{Hub: hub, Reused: reused}, about}
	}
	for name, tt := range map[string]struct {
		ledger []statement
		reused bool
	}{
		"nothing ran":                     {nil, false},
		"it passed":                       {[]statement{result(passed)}, true},
		"it passed with a warning":        {[]statement{result(resultOf(evidence.Warned, "5417e", "compute"))}, true},
		"it failed":                       {[]statement{result(failed)}, false},
		"it failed since":                 {[]statement{result(passed), result(failed)}, false},
		"it passed since":                 {[]statement{result(failed), result(passed)}, true},
		"the suite has changed":           {[]statement{result(resultOf(evidence.Passed, "01d", "compute"))}, false},
		"the suite changed and back":      {[]statement{result(passed), result(resultOf(evidence.Passed, "01d", "compute"))}, false},
		"by a user":                       {[]statement{{"user", passed, about}}, false},
		"by an unknown key":               {[]statement{{"stranger", passed, about}}, false},
		"a user's failure does not count": {[]statement{result(passed), {"user", failed, about}}, true},
		"of another deployable":           {[]statement{{"checker", passed, other}}, false},
		"on another hub":                  {[]statement{result(resultOf(evidence.Passed, "5417e", "coastal"))}, false},
		"with no suite named": {[]statement{{"checker", evidence.TestResult{Result: evidence.Passed, Suite: "hub", Hub: "compute",
			Checks: []evidence.Check{{Name: "spawn", State: evidence.Passed}}}, about}}, false},
		"that rests on no check": {[]statement{{"checker", evidence.TestResult{Result: evidence.Passed, Suite: "hub", Hub: "compute",
			Configuration: passed.Configuration}, about}}, false},
		"of an unknown state":                   {[]statement{result(resultOf("", "5417e", "compute"))}, false},
		"deployed before it":                    {[]statement{deployed("compute", false), result(passed)}, true},
		"deployed since":                        {[]statement{result(passed), deployed("compute", false)}, false},
		"found unchanged since":                 {[]statement{result(passed), deployed("compute", true)}, true},
		"another hub deployed since":            {[]statement{result(passed), deployed("coastal", false)}, true},
		"a user says that it was deployed":      {[]statement{result(passed), {"user", evidence.Deployment{Hub: "compute"}, about}}, true},
		"deployed since, then found unchanged":  {[]statement{result(passed), deployed("compute", false), deployed("compute", true)}, false},
		"deployed since, and it passed anew":    {[]statement{result(passed), deployed("compute", false), result(passed)}, true},
		"deployed since, and it failed anew":    {[]statement{result(passed), deployed("compute", false), result(failed)}, false},
		"what cannot be read is no deployment":  {[]statement{result(passed), {"deployer", "nonsense", about}}, true},
		"what cannot be read is no test result": {[]statement{result(passed), {"checker", "nonsense", about}}, true},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSight()
			for _, st := range tt.ledger {
				typ := evidence.TestResultType
				if _, ok := st.predicate.(evidence.Deployment); ok || st.predicate == "nonsense" && st.who == "deployer" {
					typ = evidence.DeploymentType
				}
				s.say(t, st.who, typ, st.predicate, st.about)
			}
			if _, ok := s.result(suite, about, "compute"); ok != tt.reused {
				t.Errorf("reused: %v, expected %v", ok, tt.reused)
			}
		})
	}
}

// A suite that runs on no hub holds whatever is deployed.
func TestAResultOnNoHubOutlivesDeployments(t *testing.T) {
	s := newSight()
	about := of(evidence.ImageSet, digest("images"))
	s.say(t, "checker", evidence.TestResultType, resultOf(evidence.Passed, "5417e", ""), about)
	s.brings(t, "deployer", "A", evidence.Deployment{Hub: "compute"})
	if _, ok := s.result(check.Suite{Name: "hub", Digest: "5417e"}, about, ""); !ok {
		t.Error("it is not reused")
	}
}

func TestADeploymentIsKnownOnlyInTheRevisionThatRuns(t *testing.T) {
	ended := day.Add(time.Hour)
	done := evidence.Deployment{Hub: "compute", Revision: 3, Started: day, Finished: ended}
	request := deploy.Request{Release: digest("A"), Deployable: digest("A on compute")}
	runs := gate.HubState{Deployable: digest("A on compute").Label(), Revision: 3, Since: ended}
	for name, tt := range map[string]struct {
		said          func(*testing.T, *sight)
		state         gate.HubState
		known, judged bool
	}{
		"nothing was recorded": {func(*testing.T, *sight) {}, runs, false, false},
		"it was":               {func(t *testing.T, s *sight) { s.brings(t, "deployer", "A", done) }, runs, true, true},
		"the hub runs another revision": {func(t *testing.T, s *sight) { s.brings(t, "deployer", "A", done) },
			gate.HubState{Revision: 4, Since: ended}, false, false},
		"on another hub": {func(t *testing.T, s *sight) {
			s.brings(t, "deployer", "A", evidence.Deployment{Hub: "coastal", Revision: 3, Finished: ended})
		}, runs, false, false},
		"by a user":    {func(t *testing.T, s *sight) { s.brings(t, "user", "A", done) }, runs, false, false},
		"by a checker": {func(t *testing.T, s *sight) { s.brings(t, "checker", "A", done) }, runs, false, false},
		"before the hub was made anew": {func(t *testing.T, s *sight) { s.brings(t, "deployer", "A", done) },
			gate.HubState{Revision: 3, Since: ended.Add(time.Second)}, false, false},
		"with another release, of the same deployable": {func(t *testing.T, s *sight) {
			s.say(t, "deployer", evidence.DeploymentType, done, of(evidence.Release, digest("B")), of(evidence.Deployable, request.Deployable))
		}, runs, true, false},
		"with both": {func(t *testing.T, s *sight) {
			s.say(t, "deployer", evidence.DeploymentType, done, of(evidence.Release, digest("B")), of(evidence.Deployable, request.Deployable))
			s.brings(t, "deployer", "A", done)
		}, runs, true, true},
		"of another deployable": {func(t *testing.T, s *sight) { s.brings(t, "deployer", "B", done) }, runs, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSight()
			tt.said(t, s)
			known, judged := s.deployment("compute", request, tt.state)
			if known != tt.known || judged != tt.judged {
				t.Errorf("known %v, judged %v; expected %v, %v", known, judged, tt.known, tt.judged)
			}
		})
	}
}
