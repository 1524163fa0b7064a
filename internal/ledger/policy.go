package ledger

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"slices"
	"strings"

	"gauntlet/internal/config"
	"gauntlet/internal/evidence"
	"gauntlet/internal/gate"
	"gauntlet/internal/release"
)

// A Proposal is a policy that somebody wants to follow the one in force.
type Proposal struct {
	ID        release.Digest // of the statement that proposes it
	Digest    release.Digest // of the policy
	Text      string         // policy.yaml
	Approvals []string       // names of the board members who approved it, sorted
	Needed    int            // how many must
}

// A link is one policy of the chain.
type link struct {
	policy config.Policy
	digest release.Digest
}

// chain walks from the pinned policy to the one in force. A policy follows another
// when enough of the other's board have approved it: as many as the other's most
// demanding tier asks for, at least one. It is judged by the keys of the policy
// before it alone. When two have been accepted to follow one, neither is: somebody
// must decide, by pinning. A policy that was in force once cannot come back byte
// for byte, so that old approvals are never used again.
func chain(ctx context.Context, all []parsed, pinned release.Digest) (link, []Proposal, error) {
	var at link
	for _, p := range all {
		c, ok := policyChange(p.record)
		if !ok || p.record.Subjects[0].Digest != pinned {
			continue
		}
		var err error
		if at, err = readPolicy(c.Text, pinned); err != nil {
			return link{}, nil, err
		}
		break // equal digests are equal texts
	}
	if at.digest == "" {
		return link{}, nil, fmt.Errorf("the pinned policy %s is not in the ledger: if it was deleted, `gauntlet policy init` with the same file brings it back", pinned.Short())
	}
	seen := map[release.Digest]bool{pinned: true}
	for {
		proposals := successors(ctx, all, at, seen)
		var accepted []Proposal
		for _, p := range proposals {
			if len(p.Approvals) >= p.Needed {
				accepted = append(accepted, p)
			}
		}
		switch len(accepted) {
		case 0:
			return at, proposals, nil
		case 1:
			var err error
			if at, err = readPolicy(accepted[0].Text, accepted[0].Digest); err != nil {
				return link{}, nil, err
			}
			seen[at.digest] = true
		default:
			var names []string
			for _, p := range accepted {
				names = append(names, p.Digest.Short())
			}
			return link{}, nil, fmt.Errorf("the board of policy %s has accepted %d policies to follow it (%s), and only one can: the board agrees on one, its namespaces forget the pinned policy (kubectl delete configmap gauntlet), and `gauntlet policy init` pins it anew",
				at.digest.Short(), len(accepted), strings.Join(names, ", "))
		}
	}
}

// successors are the policies proposed to follow one, each once, by digest.
func successors(ctx context.Context, all []parsed, at link, seen map[release.Digest]bool) []Proposal {
	keys := keysOf(at.policy)
	people := gate.PeopleOf(at.policy)
	found := map[release.Digest]Proposal{}
	for _, p := range all {
		c, ok := policyChange(p.record)
		d := p.record.Subjects[0].Digest
		if !ok || c.Previous != at.digest || seen[d] {
			continue
		}
		if old, ok := found[d]; !ok || p.record.ID < old.ID {
			found[d] = Proposal{ID: p.record.ID, Digest: d, Text: c.Text, Needed: needed(at.policy)}
		}
	}
	for _, p := range all {
		if p.record.Type != evidence.ApprovalType {
			continue
		}
		proposal, ok := found[p.record.Subjects[0].Digest]
		if !ok || p.record.Subjects[0].Kind != evidence.Policy || p.verify(ctx, keys) != "" {
			continue
		}
		a, err := evidence.Decode[evidence.Approval](p.record)
		if err != nil || a.Tier != evidence.PolicyTier || a.Policy != at.digest {
			continue
		}
		who, err := people.By(p.record.Signer)
		if err != nil || !people.Has(who, config.RoleBoard) || slices.Contains(proposal.Approvals, who) {
			continue
		}
		proposal.Approvals = append(proposal.Approvals, who)
		slices.Sort(proposal.Approvals)
		found[proposal.Digest] = proposal
	}
	var out []Proposal
	for _, p := range found {
		out = append(out, p)
	}
	slices.SortFunc(out, func(a, b Proposal) int { return strings.Compare(string(a.Digest), string(b.Digest)) })
	return out
}

// policyChange reads a record that proposes a policy.
func policyChange(r evidence.Record) (evidence.PolicyChange, bool) {
	if r.Type != evidence.PolicyType || r.Subjects[0].Kind != evidence.Policy {
		return evidence.PolicyChange{}, false
	}
	c, err := evidence.Decode[evidence.PolicyChange](r)
	return c, err == nil && evidence.PolicyArtifact([]byte(c.Text)).Digest() == r.Subjects[0].Digest
}

// needed is how many of a policy's board must accept the next one.
func needed(p config.Policy) int {
	n := 1
	for _, t := range p.Tiers {
		if t.Approval != nil {
			n = max(n, t.Approval.Count)
		}
	}
	return n
}

func readPolicy(text string, d release.Digest) (link, error) {
	p, err := config.ParsePolicy("policy "+d.Short(), []byte(text))
	if err != nil {
		return link{}, fmt.Errorf("policy %s of the ledger cannot be read: %w", d.Short(), err)
	}
	return link{*p, d}, nil
}

// keysOf are the keys that count under a policy, by id.
func keysOf(p config.Policy) map[string]ed25519.PublicKey {
	keys := map[string]ed25519.PublicKey{}
	for _, person := range p.People {
		if pub, err := evidence.ParseKey(person.Key); err == nil {
			keys[evidence.KeyID(pub)] = pub
		}
	}
	return keys
}
