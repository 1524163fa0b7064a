package gate

import (
	"testing"

	"gauntlet/internal/config"
	"gauntlet/internal/evidence"
)

// canaryBy is the canary's gate with these approvals only.
func canaryBy(names ...string) *world {
	w := newWorld()
	w.build()
	w.deploy("testing")
	w.check("testing")
	for _, n := range names {
		w.approve(n, "canary")
	}
	w.Tier, w.Hub = "canary", "compute-test"
	return w
}

func TestApprovalNeedsEnoughDifferentPeople(t *testing.T) {
	says(t, canaryBy(), "approval", Wait, "0 of 2")
	says(t, canaryBy("ada"), "approval", Wait, "1 of 2", "ada")
	says(t, canaryBy("ada", "ada", "ada"), "approval", Wait, "1 of 2")
	says(t, canaryBy("ada", "grace"), "approval", Allow, "ada and grace")
	if r := requirement(t, Evaluate(canaryBy("ada").Input), "approval"); r.Command != "gauntlet approve "+digest("R").Short()+" canary" {
		t.Errorf("command %q", r.Command)
	}
}

func TestAuthorsDoNotApproveTheirOwn(t *testing.T) {
	w := canaryBy("ada", "edsger")
	says(t, w, "approval", Wait, "1 of 2", "edsger wrote commit c1")
	if got := Authored(w.Input, "edsger"); got != "wrote commit c1" {
		t.Errorf("edsger %q", got)
	}
	if got := Authored(w.Input, "ada"); got != "" {
		t.Errorf("ada %q", got)
	}
}

func TestApprovalNeedsTheRole(t *testing.T) {
	says(t, canaryBy("ada", "linus"), "approval", Wait, "linus is not of role board")
}

func TestApprovalByAnUnknownKeyIsNamed(t *testing.T) {
	w := canaryBy("ada", "mallory") // as if the ledger had let it pass
	says(t, w, "approval", Wait, "unknown key")
	w = canaryBy("ada")
	w.Rejected = []Rejected{{ID: digest("m"), Reason: "unknown key sha256:00", Type: evidence.ApprovalType, Subjects: []evidence.Subject{w.self()}}}
	says(t, w, "approval", Wait, digest("m").Short(), "unknown key sha256:00")
}

func TestApprovalOfAnotherTierOrReleaseDoesNotCount(t *testing.T) {
	w := canaryBy("ada")
	w.approve("grace", "production")
	says(t, w, "approval", Wait, "1 of 2")
	w.say("grace", evidence.ApprovalType, evidence.Approval{Tier: "canary", Policy: w.PolicyDigest}, of(evidence.Release, digest("S")))
	says(t, w, "approval", Wait, "1 of 2")
	w.say("grace", evidence.ApprovalType, evidence.Approval{Tier: "canary", Policy: w.PolicyDigest}, of(evidence.Policy, w.ID))
	says(t, w, "approval", Wait, "1 of 2")
}

// A release may bring a policy.yaml that makes its author the board: what was
// approved under that one counts for nothing.
func TestApprovalUnderAnotherPolicyIsNamed(t *testing.T) {
	w := canaryBy("ada")
	w.say("grace", evidence.ApprovalType, evidence.Approval{Tier: "canary", Policy: digest("policy of R")}, w.self())
	says(t, w, "approval", Wait, "grace", "another policy", digest("policy of R").Short())
	w = canaryBy("ada")
	w.say("grace", evidence.ApprovalType, evidence.Approval{Tier: "canary"}, w.self())
	says(t, w, "approval", Wait, "another policy")
}

func TestSharedKeySpeaksForNobody(t *testing.T) {
	w := canaryBy("ada", "grace")
	p := w.Policy.People["linus"]
	p.Key = w.Policy.People["grace"].Key
	w.Policy.People["linus"] = p
	says(t, w, "approval", Wait, "grace and linus share")
}

func TestTooFewWhoMayApproveDenies(t *testing.T) {
	w := canaryBy("ada")
	delete(w.Policy.People, "grace")
	says(t, w, "approval", Deny, "only ada may give one")
}

// made replaces where the release came from, in a world with production's history.
func made(w *world, m evidence.Made) *world {
	w.say("builder", evidence.ReleaseType, m, w.self())
	return w
}

