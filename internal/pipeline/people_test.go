package pipeline

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gauntlet/internal/config"
	"gauntlet/internal/evidence"
	"gauntlet/internal/release"
)

func TestVetoesAreThoseOfOneKeyThatStand(t *testing.T) {
	s := newSight()
	r := of(evidence.Release, digest("R"))
	first := s.say(t, "user", evidence.VetoType, evidence.Veto{Reason: "slow"}, r)
	s.say(t, "board", evidence.VetoType, evidence.Veto{Reason: "ugly"}, r)
	s.say(t, "user", evidence.VetoType, evidence.Veto{Reason: "elsewhere"}, of(evidence.Release, digest("other")))
	s.say(t, "board", evidence.VetoType, evidence.Veto{Lifts: first}, r) // not theirs to lift
	second := s.say(t, "user", evidence.VetoType, evidence.Veto{Reason: "wrong"}, r)
	if d := cmp.Diff([]release.Digest{first, second}, s.vetoes(r.Digest, keyID("user"))); d != "" {
		t.Error(d)
	}
	s.say(t, "user", evidence.VetoType, evidence.Veto{Lifts: first}, r)
	if d := cmp.Diff([]release.Digest{second}, s.vetoes(r.Digest, keyID("user"))); d != "" {
		t.Error(d)
	}
}

func TestTierOfThePolicyByItsName(t *testing.T) {
	s := newSight()
	if tier, err := s.tier("production"); err != nil || tier.Name != "production" {
		t.Errorf("got %+v, %v", tier, err)
	}
	if _, err := s.tier("prod"); err == nil || err.Error() != `the policy has no tier "prod": its tiers are testing, production` {
		t.Errorf("got %v", err)
	}
}

func TestSuitesThatNobodyCanRunAreRefused(t *testing.T) {
	p := newSight().policy
	for i := range p.Tiers {
		p.Tiers[i].Budget.Spawns = 1
	}
	w := &Workspace{Platform: &config.Platform{Suites: map[string]config.Suite{"workflows": {}}}}
	if err := w.checkSuites(&p); err != nil {
		t.Error(err)
	}
	p.Tiers = append(p.Tiers, config.Tier{Name: "canary", Suites: []string{"hub", "fireworks"}, Budget: config.Budget{Spawns: 2}})
	if err := w.checkSuites(&p); err == nil {
		t.Error("a suite that does not exist is taken")
	}
	p.Tiers[len(p.Tiers)-1].Suites = []string{"completion", "workflows"}
	if err := w.checkSuites(&p); err != nil {
		t.Errorf("gauntlet's and the platform's own are refused: %v", err)
	}
	w.Platform.Suites["hub"] = config.Suite{}
	if err := w.checkSuites(&p); err == nil {
		t.Error("a suite of the platform's own takes the name of one of gauntlet's")
	}
}

func TestSuitesThatCostMoreThanTheBudgetAreRefused(t *testing.T) {
	w := &Workspace{Platform: &config.Platform{
		Suites: map[string]config.Suite{"workflows": {}}, Storage: []config.Store{{URL: "s3://climate"}},
	}}
	for name, tt := range map[string]struct {
		suites []string
		budget config.Budget
		says   string // "" when it is within
	}{
		"one server of one":    {[]string{"hub"}, config.Budget{Spawns: 1}, ""},
		"two servers of one":   {[]string{"hub", "workflows"}, config.Budget{Spawns: 1}, "budget: {spawns: 2}"},
		"nodes within":         {[]string{"scaling", "nodes"}, config.Budget{Spawns: 1, Nodes: 3}, ""},
		"nodes in production":  {[]string{"scaling"}, config.Budget{Spawns: 1}, "scaling starts 1 server and may add 3 nodes"},
		"nodes for storage":    {[]string{"storage"}, config.Budget{Spawns: 1}, "may add 2 nodes"},
		"nodes that are there": {[]string{"nodes"}, config.Budget{}, ""},
	} {
		err := w.withinBudget(config.Tier{Name: "production", Suites: tt.suites, Budget: tt.budget})
		if (tt.says == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// buildOf is a build of two images from a commit.
func buildOf(commit string) evidence.Build {
	return evidence.Build{Commit: commit, Label: commit, Images: map[string]release.Digest{
		"notebook": digest("notebook " + commit), "worker": digest("worker " + commit),
	}}
}

func TestALabelIsTheVersionElseTheCommitOfTheImages(t *testing.T) {
	b := buildOf("c1")
	set := release.ImageSet{Images: b.Images}
	contents := &release.Contents{Release: release.Release{ImageSet: set.Digest()}}
	id := contents.Digest()
	w, s := &Workspace{}, newSight()
	if l := w.imageLabel(s, contents); l != "untagged" {
		t.Errorf("got %q before anybody built it", l)
	}
	s.say(t, "user", evidence.BuildType, buildOf("forged"), of(evidence.ImageSet, set.Digest()))
	if l := w.imageLabel(s, contents); l != "untagged" {
		t.Errorf("got %q of who is no builder", l)
	}
	s.say(t, "builder", evidence.BuildType, b, of(evidence.ImageSet, set.Digest()))
	if l := w.imageLabel(s, contents); l != "c1" {
		t.Errorf("got %q", l)
	}
	s.say(t, "deployer", evidence.VersionType, evidence.Version{Version: "v1.0.0"}, of(evidence.Release, id))
	if l := w.imageLabel(s, contents); l != "v1.0.0" {
		t.Errorf("got %q", l)
	}
}
