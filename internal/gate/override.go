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

// An Override lets a release into a tier without the soaks, sign-offs and freeze
// windows before it. It is one person's word, of the board, in an emergency; what it
// skipped stays due.
type Override struct {
	ID      release.Digest `json:"id"` // of its statement
	Who     string         `json:"who"`
	Since   time.Time      `json:"since"`
	Expires time.Time      `json:"expires"`
	Reason  string         `json:"reason"`
	Release release.Digest `json:"release"`
	Tier    string         `json:"tier"`
	Stands  bool           `json:"stands"` // the gate counts it: neither lifted nor expired
	Used    bool           `json:"used"`   // the release came to the tier under it and runs there
	Due     []Requirement  `json:"due"`    // of what it skips, what is not made up for
}

// override is one that may have counted, and who lifted it, if anybody.
type override struct {
	Override
	at   int // place in the ledger's order
	lift said[evidence.Override]
}

// Overrides are the overrides of all releases that stand, and those that were used
// and left something due that has not been made up for since, oldest first.
func Overrides(in Input) []Override {
	f := gather(in)
	all, _ := f.overrides()
	var out []Override
	for _, o := range all {
		if o.Due = f.of(o.Release).due(o); o.Stands || o.Used && len(o.Due) > 0 {
			out = append(out, o.Override)
		}
	}
	return out
}

// Overridden are the releases other than the input's that an override brought to a
// tier where they still run: Input.Others is to hold them.
func Overridden(in Input) []release.Digest {
	f := gather(in)
	all, _ := f.overrides()
	var out []release.Digest
	for _, o := range all {
		if (o.Used || o.Stands) && o.Release != in.ID && !slices.Contains(out, o.Release) {
			out = append(out, o.Release)
		}
	}
	return out
}

// MayLiftOverride says whether a person may lift an override: anybody of the board.
func MayLiftOverride(p config.Policy, person string) bool {
	return PeopleOf(p).Has(person, config.RoleBoard)
}

// of are the facts as another release's gate sees them.
func (f *facts) of(id release.Digest) *facts {
	g := *f
	if id != f.ID {
		g.ID, g.Release = id, f.Others[id]
	}
	return &g
}

// overrides are those that count or did until they were lifted, expired or outlived
// their policy; and, with the reason, those that never did.
func (f *facts) overrides() (all []override, noted map[release.Digest]string) {
	noted = map[release.Digest]string{}
	list := read[evidence.Override](f, evidence.OverrideType)
	for _, s := range list {
		i := slices.IndexFunc(s.Subjects, func(s evidence.Subject) bool { return s.Kind == evidence.Release })
		if s.what.Lifts != "" || i < 0 {
			continue
		}
		o := override{at: s.at, Override: Override{
			ID: s.ID, Who: s.who, Since: s.Time, Expires: s.what.Expires, Reason: s.what.Reason,
			Release: s.Subjects[i].Digest, Tier: s.what.Tier,
		}}
		if why := f.of(o.Release).noOverride(s); why != "" {
			noted[o.ID] = why
			continue
		}
		for _, l := range list {
			if l.what.Lifts == o.ID && l.who != "" && MayLiftOverride(f.Policy, l.who) {
				o.lift = l
				break
			}
		}
		o.Stands = o.lift.ID == "" && f.Now.Before(o.Expires) && s.what.Policy == f.PolicyDigest
		o.Used = f.used(o)
		all = append(all, o)
	}
	return all, noted
}

// noOverride says why an override of the release does not count, "" when it does or
// once did.
func (f *facts) noOverride(s said[evidence.Override]) string {
	no := "the override by " + name(s) + " does not count: "
	switch {
	case s.who == "" || !f.people.Has(s.who, config.RoleBoard):
		return no + "only the board may override"
	case strings.TrimSpace(s.what.Reason) == "":
		return no + "it gives no reason"
	case s.what.Expires.IsZero() || s.what.Expires.After(s.Time.Add(evidence.MaxOverride)):
		return no + fmt.Sprintf("it must expire within %d days", int(evidence.MaxOverride.Hours()/24))
	case s.Time.After(f.Now.Add(maxSkew)):
		return no + fmt.Sprintf("it was said %s ahead of the clock here", s.Time.Sub(f.Now).Round(time.Second))
	}
	wrote, err := f.authors()
	if err != nil {
		return no + "who wrote what the release brings cannot be told: " + err.Error()
	}
	if wrote[s.who] != "" {
		return no + s.who + " " + wrote[s.who]
	}
	return ""
}

