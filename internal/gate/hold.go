package gate

import (
	"fmt"
	"strings"
	"time"

	"gauntlet/internal/config"
	"gauntlet/internal/evidence"
	"gauntlet/internal/release"
)

// A Hold stops the line: for one release, hub or tier, or for everything. A rollback is
// one too: for what the hub was rolled back from, in that tier.
type Hold struct {
	ID      release.Digest `json:"id"` // of its statement
	Who     string         `json:"who"`
	Since   time.Time      `json:"since"`
	Reason  string         `json:"reason"`
	Release release.Digest `json:"release,omitempty"`
	Hub     string         `json:"hub,omitempty"`
	Tier    string         `json:"tier,omitempty"`
	Back    *Back          `json:"rolledBack,omitempty"` // set when a rollback holds
}

// A Back is what a hub was rolled back from: labels of digests, see Digest.Label.
type Back struct {
	Release    string `json:"release"`
	Deployable string `json:"deployable,omitempty"`
}

// Of is what the hold stops, for people.
func (h Hold) Of() string {
	switch {
	case h.Back != nil:
		return fmt.Sprintf("release %.12s in tier %s", h.Back.Release, h.Tier)
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

// MayLift says whether a person may lift a hold: who set it (who rolled back), or anybody
// of the board.
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
		h.lifted(f.Policy, all)
		holds = append(holds, h)
	}
	return append(holds, f.rolledBack(all)...), noted
}

// lifted finds who lifted the hold, if anybody who may did.
func (h *hold) lifted(p config.Policy, all []said[evidence.Hold]) {
	for _, l := range all {
		if l.what.Lifts == h.ID && l.who != "" && MayLift(p, l.who, h.Hold) {
			h.lift = l
			return
		}
	}
}

// stops says whether a hold stops the release on its way into the tier, at the hub or
// at "" for the tier in general. A tier all of whose hubs count waits for each of them.
func (f *facts) stops(h Hold, t config.Tier, hub string) bool {
	switch {
	case h.Back != nil:
		return h.Tier == t.Name && f.isBack(h)
	case h.Release != "":
		return h.Release == f.ID
	case h.Hub != "":
		return f.touches(h.Hub, t, hub)
	case h.Tier != "":
		return h.Tier == t.Name
	}
	return true
}

// touches says whether what happens to one hub concerns the way into a tier, at another
// hub or at "" for the tier in general.
func (f *facts) touches(one string, t config.Tier, hub string) bool {
	return one == hub || hub == "" && t.Hubs != "any" && f.Hubs[one] == t.Name
}

// noHold: nobody has stopped the line. A hold is waited out: the board lifts it, or
// who set it.
func (f *facts) noHold(t config.Tier, hub string) Requirement {
	r := Requirement{Name: "no-hold", Decision: Allow, Reason: "nobody holds the line"}
	holds, noted := f.holds()
	var why []string
	for _, h := range holds {
		if h.Back != nil || !f.stops(h.Hold, t, hub) {
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
