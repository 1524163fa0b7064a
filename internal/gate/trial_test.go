package gate

import (
	"testing"

	"gauntlet/internal/evidence"
)

func TestOnlyTestsMayBeMissingOfWhatIsTriedByHand(t *testing.T) {
	w := toCanary()
	w.Tier, w.Hub = "bleeding-edge", "testing"
	w.say("checker", evidence.TestResultType, failed("pairing", ""), of(evidence.ImageSet, w.Release.ImageSet))
	if v := Evaluate(w.Input); v.Decision != Deny || !v.Untested() {
		t.Errorf("a failed pairing: %s, %v", v.Decision, v.Untested())
	}
	w.say("linus", evidence.VetoType, evidence.Veto{Reason: "plots are blank"}, w.self())
	if Evaluate(w.Input).Untested() {
		t.Error("a veto is no test")
	}
}

func TestATrialCountsForNoGateAndEndsWhatRanBefore(t *testing.T) {
	w := toProduction()
	says(t, w, "canary:deployed", Allow)
	w.say("deployer", evidence.DeploymentType, evidence.Deployment{
		Hub: "compute-test", Tier: "canary", Tried: true, Started: w.Now, Finished: w.Now,
	}, w.self(), w.on("compute-test"))
	says(t, w, "canary:deployed", Wait, "and another since")

	w = toCanary()
	w.say("deployer", evidence.DeploymentType, evidence.Deployment{
		Hub: "compute-test", Tier: "canary", Tried: true, Started: w.Now, Finished: w.Now,
	}, w.self(), w.on("compute-test"))
	w.Tier, w.Hub = "production", "coastal"
	says(t, w, "canary:deployed", Wait, "not deployed")
}
