package gate

import (
	"slices"
	"testing"

	"gauntlet/internal/evidence"
	"gauntlet/internal/release"
)

func (w *world) held(who string, h evidence.Hold) release.Digest {
	if h.Reason == "" {
		h.Reason = "storage moves"
	}
	return w.say(who, evidence.HoldType, h, of(evidence.Policy, w.PolicyDigest))
}

func (w *world) lift(who string, id release.Digest) {
	w.say(who, evidence.HoldType, evidence.Hold{Lifts: id}, of(evidence.Policy, w.PolicyDigest))
}

func liftedHold() *world {
	w := toProduction()
	w.lift("deployer", w.held("deployer", evidence.Hold{}))
	return w
}

func TestAHoldIsWaitedOut(t *testing.T) {
	for name, h := range map[string]evidence.Hold{
		"everything": {}, "hub compute": {Hub: "compute"}, "tier production": {Tier: "production"},
	} {
		for _, who := range []string{"ada", "deployer"} {
			w := toProduction()
			id := w.held(who, h)
			says(t, w, "no-hold", Wait, name+" held by "+who+" since ", "storage moves")
			v := Evaluate(w.Input)
			if v.Decision != Wait || requirement(t, v, "no-hold").Command != "gauntlet hold --lift "+id.Short() {
				t.Errorf("%s: %s", name, show(v))
			}
			// It outlives the policy that it was said under.
			w.Evidence[len(w.Evidence)-1].Subjects[0].Digest = digest("policy before")
			says(t, w, "no-hold", Wait, who)
		}
	}
}

func TestAHoldOfSomethingElseDoesNotMatter(t *testing.T) {
	for _, h := range []evidence.Hold{{Hub: "coastal"}, {Hub: "testing"}, {Tier: "canary"}} {
		w := toProduction()
		w.held("ada", h)
		says(t, w, "no-hold", Allow, "nobody holds the line")
	}
	w := toProduction()
	w.say("ada", evidence.HoldType, evidence.Hold{Reason: "x"}, of(evidence.Release, digest("S")))
	says(t, w, "no-hold", Allow, "nobody")
	w.say("ada", evidence.HoldType, evidence.Hold{Reason: "x", Hub: "coastal"}, w.self())
	says(t, w, "no-hold", Wait, "release "+w.ID.Short()+" held by ada")
}

func TestATierWaitsForItsHeldHubUnlessAnyWillDo(t *testing.T) {
	w := toProduction()
	w.Hub = ""
	w.held("ada", evidence.Hold{Hub: "coastal"})
	says(t, w, "no-hold", Wait, "coastal")
	w = toCanary()
	w.Tier, w.Hub = "bleeding-edge", ""
	w.held("ada", evidence.Hold{Hub: "testing"})
	says(t, w, "no-hold", Allow)
}

func TestWhoMayNotHoldDoesNot(t *testing.T) {
	for _, who := range []string{"builder", "checker", "voucher", "linus", "mallory"} {
		w := toProduction()
		w.held(who, evidence.Hold{})
		says(t, w, "no-hold", Allow, "does not count: only board and deployers have one")
	}
	w := toProduction()
	w.Rejected = []Rejected{{ID: digest("bad"), Reason: "bad signature", Type: evidence.HoldType, Subjects: []evidence.Subject{of(evidence.Policy, w.PolicyDigest)}}}
	says(t, w, "no-hold", Allow, digest("bad").Short(), "bad signature")
}

func TestWhoSetAHoldOrTheBoardLiftsIt(t *testing.T) {
	for who, want := range map[string]Decision{
		"deployer": Allow, "ada": Allow, "grace": Allow,
		"builder": Wait, "linus": Wait, "mallory": Wait,
	} {
		w := toProduction()
		w.lift(who, w.held("deployer", evidence.Hold{}))
		says(t, w, "no-hold", want)
	}
	// A deployer does not lift what the board holds, and one lift lifts one hold.
	w := toProduction()
	w.lift("deployer", w.held("ada", evidence.Hold{}))
	says(t, w, "no-hold", Wait, "ada")
	w = liftedHold()
	says(t, w, "no-hold", Allow, "lifted by deployer")
	w.held("deployer", evidence.Hold{})
	says(t, w, "no-hold", Wait, "deployer")
	if s := Standing(w.Policy, w.Evidence); len(s) != 1 || s[0].Who != "deployer" || s[0].Of() != "everything" {
		t.Errorf("standing: %+v", s)
	}
}

// Whatever is missing, a hold that is added never opens the gate.
func TestAnAddedHoldNeverHelps(t *testing.T) {
	whole := toProduction()
	for i := range whole.Evidence {
		for _, who := range []string{"ada", "deployer", "linus", "mallory"} {
			for _, h := range []evidence.Hold{{}, {Hub: "compute"}, {Hub: "coastal"}, {Tier: "production"}, {Lifts: whole.Evidence[i].ID}} {
				w := toProduction()
				w.Evidence = slices.Delete(w.Evidence, i, i+1)
				before := Evaluate(w.Input).Decision
				w.held(who, h)
				if after := Evaluate(w.Input).Decision; worse(before, after) != after {
					t.Errorf("without record %d a hold %+v by %s turns %s into %s", i, h, who, before, after)
				}
			}
		}
	}
}

func TestLadderShowsAHold(t *testing.T) {
	w := toProduction()
	id := w.held("ada", evidence.Hold{Tier: "production"})
	s := Ladder(w.Input)[4]
	if s.State != Waiting || s.Command != "gauntlet hold --lift "+id.Short() {
		t.Errorf("%+v", s)
	}
	w = toCanary()
	w.held("ada", evidence.Hold{})
	if s := Ladder(w.Input)[3]; s.State != Waiting {
		t.Errorf("%+v", s)
	}
}
