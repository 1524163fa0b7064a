package gate

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"gauntlet/internal/config"
	"gauntlet/internal/evidence"
	"gauntlet/internal/release"
)

// signoffs: every user on the roll has said that what they tried in the tier works
// for them. A roll that is empty or unknown never lets anything pass.
func (f *facts) signoffs(t config.Tier) []Requirement {
	if t.Signoff == nil {
		return nil
	}
	users, problem := f.roll(t)
	if problem != "" {
		return []Requirement{{Name: "signoff", Decision: Wait, skippable: true, Reason: "who must sign off is not known: " + problem}}
	}
	var rs []Requirement
	for _, u := range users {
		rs = append(rs, f.signoff(t, u))
	}
	return rs
}

// roll is who must sign off, or why that is not known.
func (f *facts) roll(t config.Tier) ([]string, string) {
	users, problem := f.Roll.Users, f.Roll.Problem
	if t.Signoff.Of == "people" {
		users, problem = f.people.With(config.RoleUser), ""
	}
	if problem == "" && len(users) == 0 {
		problem = "the roll is empty"
	}
	users = slices.Sorted(slices.Values(users))
	return slices.Compact(users), problem
}

// signoff: a user has signed off themselves, or somebody who may vouch has recorded
// their word, with a link to it.
func (f *facts) signoff(t config.Tier, user string) Requirement {
	r := Requirement{Name: "signoff:" + user, Decision: Wait, skippable: true, Command: "gauntlet signoff " + f.ID.Short()}
	if !f.people.Has(user, config.RoleUser) {
		r.Command += " --for " + word(user) + " --link URL"
	}
	tried := f.tried(t)
	if len(tried) == 0 {
		r.Reason = fmt.Sprintf("%s has nothing to try: the release holds nothing for the hubs of %s", user, t.Name)
		return r
	}
	var noted []string
	first := f.firstStay(t)
	for _, s := range f.signed {
		if s.what.Tier != t.Name || s.what.User != user || !covers(s.Record, tried, t.Hubs == "any") {
			continue
		}
		if first.of == "" || s.at < first.start.at {
			noted = append(noted, "the sign-off by "+name(s)+" does not count: it was given before there was anything to try")
			continue
		}
		how, why := f.counts(s)
		if why != "" {
			noted = append(noted, why)
			continue
		}
		r.Decision, r.Command, r.Evidence, r.Since = Allow, "", ids(s), s.Time
		r.Reason = how
		return r
	}
	r.Reason = fmt.Sprintf("%s has not signed off what runs in %s", user, t.Name)
	if t.Signoff.Within > 0 {
		if first.of != "" {
			r.Reason += ", wanted by " + when(first.start.what.Finished.Add(t.Signoff.Within))
		}
	}
	if len(noted) > 0 {
		r.Reason += "; " + strings.Join(noted, "; ")
	}
	r.Reason += f.ignored(evidence.SignoffType, evidence.Deployable, tried...)
	return r
}

// plainWord is what a shell takes as it stands.
var plainWord = regexp.MustCompile(`^[A-Za-z0-9_.@+][A-Za-z0-9_.@+-]*$`)

// word is text as one word of a command for copying. Users' names come from the hub's
// authenticator: nothing in them may be read by a shell.
func word(text string) string {
	if plainWord.MatchString(text) {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}

// counts says how a sign-off counts, or why it does not.
func (f *facts) counts(s said[evidence.Signoff]) (how, why string) {
	user := s.what.User
	switch {
	case s.who == "":
		return "", "a sign-off does not count: " + name(s)
	case s.what.Vouch == nil && s.who == user && f.people.Has(user, config.RoleUser):
		return "signed off by " + user, ""
	case s.what.Vouch == nil && s.who == user:
		return "", fmt.Sprintf("the sign-off by %s does not count: %s is not of role %s", s.who, s.who, config.RoleUser)
	case s.what.Vouch == nil:
		return "", fmt.Sprintf("the sign-off by %s for %s does not count: it has no link to their own word", s.who, user)
	case !f.people.Has(s.who, config.RoleBoard, config.RoleVoucher):
		return "", fmt.Sprintf("the sign-off by %s for %s does not count: %s may not vouch for others", s.who, user, s.who)
	case s.what.Vouch.Link == "":
		return "", fmt.Sprintf("the sign-off by %s for %s does not count: it has no link to their own word", s.who, user)
	}
	return fmt.Sprintf("%s signed off, as %s vouches: %s", user, s.who, s.what.Vouch.Link), ""
}

// tried are the release's deployables on the hubs of a tier, each once.
func (f *facts) tried(t config.Tier) []release.Digest {
	var out []release.Digest
	for _, h := range f.hubsOf(t) {
		if p, ok := f.Release.Hubs[h]; ok && !slices.Contains(out, p.Deployable) {
			out = append(out, p.Deployable)
		}
	}
	return out
}

// covers says whether a record is about all of the deployables, or any of them.
func covers(r evidence.Record, ds []release.Digest, any bool) bool {
	n := 0
	for _, d := range ds {
		if r.About(evidence.Deployable, d) {
			n++
		}
	}
	return n == len(ds) || any && n > 0
}

// firstStay is where users could first try the release in a tier.
func (f *facts) firstStay(t config.Tier) stay {
	var first stay
	for _, h := range f.hubsOf(t) {
		if s := f.stayOf(h, f.Release.Hubs[h].Deployable); s.of != "" && (first.of == "" || s.start.at < first.start.at) {
			first = s
		}
	}
	return first
}
