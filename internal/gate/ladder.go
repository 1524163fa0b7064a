package gate

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"gauntlet/internal/config"
	"gauntlet/internal/release"
)

// A State is where a step of the ladder stands.
type State string

const (
	Done    State = "done"    // all that the next step needs of this one is there
	Running State = "running" // begun: deployed on a hub whose suites have no result yet, or on some of the hubs
	Waiting State = "waiting" // for people or time
	Failed  State = "failed"  // a suite failed
	Blocked State = "blocked" // refused, for Reasons
	Todo    State = "todo"    // nothing hinders it, or an earlier step comes first
)

// A Step is one rung of the ladder of a release: image build test, image pairing
// test, then one for each tier.
type Step struct {
	Name     string            `json:"name"`           // "image build test", "image pairing test" or the tier
	Tier     string            `json:"tier,omitempty"` // "" for the first two
	State    State             `json:"state"`
	Since    time.Time         `json:"since,omitzero"`     // when it came to be done; zero before
	Evidence []release.Digest  `json:"evidence,omitempty"` // ids of the records it rests on
	Reasons  []string          `json:"reasons,omitempty"`  // why it is not done, for people
	Command  string            `json:"command,omitempty"`  // what moves it on, "" when nothing does
	Hubs     map[string]string `json:"hubs"`               // hubs of the tier, each with one line: what has been shown there
}

// Ladder is where the release stands on its way: what `gauntlet status` draws. The
// tier and hub of the input are not looked at.
func Ladder(in Input) []Step {
	in.Hub = ""
	f := gather(in)
	steps := []Step{
		suiteStep("image build test", f.build(0), f.imageTest()),
		suiteStep("image pairing test", f.pairing()),
	}
	for _, t := range in.Policy.Tiers {
		steps = append(steps, f.tierStep(t, before(steps)))
	}
	return steps
}

// before is the first step that is not done, "" when all are.
func before(steps []Step) string {
	for _, s := range steps {
		if s.State != Done {
			return s.Name
		}
	}
	return ""
}

// suiteStep is a step that is done when its requirements hold.
func suiteStep(name string, rs ...Requirement) Step {
	s := Step{Name: name, State: Done}
	switch s.add(rs); verdict(rs).Decision {
	case Wait:
		s.State = Todo
	case Deny:
		s.State, s.Command = Failed, runCommand // after a fix, or to try again
	}
	return s
}

// add takes over what requirements say.
func (s *Step) add(rs []Requirement) {
	for _, r := range rs {
		for _, id := range r.Evidence {
			if !slices.Contains(s.Evidence, id) {
				s.Evidence = append(s.Evidence, id)
			}
		}
		if r.Decision != Allow {
			s.Reasons = append(s.Reasons, r.Reason)
			if s.Command == "" {
				s.Command = r.Command
			}
		} else if r.Since.After(s.Since) {
			s.Since = r.Since
		}
	}
	if len(s.Reasons) > 0 {
		s.Since = time.Time{}
	}
}

// tierStep is a tier: done when all that the next tier will ask of it is there.
func (f *facts) tierStep(t config.Tier, earlier string) Step {
	s := Step{Name: t.Name, Tier: t.Name, State: Done, Hubs: map[string]string{}}
	begun := false
	for _, h := range f.hubsOf(t) {
		line, on := f.hubLine(t, h)
		s.Hubs[h] = line
		begun = begun || on
	}
	shown := f.passedTier(t, false)
	machines := verdict(shown).Decision
	if machines != Deny {
		// A soak is a wait for time, not something still to be done.
		machines = verdict(without(shown, t.Name+":soak")).Decision
	}
	if i := f.tierIndex(t.Name); i < len(f.Policy.Tiers)-1 {
		shown = append(shown, f.signoffs(t)...)
	}
	s.add(shown)
	if len(s.Reasons) == 0 {
		return s
	}
	if len(s.Hubs) == 0 {
		s.State = Blocked
		return s
	}
	if begun {
		switch {
		case machines == Deny:
			s.State, s.Command = Failed, runCommand // after a fix, or to try again
		case machines == Wait:
			s.State = Running
		default:
			s.State = Waiting
		}
		if veto := f.noVeto(); veto.Decision != Allow {
			s.State, s.Command = Blocked, veto.Command
			s.Reasons = append([]string{veto.Reason}, s.Reasons...)
		} else if s.State == Running {
			for _, r := range f.stopped(t) {
				s.State, s.Command = Waiting, r.Command
				s.Reasons = append([]string{r.Reason}, s.Reasons...)
			}
		}
		return s
	}
	return f.entry(t, s, earlier)
}

// stopped is what keeps a release that is in a tier from the rest of its hubs.
func (f *facts) stopped(t config.Tier) []Requirement {
	var out []Requirement
	for _, r := range f.overridden(t, []Requirement{f.noFreeze(t, ""), f.notRolledBack(t), f.noHold(t, "")}) {
		if r.Decision != Allow {
			out = append(out, r)
		}
	}
	return out
}

// entry is a tier that the release has not entered yet.
func (f *facts) entry(t config.Tier, s Step, earlier string) Step {
	in := f.Input
	in.Tier = t.Name
	v := Evaluate(in)
	if _, ok := f.standing(t); ok {
		earlier = "" // what it waits for there is skipped
	}
	s.Reasons, s.Command, s.Evidence = nil, "", nil
	var hard []Requirement // that no earlier step brings
	for _, r := range v.Requirements {
		switch r.Name {
		case "target", "ledger-complete", "clock-skew", "no-veto", "version":
			if r.Decision == Deny {
				hard = append(hard, r)
			}
		}
	}
	switch {
	case len(hard) > 0:
		s.State = Blocked
		s.add(hard)
	case earlier != "":
		s.State = Todo
		s.Reasons = []string{"comes after " + earlier}
	case v.Decision == Allow:
		s.State, s.Command = Todo, fmt.Sprintf("gauntlet run --to %s", t.Name)
	default:
		s.State = unmet(v.Requirements)
		s.add(v.Requirements)
	}
	s.Since, s.Evidence = time.Time{}, nil
	return s
}

// unmet is where a tier stands whose gate holds it back and that is next.
func unmet(rs []Requirement) State {
	state := Todo
	for _, r := range rs {
		switch {
		case r.Decision == Allow:
		case r.Name == "render" && r.Decision == Deny:
			return Failed
		case r.Decision == Deny:
			state = Blocked
		case state == Todo && (slices.Contains([]string{"version", "no-hold", "not-rolled-back", "no-freeze", "override-due"}, r.Name) || strings.HasSuffix(r.Name, "approval") || strings.Contains(r.Name, "signoff")):
			state = Waiting
		}
	}
	return state
}

// hubLine is what has been shown on a hub, in one line, and whether the release was
// deployed there.
func (f *facts) hubLine(t config.Tier, hub string) (string, bool) {
	t.Soak = 0
	rs := f.passedHub(t, hub, false)
	if rs[0].Decision != Allow {
		return rs[0].Reason, false
	}
	line := rs[0].Reason
	for _, r := range rs[1:] {
		line += "; " + r.Reason
	}
	if why := f.elsewhere(hub, f.stayOf(hub, f.Release.Hubs[hub].Deployable)); why != "" {
		line += "; now " + why
	}
	return line, true
}

func without(rs []Requirement, name string) []Requirement {
	var out []Requirement
	for _, r := range rs {
		if r.Name != name {
			out = append(out, r)
		}
	}
	return out
}
