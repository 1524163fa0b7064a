package gate

import (
	"testing"
	"time"

	"gauntlet/internal/evidence"
	"gauntlet/internal/release"
)

// back rolls a hub back to the release, by somebody, from another.
func (w *world) back(who, hub string) {
	w.States[hub] = HubState{Deployable: w.Release.Hubs[hub].Deployable.Label(), Release: w.ID.Label(), Revision: 4}
	w.say(who, evidence.RollbackType,
		evidence.Rollback{Hub: hub, Tier: w.Hubs[hub], From: 3, To: 2, Revision: 4, Reason: "blank plots", Started: w.Now, Finished: w.Now.Add(time.Minute)},
		w.self(), w.on(hub))
}

func TestAfterARollbackTheHubRunsTheReleaseAgain(t *testing.T) {
	for _, who := range []string{"deployer", "ada"} {
		w := toProduction()
		w.other("coastal")
		says(t, w, "order:coastal", Wait, "another since")
		w.back(who, "coastal")
		says(t, w, "order:coastal", Wait, "has not run on hub coastal since")
		w.check("coastal")
		says(t, w, "order:coastal", Allow)
	}
}

func TestARollbackEndsTheStayOfWhatItLeft(t *testing.T) {
	w := toProduction()
	w.say("ada", evidence.RollbackType, evidence.Rollback{Hub: "coastal", Tier: "production", Started: w.Now, Finished: w.Now},
		of(evidence.Release, digest("S")), of(evidence.Deployable, digest("S on coastal")))
	says(t, w, "order:coastal", Wait, "another since")
}

func TestWhoMayNotRollBackSaysNothing(t *testing.T) {
	for _, who := range []string{"builder", "checker", "voucher", "linus", "mallory"} {
		w := toProduction()
		w.other("coastal")
		w.back(who, "coastal")
		says(t, w, "order:coastal", Wait, "another since")
	}
}

// A rollback went through no gate, so it cannot stand for the deployment that did.
func TestARollbackIsNoFirstDeployment(t *testing.T) {
	w := toProduction()
	w.Evidence = nil
	w.back("ada", "coastal")
	w.check("coastal")
	w.Hub = "impactlab"
	says(t, w, "order:coastal", Wait, "not deployed on hub coastal yet")
}

func TestARollbackDoesNotMoveAHubToAnotherTier(t *testing.T) {
	w := toProduction()
	w.Hubs["coastal"] = "bleeding-edge"
	w.Release.Hubs["coastal"] = release.Part{Deployable: w.Release.Hubs["coastal"].Deployable, Target: release.Target{Tier: "bleeding-edge"}}
	w.back("ada", "coastal")
	w.Tier, w.Hub = "bleeding-edge", "coastal"
	says(t, w, "target", Deny, "last deployed as a hub of production")
}