func history3(w *world) {
	before := func(name string, m evidence.Made) {
		w.say("builder", evidence.ReleaseType, m, of(evidence.Release, digest(name)))
	}
	before("P1", evidence.Made{Commit: "p1", Commits: []evidence.Commit{{ID: "p1", Author: "ada@example.org"}}})
	before("P2", evidence.Made{Commit: "p2", Base: "p1", Commits: []evidence.Commit{{ID: "p2", Author: "Grace@Example.org"}}})
	before("P4", evidence.Made{Commit: "p4", Base: "r", Commits: []evidence.Commit{{ID: "p4", Author: "grace@example.org"}}})
	before("P3", evidence.Made{Commit: "p3", Base: "p2", Commits: []evidence.Commit{{ID: "p3", Author: "edsger@example.org"}}})
}

func TestAuthorsAreThoseSinceProduction(t *testing.T) {
	mine := evidence.Commit{ID: "r", Author: "linus@example.org"}
	cases := []struct {
		name       string
		production string
		made       evidence.Made
		want       []string // who of the board is an author
	}{
		{"made on what production runs", "P3", evidence.Made{Commit: "r", Base: "p3", Commits: []evidence.Commit{mine}}, nil},
		{"production went back by one", "P2", evidence.Made{Commit: "r", Base: "p3", Commits: []evidence.Commit{mine}}, []string{"edsger"}},
		{"production went back by two", "P1", evidence.Made{Commit: "r", Base: "p3", Commits: []evidence.Commit{mine}}, []string{"edsger", "grace"}},
		{"no production", "", evidence.Made{Commit: "r", Base: "p3", Commits: []evidence.Commit{mine}}, []string{"ada", "edsger", "grace"}},
		{"production went on since", "P3", evidence.Made{Commit: "r", Base: "p2", Commits: []evidence.Commit{mine, {ID: "p3", Author: "edsger@example.org"}}}, nil},
		{"production is the release itself", "R", evidence.Made{Commit: "r", Base: "p3", Commits: []evidence.Commit{{ID: "r", Author: "ada@example.org"}}}, []string{"ada"}},
		{"production is made on the release", "P4", evidence.Made{Commit: "r", Base: "p3", Commits: []evidence.Commit{{ID: "r", Author: "ada@example.org"}}}, []string{"ada"}},
		{"the first release of all", "", evidence.Made{Commit: "r", Commits: []evidence.Commit{{ID: "r", Author: "ADA@example.org"}}}, []string{"ada"}},
	}
	for _, c := range cases {
		w := newWorld()
		history3(w)
		made(w, c.made)
		if c.production != "" {
			w.Production = digest(c.production)
		}
		got, err := gather(w.Input).authors()
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		for _, who := range []string{"ada", "edsger", "grace"} {
			want := false
			for _, n := range c.want {
				want = want || n == who
			}
			if _, is := got[who]; is != want {
				t.Errorf("%s: %s an author: %v, want %v", c.name, who, is, want)
			}
		}
	}
}

func TestUnknownHistoryLetsNobodyApprove(t *testing.T) {
	w := canaryBy("ada", "grace")
	made(w, evidence.Made{Commit: "r", Base: "lost", Commits: []evidence.Commit{{ID: "r", Author: "linus@example.org"}}})
	says(t, w, "approval", Wait, "lost")
}

func TestMakerWithoutAddressIsTakenForAnAuthor(t *testing.T) {
	w := canaryBy("ada", "grace")
	w.Policy.People["grace"] = person("grace", "", config.RoleBoard, config.RoleBuilder)
	w.say("grace", evidence.ReleaseType, evidence.Made{Commit: "c1"}, w.self())
	says(t, w, "approval", Wait, "grace made the release")
}

// The word that let a release into canary is asked for at every later gate.
func TestEarlierApprovalsStayDue(t *testing.T) {
	w := toProduction()
	w.Policy.Tiers[2].Approval = nil // production itself asks for none
	says(t, w, "approval", Allow, "approved for canary by ada and grace")
	for i, r := range w.Evidence {
		if r.Type == evidence.ApprovalType && r.Signer == evidence.KeyID(keyOf("grace")) {
			w.Evidence[i].Predicate = []byte(`{"tier":"canary","policy":"` + string(digest("policy of R")) + `"}`)
		}
	}
	says(t, w, "approval", Wait, "1 of 2", "another policy")
}
