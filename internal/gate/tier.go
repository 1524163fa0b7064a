package gate

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"gauntlet/internal/config"
	"gauntlet/internal/evidence"
	"gauntlet/internal/release"
)

// passedTier is what a release must have shown in an earlier tier: deployed, every
// suite passed, soaked. With now its hubs must run it still; else that they once
// did is enough, for by then others may be trying the next release there.
func (f *facts) passedTier(t config.Tier, now bool) []Requirement {
	hubs := f.hubsOf(t)
	if len(hubs) == 0 {
		return []Requirement{{Name: t.Name + ":deployed", Decision: Deny,
			Reason: fmt.Sprintf("tier %s has no hub to try it on: add one to gauntlet.yaml", t.Name)}}
	}
	var each [][]Requirement
	for _, h := range hubs {
		each = append(each, f.passedHub(t, h, now))
	}
	if t.Hubs == "any" {
		return best(each)
	}
	return together(each)
}

// passedHub is what a release must have shown on one hub.
func (f *facts) passedHub(t config.Tier, hub string, now bool) []Requirement {
	deployed, s := f.deployed(t, hub, now)
	rs := []Requirement{deployed}
	if len(t.Suites) == 0 {
		rs = append(rs, Requirement{Name: t.Name + ":suite", Decision: Deny,
			Reason: fmt.Sprintf("the policy asks for no suite in tier %s, so nothing can be shown there", t.Name)})
	}
	for _, suite := range t.Suites {
		rs = append(rs, f.hubSuite(t, hub, suite, s))
	}
	if t.Soak > 0 {
		rs = append(rs, f.soak(t, hub, s))
	}
	return rs
}

// A stay is a time during which a hub ran one deployable without a break.
type stay struct {
	of    release.Digest // the deployable; "" for no stay
	start said[evidence.Deployment]
	end   time.Time // when another came; zero while it lasts
}

// stayOf is the latest stay of a deployable on a hub. Deploying the same again
// (another release with other access values, or after a kill) goes on with a stay.
func (f *facts) stayOf(hub string, d release.Digest) stay {
	var s stay
	running := false
	for _, dep := range f.deployments {
		if dep.what.Hub != hub {
			continue
		}
		is := dep.About(evidence.Deployable, d) && !dep.what.Tried
		switch {
		case is && !running:
			s = stay{of: d, start: dep}
		case !is && running:
			s.end = dep.what.Finished
			if !dep.what.Started.IsZero() && dep.what.Started.Before(s.end) {
				s.end = dep.what.Started
			}
		}
		running = is
	}
	return s
}

// deployed: the hub was brought to the release's deployable and, with now, runs it.
func (f *facts) deployed(t config.Tier, hub string, now bool) (Requirement, stay) {
	r := Requirement{Name: t.Name + ":deployed", Decision: Wait, Command: fmt.Sprintf("gauntlet deploy %s %s", f.ID.Short(), hub)}
	part, ok := f.Release.Hubs[hub]
	if !ok {
		r.Decision, r.Command = Deny, runCommand
		r.Reason = fmt.Sprintf("the release holds nothing for hub %s: it was made before the hub was", hub)
		return r, stay{}
	}
	s := f.stayOf(hub, part.Deployable)
	if s.of == "" {
		r.Reason = fmt.Sprintf("not deployed on hub %s yet%s", hub, f.ignored(evidence.DeploymentType, evidence.Deployable, part.Deployable))
		return r, s
	}
	if now {
		if why := f.elsewhere(hub, s); why != "" {
			r.Reason = why
			return r, s
		}
	}
	r.Decision, r.Command, r.Evidence, r.Since = Allow, "", ids(s.start), s.start.what.Finished
	r.Reason = fmt.Sprintf("on hub %s since %s", hub, when(s.start.what.Finished))
	return r, s
}

// elsewhere says why a hub cannot be said to run the deployable of a stay, "" when
// it does.
func (f *facts) elsewhere(hub string, s stay) string {
	st, ok := f.States[hub]
	switch {
	case !ok:
		return fmt.Sprintf("what hub %s runs now is not known", hub)
	case st.Problem != "":
		return fmt.Sprintf("what hub %s runs now is not known: %s", hub, st.Problem)
	case !s.end.IsZero():
		return fmt.Sprintf("hub %s ran it until %s, and another since", hub, when(s.end))
	case st.Adopted:
		return fmt.Sprintf("hub %s runs what was there before, which somebody took over as revision %d", hub, st.Revision)
	case st.Foreign:
		return fmt.Sprintf("hub %s has drifted: revision %d was not made by gauntlet", hub, st.Revision)
	case st.Deployable != s.of.Label():
		return fmt.Sprintf("hub %s has drifted: the ledger has it at deployable %s, its Helm record does not", hub, s.of.Short())
	}
	return ""
}

