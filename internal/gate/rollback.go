package gate

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"gauntlet/internal/config"
	"gauntlet/internal/evidence"
)

// withRollbacks puts the rollbacks among the deployments: a rollback brings a hub to
// another deployable, so it ends one stay and begins another.
//
// It went through no gate, so it proves less than a deployment: it counts as a stay
// only of what a deployment brought to that hub before, and it leaves the hub in the
// tier that this deployment named.
func (f *facts) withRollbacks(deployments []said[evidence.Deployment]) []said[evidence.Deployment] {
	all := slices.Clone(deployments)
	for _, r := range read[evidence.Rollback](f, evidence.RollbackType) {
		if r.who == "" || !f.people.Has(r.who, config.RoleDeployer, config.RoleBoard) {
			continue
		}
		all = append(all, said[evidence.Deployment]{Record: r.Record, at: r.at, who: r.who, what: r.what.Deployment()})
	}
	slices.SortStableFunc(all, func(a, b said[evidence.Deployment]) int { return a.at - b.at })
	for i := range all {
		d := &all[i]
		if d.Type != evidence.RollbackType {
			continue
		}
		ran := false
		for _, before := range all[:i] {
			if before.what.Hub != d.what.Hub {
				continue
			}
			d.what.Tier = before.what.Tier
			ran = ran || slices.ContainsFunc(d.Subjects, func(s evidence.Subject) bool {
				return s.Kind == evidence.Deployable && before.About(s.Kind, s.Digest)
			})
		}
		if !ran {
			d.Subjects = nil
		}
	}
	return all
}

// rolledBack are the rollbacks as the holds that they are: what a hub was rolled back
// from does not come back by itself, neither there nor on another hub of the tier.
func (f *facts) rolledBack(lifts []said[evidence.Hold]) []hold {
	var holds []hold
	for _, r := range read[evidence.Rollback](f, evidence.RollbackType) {
		b := r.what
		if r.who == "" || b.FromRelease == "" || !f.people.Has(r.who, config.RoleDeployer, config.RoleBoard) {
			continue
		}
		back := &Back{Release: b.FromRelease, Deployable: b.FromDeployable}
		for _, s := range r.Subjects {
			switch {
			case s.Kind == evidence.Release && s.Digest.Label() == back.Release:
				back = nil // it went back to an earlier revision of the same release
			case s.Kind == evidence.Deployable && s.Digest.Label() == back.Deployable:
				back.Deployable = "" // only who may log in was another
			}
			if back == nil {
				break
			}
		}
		if back == nil {
			continue
		}
		h := hold{Hold: Hold{ID: r.ID, Who: r.who, Since: r.Time, Reason: b.Reason, Hub: b.Hub, Tier: b.Tier, Back: back}}
		h.lifted(f.Policy, lifts)
		holds = append(holds, h)
	}
	return holds
}

// isBack says whether the release is what a rollback left: that release, or another
// that holds the same for that hub.
func (f *facts) isBack(h Hold) bool {
	part, ok := f.Release.Hubs[h.Hub]
	return h.Back.Release == f.ID.Label() || ok && h.Back.Deployable != "" && part.Deployable.Label() == h.Back.Deployable
}

// notRolledBack: no hub of the tier was rolled back from this. Somebody must look at it
// first and say so.
func (f *facts) notRolledBack(t config.Tier) Requirement {
	r := Requirement{Name: "not-rolled-back", Decision: Allow, Reason: "no hub of " + t.Name + " was rolled back from it"}
	holds, _ := f.holds()
	var why []string
	for _, h := range holds {
		if h.Back == nil || !f.stops(h.Hold, t, "") {
			continue
		}
		if h.lift.ID != "" {
			r.Reason = fmt.Sprintf("hub %s was rolled back from it, and %s lifted that", h.Hub, h.lift.who)
			r.Evidence, r.Since = append(r.Evidence, h.lift.ID), h.lift.Time
			continue
		}
		why = append(why, fmt.Sprintf("%s rolled hub %s back from it on %s: %s", h.Who, h.Hub, when(h.Since), h.Reason))
		if r.Command == "" {
			r.Command = "gauntlet hold --lift " + h.ID.Short()
		}
	}
	if len(why) > 0 {
		r.Decision, r.Evidence, r.Since = Wait, nil, time.Time{}
		r.Reason = strings.Join(why, "; ") + "; whoever has looked at it lifts that"
	}
	return r
}
