package gate

import (
	"slices"
	"testing"

	"gauntlet/internal/config"
	"gauntlet/internal/evidence"
)

func TestTheNextTierWaitsForNodesThatCameForASuite(t *testing.T) {
	w := toProduction()
	tier := &w.Policy.Tiers[slices.IndexFunc(w.Policy.Tiers, func(t config.Tier) bool { return t.Name == "canary" })]
	tier.Suites = append(slices.Clone(tier.Suites), "scaling", evidence.NodesSuite)
	scaling := passed("scaling", "compute-test", "workers come")
	scaling.Brought = []evidence.Node{{Name: "pool-7", UID: "u"}}
	w.say("checker", evidence.TestResultType, scaling, w.on("compute-test"))
	says(t, w, "canary:suite:nodes", Wait, "pool-7", "compute-test", "suite scaling")

	w.say("checker", evidence.TestResultType, passed(evidence.NodesSuite, "compute-test", "nodes are gone"), w.on("compute-test"))
	says(t, w, "canary:suite:nodes", Allow)

	// What came before this deployment was another's.
	w = toProduction()
	tier = &w.Policy.Tiers[slices.IndexFunc(w.Policy.Tiers, func(t config.Tier) bool { return t.Name == "canary" })]
	tier.Suites = append(slices.Clone(tier.Suites), evidence.NodesSuite)
	w.say("checker", evidence.TestResultType, scaling, w.on("testing"))
	says(t, w, "canary:suite:nodes", Wait, "has not run on hub compute-test")
}
