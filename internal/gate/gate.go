// Package gate decides whether a release may enter a tier: policy, evidence, state
// of the hubs and the roll of users in; allow, deny or wait out, always with
// reasons. It is pure: same input, same verdict.
package gate

import (
	"time"

	"gauntlet/internal/config"
	"gauntlet/internal/evidence"
	"gauntlet/internal/release"
)

// A Decision is the answer for one requirement or the whole gate.
type Decision string

const (
	Allow Decision = "allow" // holds
	Wait  Decision = "wait"  // does not hold yet: time or people can make it
	Deny  Decision = "deny"  // does not hold, and waiting will not help
)

// Input is all a gate looks at.
type Input struct {
	Policy       config.Policy
	PolicyDigest release.Digest

	ID      release.Digest // the release that asks
	Release release.Release
	Hubs    map[string]string // hub to tier, all hubs of the platform
	Tier    string            // the tier it asks to enter
	Hub     string            // the hub of that tier it asks for; "" asks for the tier in general
	Pinned  string            // the tier that the hub's namespace is pinned as; "" when it is not known

	Evidence   []evidence.Record                  // every verified statement of the ledger
	Rejected   []Rejected                         // statements that count as absent
	Others     map[release.Digest]release.Release // the releases that Overridden names
	Missing    []release.Digest                   // ids that somebody has seen in the ledger and that are not there: see View.Missing of package ledger
	States     map[string]HubState
	Roll       Roll
	Production release.Digest // the release that production runs now, "" for none
	Now        time.Time
}

// Rejected is a statement that could not be verified. What it claims is for people
// to read: nothing is decided by it.
type Rejected struct {
	ID     release.Digest `json:"id"`
	Reason string         `json:"reason,omitempty"` // one line

	Type     string             `json:"type,omitempty"`   // as claimed, "" when it could not be read
	Subjects []evidence.Subject `json:"subjects"`         // as claimed
	Signer   string             `json:"signer,omitempty"` // key id, as claimed
}

// About says whether the statement claims to have that subject.
func (r Rejected) About(kind string, d release.Digest) bool {
	return evidence.Record{Subjects: r.Subjects}.About(kind, d)
}

// HubState is what a hub runs, read from its Helm record.
type HubState struct {
	Deployable string    `json:"deployable,omitempty"` // Digest.Label of it, "" when nothing of ours runs
	Release    string    `json:"release,omitempty"`    // Digest.Label of the release it came with
	Since      time.Time `json:"since,omitzero"`       // by the API server
	Revision   int       `json:"revision"`
	Foreign    bool      `json:"foreign,omitempty"` // the newest revision was not made by gauntlet
	Adopted    bool      `json:"adopted,omitempty"` // and somebody took over what it runs
	Problem    string    `json:"problem,omitempty"` // why the state could not be read
}

// Roll is who must sign off.
type Roll struct {
	Users   []string
	Problem string // why the roll could not be read
}

// A Requirement is one thing that must hold.
type Requirement struct {
	Name     string           `json:"name"` // stable, kebab-case: "image-test", "canary:suite:hub", "approval", "signoff:ada"
	Decision Decision         `json:"decision"`
	Reason   string           `json:"reason,omitempty"`   // one line for people
	Command  string           `json:"command,omitempty"`  // what would satisfy it, when something can
	Evidence []release.Digest `json:"evidence,omitempty"` // ids of the records it rests on
	Since    time.Time        `json:"since,omitzero"`     // when it began to hold; zero when it does not
	Skipped  bool             `json:"skipped,omitempty"`  // it does not hold: an override allows that, and it stays due

	skippable bool   // an override may skip it
	tier      string // where an override left it due
}

// A Verdict is the gate's answer: the worst decision of its requirements.
type Verdict struct {
	Decision     Decision      `json:"decision"`
	Requirements []Requirement `json:"requirements"` // at least one
}

// Evaluate judges whether the release may enter the tier, at the hub when the input
// names one. It holds nothing back: every requirement is in the verdict, met or not.
func Evaluate(in Input) Verdict {
	f := gather(in)
	i, refused := f.target()
	if len(refused) > 0 {
		return verdict(refused)
	}
	rs := []Requirement{f.ledgerComplete()}
	rs = append(rs, f.clockSkew()...)
	rs = append(rs, f.releaseMade(i), f.build(i), f.imageTest(), f.pairing(), f.render(), f.noVeto(), f.noHold(in.Policy.Tiers[i], in.Hub),
		f.notRolledBack(in.Policy.Tiers[i]), f.noFreeze(in.Policy.Tiers[i], in.Hub))
	rs = append(rs, f.overrideDue(in.Policy.Tiers[i])...)
	for j, t := range in.Policy.Tiers[:i] {
		rs = append(rs, f.passedTier(t, j == i-1)...)
	}
	rs = append(rs, f.words(i)...)
	rs = append(rs, f.version(in.Policy.Tiers[:i+1])...)
	rs = append(rs, f.order(in.Policy.Tiers[i])...)
	return verdict(f.overridden(in.Policy.Tiers[i], rs))
}

// words are what people must have said by the time a release enters a tier: the
// approvals of all tiers up to it, and the sign-offs of those before it. The last
// of each go by the plain names "approval" and "signoff:…", earlier ones by
// "TIER:approval" and "TIER:signoff:…". Taking an earlier word away is noticed at
// every later gate.
func (f *facts) words(asked int) []Requirement {
	var rs []Requirement
	last := map[string]int{}
	for i, t := range f.Policy.Tiers[:asked+1] {
		if t.Approval != nil {
			last["approval"] = i
		}
		if t.Signoff != nil && i < asked {
			last["signoff"] = i
		}
	}
	for i, t := range f.Policy.Tiers[:asked+1] {
		named := func(of string, r Requirement) Requirement {
			if i != last[of] {
				r.Name = t.Name + ":" + r.Name
			}
			return r
		}
		for _, r := range f.approval(t) {
			rs = append(rs, named("approval", r))
		}
		if i == asked {
			break
		}
		for _, r := range f.signoffs(t) {
			rs = append(rs, named("signoff", r))
		}
	}
	return rs
}

// verdict is the worst of the requirements; none at all is a refusal.
func verdict(rs []Requirement) Verdict {
	v := Verdict{Decision: Allow, Requirements: rs}
	if len(rs) == 0 {
		v.Decision = Deny
	}
	for _, r := range rs {
		v.Decision = worse(v.Decision, r.Decision)
	}
	return v
}

func worse(a, b Decision) Decision {
	rank := map[Decision]int{Allow: 1, Wait: 2, Deny: 3}
	if rank[b] == 0 || rank[b] > rank[a] {
		return b
	}
	return a
}
