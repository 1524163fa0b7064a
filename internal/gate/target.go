package gate

import (
	"fmt"
	"slices"
	"time"

	"gauntlet/internal/evidence"
)

// maxSkew is how far a clock may be ahead of ours before times mean nothing.
const maxSkew = time.Minute

// target finds the tier that is asked for, or says why the question has no answer.
func (f *facts) target() (int, []Requirement) {
	refuse := func(format string, args ...any) (int, []Requirement) {
		return 0, []Requirement{{Name: "target", Decision: Deny, Reason: fmt.Sprintf(format, args...)}}
	}
	if f.PolicyDigest == "" {
		return refuse("no policy is in force, so nobody's word counts: a board member runs `gauntlet policy init`")
	}
	i := f.tierIndex(f.Tier)
	if i < 0 {
		return refuse("the policy in force (%s) has no tier %q", f.PolicyDigest.Short(), f.Tier)
	}
	if f.Hub == "" {
		return i, nil
	}
	if tier := f.Hubs[f.Hub]; tier != f.Tier {
		return refuse("hub %s is of tier %q, not of %s", f.Hub, tier, f.Tier)
	}
	if f.Pinned != "" && f.Pinned != f.Tier {
		return refuse("the namespace of hub %s is pinned as a hub of %s, not of %s: a change cannot spare itself a gate by calling it otherwise", f.Hub, f.Pinned, f.Tier)
	}
	part, ok := f.Release.Hubs[f.Hub]
	if !ok {
		return refuse("release %s holds nothing for hub %s: it was made before the hub was; make a new release with `gauntlet run`", f.ID.Short(), f.Hub)
	}
	if t := part.Target.Tier; t != "" && t != f.Tier {
		return refuse("release %s was made when hub %s was of tier %s: make a new release with `gauntlet run`", f.ID.Short(), f.Hub, t)
	}
	// A change cannot spare itself a production hub's gate by calling it a test hub.
	for _, d := range slices.Backward(f.deployments) {
		if d.what.Hub != f.Hub {
			continue
		}
		if last := f.tierIndex(d.what.Tier); last > i {
			return refuse("hub %s was last deployed as a hub of %s, and %s asks for less: a hub that is to be of a lower tier gets a new name", f.Hub, d.what.Tier, f.Tier)
		}
		break
	}
	return i, nil
}

func (f *facts) tierIndex(name string) int {
	for i, t := range f.Policy.Tiers {
		if t.Name == name {
			return i
		}
	}
	return -1
}

// ledgerComplete: nothing that somebody has seen in the ledger has gone.
func (f *facts) ledgerComplete() Requirement {
	r := Requirement{Name: "ledger-complete", Decision: Allow, Reason: "all statements that anybody names are in the ledger"}
	if len(f.Missing) > 0 {
		r.Decision = Deny
		r.Reason = "statements were in the ledger once and are gone or altered:"
		for _, id := range f.Missing {
			r.Reason += " " + id.Short()
		}
		r.Reason += ": restore the ledger's repository from a copy"
	}
	return r
}

// clockSkew: no deployment has ended in the future. Clusters' clocks decide how long
// a release has soaked, so one that is off would shorten or lengthen it.
func (f *facts) clockSkew() []Requirement {
	late := f.Now.Add(maxSkew)
	for _, d := range f.deployments {
		if part, ok := f.Release.Hubs[d.what.Hub]; ok && d.About(evidence.Deployable, part.Deployable) && d.what.Finished.After(late) {
			return []Requirement{{
				Name: "clock-skew", Decision: Deny,
				Reason: fmt.Sprintf("the deployment of hub %s ended %s ahead of the clock here: set the clocks of the cluster and of this machine", d.what.Hub, d.what.Finished.Sub(f.Now).Round(time.Second)),
			}}
		}
	}
	return nil
}
