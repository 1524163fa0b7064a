package gate

import (
	"testing"

	"gauntlet/internal/evidence"
	"gauntlet/internal/release"
)

func liftedVeto() *world {
	w := toProduction()
	id := w.veto("linus", "")
	w.veto("linus", id)
	return w
}

func (w *world) veto(who string, lifts release.Digest) release.Digest {
	return w.say(who, evidence.VetoType, evidence.Veto{Reason: "plots are blank", Lifts: lifts}, w.self())
}

func TestVetoDenies(t *testing.T) {
	for _, who := range []string{"ada", "linus", "barbara"} {
		w := toProduction()
		w.veto(who, "")
		says(t, w, "no-veto", Deny, who, "plots are blank")
	}
}

func TestOnlyItsAuthorLiftsAVeto(t *testing.T) {
	for _, who := range []string{"ada", "grace", "barbara", "deployer", "mallory"} {
		w := toProduction()
		id := w.veto("linus", "")
		w.veto(who, id)
		says(t, w, "no-veto", Deny, "linus")
	}
	says(t, liftedVeto(), "no-veto", Allow, "lifted by linus")
}

func TestLiftingOneVetoLeavesAnother(t *testing.T) {
	w := liftedVeto()
	w.veto("linus", "")
	says(t, w, "no-veto", Deny, "linus")
}

func TestLiftOfAnotherReleaseLiftsNothing(t *testing.T) {
	w := toProduction()
	id := w.veto("linus", "")
	w.say("linus", evidence.VetoType, evidence.Veto{Lifts: id}, of(evidence.Release, digest("S")))
	says(t, w, "no-veto", Deny, "linus")
}

func TestVetoWithoutARoleIsNamed(t *testing.T) {
	w := toProduction()
	w.veto("builder", "")
	says(t, w, "no-veto", Allow, "builder", "does not count")
	w.Rejected = []Rejected{{ID: digest("bad"), Reason: "bad signature", Type: evidence.VetoType, Subjects: []evidence.Subject{w.self()}}}
	says(t, w, "no-veto", Allow, digest("bad").Short(), "bad signature")
}
