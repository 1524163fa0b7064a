package gate

import (
	"slices"

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
