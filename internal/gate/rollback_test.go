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

// leave rolls a hub back from the release, by somebody, to another.
func (w *world) leave(who, hub string, change ...func(*evidence.Rollback)) release.Digest {
	b := evidence.Rollback{Hub: hub, Tier: w.Hubs[hub], From: 3, To: 2, Revision: 4, Reason: "blank plots", Started: w.Now, Finished: w.Now,
		FromRelease: w.ID.Label(), FromDeployable: w.Release.Hubs[hub].Deployable.Label()}
	for _, c := range change {
		c(&b)
	}
	return w.say(who, evidence.RollbackType, b, of(evidence.Release, digest("S")), of(evidence.Deployable, digest("S on "+hub)))
}

func TestWhatWasRolledBackFromWaitsUntilSomebodyLiftsThat(t *testing.T) {
	for _, hub := range []string{"coastal", "impactlab", "compute"} { // the gate asks for compute
		w := toProduction()
		says(t, w, "not-rolled-back", Allow)
		id := w.leave("deployer", hub)
		says(t, w, "not-rolled-back", Wait, "deployer rolled hub "+hub+" back from it", "blank plots")
		if r := requirement(t, Evaluate(w.Input), "not-rolled-back"); r.Command != "gauntlet hold --lift "+id.Short() {
			t.Errorf("%+v", r)
		}
		says(t, w, "no-hold", Allow)
		if s := Standing(w.Policy, w.Evidence); len(s) != 1 || s[0].Back == nil || s[0].Of() != "release "+w.ID.Short()+" in tier production" {
			t.Errorf("%+v", s)
		}
		w.lift("linus", id)
		says(t, w, "not-rolled-back", Wait)
		w.lift("ada", id)
		says(t, w, "not-rolled-back", Allow, "ada lifted that")
		w.leave("deployer", hub)
		says(t, w, "not-rolled-back", Wait)
	}
}

func TestWhatARollbackHoldsBack(t *testing.T) {
	for name, tt := range map[string]struct {
		do   func(*world)
		want Decision
	}{
		"the same of another release": {func(w *world) {
			w.leave("ada", "coastal", func(b *evidence.Rollback) { b.FromRelease = digest("before").Label() })
		}, Wait},
		"another release": {func(w *world) {
			w.leave("ada", "coastal", func(b *evidence.Rollback) { b.FromRelease, b.FromDeployable = digest("x").Label(), digest("y").Label() })
		}, Allow},
		"in another tier": {func(w *world) { w.leave("ada", "compute-test") }, Allow},
		"by who may not":  {func(w *world) { w.leave("linus", "coastal") }, Allow},
		"by nobody known": {func(w *world) { w.leave("mallory", "coastal") }, Allow},
		"from what another tool made": {func(w *world) {
			w.leave("ada", "coastal", func(b *evidence.Rollback) { b.FromRelease, b.FromDeployable = "", "" })
		}, Allow},
		"to an earlier revision of itself": {func(w *world) {
			w.say("ada", evidence.RollbackType, evidence.Rollback{Hub: "coastal", Tier: "production", FromRelease: w.ID.Label(), FromDeployable: digest("x").Label()}, w.self(), w.on("coastal"))
		}, Allow},
		"only who may log in was another": {func(w *world) {
			w.say("ada", evidence.RollbackType, evidence.Rollback{Hub: "coastal", Tier: "production", FromRelease: digest("x").Label(), FromDeployable: w.on("coastal").Digest.Label()},
				of(evidence.Release, digest("S")), w.on("coastal"))
		}, Allow},
		"of a hub that is called otherwise now": {func(w *world) { w.leave("ada", "coastal"); w.Hubs["coastal"] = "canary" }, Wait},
	} {
		w := toProduction()
		tt.do(w)
		if r := requirement(t, Evaluate(w.Input), "not-rolled-back"); r.Decision != tt.want {
			t.Errorf("%s: %s, want %s: %s", name, r.Decision, tt.want, r.Reason)
		}
	}
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