// hubSuite: a suite passed on the hub during the stay.
func (f *facts) hubSuite(t config.Tier, hub, suite string, s stay) Requirement {
	r := Requirement{Name: t.Name + ":suite:" + suite, Decision: Wait, Command: fmt.Sprintf("gauntlet deploy %s %s", f.ID.Short(), hub)}
	if s.of == "" {
		r.Reason = fmt.Sprintf("suite %s runs on hub %s once it is deployed there", suite, hub)
		return r
	}
	res, ok := f.result(suite, evidence.Deployable, s.of, hub, s.start.at)
	if stay := f.nodesOf(s, hub); !ok && suite == evidence.NodesSuite && stay != "" {
		r.Reason, r.Command = stay, "gauntlet run"
		return r
	}
	if !ok {
		r.Reason = fmt.Sprintf("suite %s has not run on hub %s since the deployment%s", suite, hub, f.ignored(evidence.TestResultType, evidence.Deployable, s.of))
		return r
	}
	r.Evidence = ids(res)
	if why := failure(res.what); why != "" {
		r.Decision = Deny
		r.Reason = fmt.Sprintf("suite %s failed on hub %s: %s", suite, hub, why)
		return r
	}
	r.Decision, r.Command, r.Since = Allow, "", res.Time
	r.Reason = resultReason(fmt.Sprintf("suite %s on hub %s", suite, hub), res)
	return r
}

// nodesOf says which nodes came to a hub for suites that ran during the stay, and have
// not been seen to be gone; "" for none.
func (f *facts) nodesOf(s stay, hub string) string {
	for _, r := range slices.Backward(f.results) {
		if r.at <= s.start.at || r.what.Hub != hub || !r.About(evidence.Deployable, s.of) || len(r.what.Brought) == 0 {
			continue
		}
		var names []string
		for _, n := range r.what.Brought {
			names = append(names, n.Name)
		}
		return fmt.Sprintf("nodes that came to hub %s for suite %s must go again: %s, unused since %s", hub, r.what.Suite, strings.Join(names, ", "), when(r.what.Finished))
	}
	return ""
}

// soak: the stay has lasted long enough, by the cluster's clock.
func (f *facts) soak(t config.Tier, hub string, s stay) Requirement {
	r := Requirement{Name: t.Name + ":soak", Decision: Wait, skippable: true}
	if s.of == "" || s.start.what.Finished.IsZero() {
		r.Reason = fmt.Sprintf("soaks for %s on hub %s once it is deployed there", t.Soak, hub)
		r.Command = fmt.Sprintf("gauntlet deploy %s %s", f.ID.Short(), hub)
		return r
	}
	from := s.start.what.Finished
	until := f.Now
	if !s.end.IsZero() {
		until = s.end
	}
	switch due := from.Add(t.Soak); {
	case !due.After(until):
		r.Decision, r.Since, r.Evidence = Allow, due, ids(s.start)
		r.Reason = fmt.Sprintf("soaked on hub %s for %s", hub, t.Soak)
	case s.end.IsZero():
		r.Reason = fmt.Sprintf("soaks on hub %s until %s (%s more)", hub, when(due), due.Sub(until).Round(time.Second))
	default:
		r.Reason = fmt.Sprintf("soaked on hub %s for %s of %s, then another release came", hub, until.Sub(from).Round(time.Second), t.Soak)
		r.Command = fmt.Sprintf("gauntlet deploy %s %s", f.ID.Short(), hub)
	}
	return r
}

// hubsOf are the hubs of a tier in the order they are deployed.
func (f *facts) hubsOf(t config.Tier) []string { return slices.Concat(f.waves(t)...) }

// waves are the hubs of a tier as a release goes over them.
func (f *facts) waves(t config.Tier) [][]string {
	var hubs []string
	for h, tier := range f.Hubs {
		if tier == t.Name {
			hubs = append(hubs, h)
		}
	}
	return t.Plan(hubs)
}

// best is the hub that has come furthest, where one is enough: one that passed,
// else one that is on its way, else one that failed, else one that was not begun.
func best(each [][]Requirement) []Requirement {
	score := func(rs []Requirement) int {
		met := 0
		for _, r := range rs {
			if r.Decision == Allow {
				met++
			}
		}
		begun, rank := rs[0].Decision == Allow, 0
		switch decision := verdict(rs).Decision; {
		case decision == Allow:
			rank = 4
		case decision == Wait && begun:
			rank = 3
		case begun:
			rank = 2
		case decision == Wait:
			rank = 1
		}
		return rank*(len(rs)+1) + met
	}
	return slices.MaxFunc(each, func(a, b []Requirement) int { return score(a) - score(b) })
}

// together are the requirements of all hubs as one: each holds when it holds
// everywhere.
func together(each [][]Requirement) []Requirement {
	out := slices.Clone(each[0])
	for i := range out {
		var met, unmet []string
		r := Requirement{Name: out[i].Name, Decision: Allow, skippable: out[i].skippable}
		for _, rs := range each {
			h := rs[i]
			r.Decision = worse(r.Decision, h.Decision)
			r.Evidence = append(r.Evidence, h.Evidence...)
			if h.Since.After(r.Since) {
				r.Since = h.Since
			}
			if h.Decision == Allow {
				met = append(met, h.Reason)
				continue
			}
			unmet = append(unmet, h.Reason)
			if r.Command == "" {
				r.Command = h.Command
			}
		}
		r.Reason = strings.Join(met, "; ")
		if len(unmet) > 0 {
			r.Reason, r.Since = strings.Join(unmet, "; "), time.Time{}
		}
		out[i] = r
	}
	return out
}
