package pipeline

import (
	"context"
	"fmt"
	"slices"

	"gauntlet/internal/config"
	"gauntlet/internal/deploy"
	"gauntlet/internal/evidence"
)

// wayBack finds the revision that a hub goes back to after a change to asked has failed.
// before is the hub's revision when the change began, revs are those it has now, the
// newest first, and verified says of a revision that the tier's suites have passed on it.
//
// It is 0 when there is none, and why then says what hinders it: "" when the change has
// left nothing that could be undone.
func wayBack(hubName string, before int, revs []deploy.Revision, asked deploy.Revision, verified func(deploy.Revision) bool) (to int, why string) {
	if len(revs) == 0 {
		return 0, ""
	}
	newest := revs[0]
	if newest.Revision == before && !(newest.Deployed() && newest.Same(asked) && !verified(newest)) {
		// Nothing was written, or the hub has run it well since long before.
		return 0, ""
	}
	if !newest.Same(asked) {
		return 0, fmt.Sprintf("revision %d is not of this deployment: somebody else changes the hub", newest.Revision)
	}
	ran := 0
	for _, r := range revs[1:] {
		if r.Deployable == "" && !r.Adopted || !r.Ran() || r.Same(newest) {
			continue
		}
		if r.Adopted || verified(r) { // what was taken over has shown itself before gauntlet came
			return r.Revision, ""
		}
		if ran == 0 {
			ran = r.Revision
		}
	}
	if ran > 0 {
		return 0, fmt.Sprintf("no earlier revision has passed its suites here; `gauntlet rollback %s --to %d --reason …` brings it to one that ran", hubName, ran)
	}
	return 0, "gauntlet has deployed nothing here before that it could go back to"
}

// verified says whether all suites passed on a hub while it ran a revision.
func (s *sight) verified(hubName string, rev deploy.Revision, suites []string) bool {
	passed := map[string]bool{}
	all := func() bool {
		return len(suites) > 0 && !slices.ContainsFunc(suites, func(name string) bool { return !passed[name] })
	}
	on := false
	for _, r := range s.view.Records {
		if d, ok := s.deployed(r); ok && d.Hub == hubName && !d.Reused {
			if on && all() {
				return true
			}
			clear(passed)
			on = d.Revision == rev.Revision && subject(r, evidence.Deployable).Label() == rev.Deployable
			continue
		}
		if !on || r.Type != evidence.TestResultType || subject(r, evidence.Deployable).Label() != rev.Deployable || !s.is(r.Signer, config.RoleChecker) {
			continue
		}
		t, err := evidence.Decode[evidence.TestResult](r)
		if err == nil && t.Hub == hubName && len(t.Checks) > 0 && (t.Result == evidence.Passed || t.Result == evidence.Warned) {
			passed[t.Suite] = true
		}
	}
	return on && all()
}

// finishRollback goes on with a rollback that an earlier run has begun and not ended or
// not recorded, so that what was rolled back is not deployed again unseen. It says
// whether there was one.
func (w *Workspace) finishRollback(ctx context.Context, s *sight, hubName string) (bool, error) {
	h, err := w.hub(hubName)
	if err != nil {
		return false, err
	}
	c, err := w.clients.get(h.Cluster)
	if err != nil {
		return false, err
	}
	revs, err := deploy.Revisions(ctx, c, h.Namespace, h.Release)
	if err != nil || len(revs) == 0 || revs[0].Back == 0 || revs[0].Deployed() && s.knows(hubName, revs[0]) {
		return false, nil // a cluster that cannot be asked is for the gate to name
	}
	w.tell("rollback", hubName, Progress, "", fmt.Sprintf("revision %d goes back to %d and was not finished or not recorded", revs[0].Revision, revs[0].Back))
	// What becomes of the database was decided before there was such a revision.
	database := deploy.KeepDatabase
	if revs[0].Restores {
		database = deploy.RestoreDatabase
	}
	b, err := w.rollBack(ctx, s, nil, c, hubName, RollbackOptions{
		To: revs[0].Back, Reason: "goes on with a rollback that was interrupted", Database: database}, reserved{})
	if b == nil {
		return false, err
	}
	// What failed on the hub afterwards is no reason to refuse what may mend it.
	return true, nil
}

// knows says whether the ledger has a record of a revision of a hub.
func (s *sight) knows(hubName string, rev deploy.Revision) bool {
	return slices.ContainsFunc(s.view.Records, func(r evidence.Record) bool {
		d, ok := s.deployed(r)
		return ok && d.Hub == hubName && d.Revision == rev.Revision && subject(r, evidence.Deployable).Label() == rev.Deployable
	})
}
