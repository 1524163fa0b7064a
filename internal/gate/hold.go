package gate

import (
	"fmt"
	"strings"
	"time"

	"gauntlet/internal/config"
	"gauntlet/internal/evidence"
	"gauntlet/internal/release"
)

// A Hold stops the line: for one release, hub or tier, or for everything.
type Hold struct {
	ID      release.Digest `json:"id"` // of its statement
	Who     string         `json:"who"`
	Since   time.Time      `json:"since"`
	Reason  string         `json:"reason"`
	Release release.Digest `json:"release,omitempty"`
	Hub     string         `json:"hub,omitempty"`
	Tier    string         `json:"tier,omitempty"`
}

// Of is what the hold stops, for people.
func (h Hold) Of() string {
	switch {
	case h.Release != "":
		return "release " + h.Release.Short()
	case h.Hub != "":
		return "hub " + h.Hub
	case h.Tier != "":
		return "tier " + h.Tier
	}
	return "everything"
}

// Standing are the holds that count and that nobody has lifted, oldest first.
func Standing(p config.Policy, records []evidence.Record) []Hold {
	var standing []Hold
	holds, _ := gather(Input{Policy: p, Evidence: records}).holds()
	for _, h := range holds {
		if h.lift.ID == "" {
			standing = append(standing, h.Hold)
		}
	}
	return standing
}

// MayLift says whether a person may lift a hold: who set it, or anybody of the board.
func MayLift(p config.Policy, person string, h Hold) bool {
	return person == h.Who || PeopleOf(p).Has(person, config.RoleBoard)
}

// hold is a hold that counts, and the statement that lifted it, if any.
type hold struct {
	Hold
	lift said[evidence.Hold]
}

// holds are the holds that count, lifted or not, and those that never did.
func (f *facts) holds() (holds []hold, noted []said[evidence.Hold]) {
	all := read[evidence.Hold](f, evidence.HoldType)
	for _, s := range all {
		if s.what.Lifts != "" {
			continue
		}
		if s.who == "" || !f.people.Has(s.who, config.RoleBoard, config.RoleDeployer) {
			noted = append(noted, s)
			continue
		}
		h := hold{Hold: Hold{ID: s.ID, Who: s.who, Since: s.Time, Reason: s.what.Reason, Hub: s.what.Hub, Tier: s.what.Tier}}
		for _, sub := range s.Subjects {
			if sub.Kind == evidence.Release {
				h.Release, h.Hub, h.Tier = sub.Digest, "", ""
			}
		}
		for _, l := range all {
			if l.what.Lifts == s.ID && l.who != "" && MayLift(f.Policy, l.who, h.Hold) {
				h.lift = l
				break
			}
		}
		holds = append(holds, h)
	}
	return holds, noted
}

// stops says whether a hold stops the release on its way into the tier, at the hub or
// at "" for the tier in general. A tier all of whose hubs count waits for each of them.
func (f *facts) stops(h Hold, t config.Tier, hub string) bool {
	switch {
	case h.Release != "":
		return h.Release == f.ID
	case h.Hub != "":
		return h.Hub == hub || hub == "" && t.Hubs != "any" && f.Hubs[h.Hub] == t.Name
	case h.Tier != "":
		return h.Tier == t.Name
	}
	return true
}

// noHold: nobody has stopped the line. A hold is waited out: the board lifts it, or
// who set it.
func (f *facts) noHold(t config.Tier, hub string) Requirement {
	r := Requirement{Name: "no-hold", Decision: Allow, Reason: "nobody holds the line"}
	holds, noted := f.holds()
	var why []string
	for _, h := range holds {
		if !f.stops(h.Hold, t, hub) {
			continue
		}
		if h.lift.ID != "" {
			r.Reason = "the hold by " + h.Who + " was lifted by " + h.lift.who
			r.Evidence, r.Since = append(r.Evidence, h.lift.ID), h.lift.Time
			continue
		}
		why = append(why, fmt.Sprintf("%s held by %s since %s: %s", h.Of(), h.Who, when(h.Since), h.Reason))
		if r.Command == "" {
			r.Command = "gauntlet hold --lift " + h.ID.Short()
		}
	}
	if len(why) > 0 {
		r.Decision, r.Evidence, r.Since = Wait, nil, time.Time{}
		r.Reason = strings.Join(why, "; ")
	}
	for _, s := range noted {
		r.Reason += fmt.Sprintf("; a hold by %s does not count: only board and deployers have one", name(s))
	}
	r.Reason += f.ignored(evidence.HoldType, evidence.Policy, f.PolicyDigest) + f.ignored(evidence.HoldType, evidence.Release, f.ID)
	return r
}