// used says whether a release came to the tier while the override counted, and was
// the last to come there, on some hub.
func (f *facts) used(o override) bool {
	last := map[string]bool{} // by hub
	for _, d := range f.deployments {
		if d.what.Tier != o.Tier {
			continue
		}
		is := d.About(evidence.Release, o.Release)
		under := d.at > o.at && d.Time.Before(o.Expires) && (o.lift.ID == "" || d.at < o.lift.at)
		last[d.what.Hub] = is && (under || last[d.what.Hub])
	}
	for _, is := range last {
		if is {
			return true
		}
	}
	return false
}

// due is what an override of the release skips and nobody has made up for since: the
// soaks and sign-offs of the tiers before. A freeze window leaves nothing due.
func (f *facts) due(o override) []Requirement {
	due := []Requirement{} // never null in JSON
	for _, t := range f.Policy.Tiers[:max(f.tierIndex(o.Tier), 0)] {
		for _, r := range append(f.passedTier(t, false), f.signoffs(t)...) {
			if r.skippable && r.Decision != Allow {
				r.tier = t.Name
				due = append(due, r)
			}
		}
	}
	return due
}

// standing is the override that lets the release into a tier, if there is one.
func (f *facts) standing(t config.Tier) (override, bool) {
	all, _ := f.overrides()
	for _, o := range slices.Backward(all) {
		if o.Stands && o.Release == f.ID && o.Tier == t.Name {
			return o, true
		}
	}
	return override{}, false
}

// overridden turns what an override skips into what it allows, and says what there is
// to say of overrides for the tier.
func (f *facts) overridden(t config.Tier, rs []Requirement) []Requirement {
	all, noted := f.overrides()
	var told []string
	r := Requirement{Name: "override", Decision: Allow}
	for _, o := range all {
		if o.Release != f.ID || o.Tier != t.Name {
			continue
		}
		switch {
		case o.Stands:
			told = append(told, fmt.Sprintf("OVERRIDDEN by %s until %s: %s", o.Who, when(o.Expires), o.Reason))
			r.Evidence, r.Since = append(r.Evidence, o.ID), o.Since
		case o.lift.ID != "":
			told = append(told, fmt.Sprintf("the override by %s was lifted by %s", o.Who, o.lift.who))
		case f.Now.Before(o.Expires):
			told = append(told, fmt.Sprintf("the override by %s does not count: it was said under another policy", o.Who))
		default:
			told = append(told, fmt.Sprintf("the override by %s expired on %s", o.Who, when(o.Expires)))
		}
	}
	for _, s := range read[evidence.Override](f, evidence.OverrideType) {
		if noted[s.ID] != "" && s.About(evidence.Release, f.ID) && s.what.Tier == t.Name {
			told = append(told, noted[s.ID])
		}
	}
	if len(told) == 0 {
		return rs
	}
	r.Reason = strings.Join(told, "; ")
	if o, ok := f.standing(t); ok {
		for i := range rs {
			if q := &rs[i]; q.skippable && q.Decision != Allow {
				q.Decision, q.Skipped = Allow, true
				q.Reason = fmt.Sprintf("SKIPPED by the override of %s: %s", o.Who, q.Reason)
				q.Evidence = append(q.Evidence, o.ID)
			}
		}
	}
	return append(rs, r)
}

// displaces says whether the release would end the stay of another in a tier where
// every hub counts.
func (f *facts) displaces(other release.Digest, t config.Tier) bool {
	if t.Hubs == "any" {
		return false // there is another hub to try it on
	}
	for _, h := range f.hubsOf(t) {
		d := f.Others[other].Hubs[h].Deployable
		if s := f.stayOf(h, d); s.of != "" && s.end.IsZero() && f.Release.Hubs[h].Deployable != d {
			return true
		}
	}
	return false
}

// overrideDue: what an override of another release skipped has been made up for, before
// this one takes its place in the tier where it is due. That shows it at every gate.
func (f *facts) overrideDue(t config.Tier) []Requirement {
	all, _ := f.overrides()
	r := Requirement{Name: "override-due", Decision: Allow, skippable: true}
	var told []string
	for _, o := range all {
		if o.Release == f.ID || !o.Used {
			continue
		}
		due := f.of(o.Release).due(o)
		var here []string
		for _, d := range due {
			here = append(here, d.Reason)
			if d.tier == t.Name && f.displaces(o.Release, t) {
				r.Decision = Wait
				if r.Command == "" {
					r.Command = d.Command
				}
			}
		}
		if len(due) > 0 {
			r.Evidence = append(r.Evidence, o.ID)
			told = append(told, fmt.Sprintf("release %s came to %s by an override of %s (%s), and this is due: %s",
				o.Release.Short(), o.Tier, o.Who, o.Reason, strings.Join(here, ", ")))
		}
	}
	if len(told) == 0 {
		return nil
	}
	r.Reason = strings.Join(told, "; ")
	if r.Decision == Wait {
		r.Evidence = nil
		r.Reason += fmt.Sprintf("; with another release in %s it could not be made up for", t.Name)
	}
	return []Requirement{r}
}
