package ledger

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"gauntlet/internal/evidence"
	"gauntlet/internal/gate"
	"gauntlet/internal/release"
)

// platform is a ledger in use: people with keys, a policy and its ledger.
type platform struct {
	t     *testing.T
	store Store
	*Ledger
	keys   map[string]*Key
	pinned release.Digest
}

// newPlatform has ada and grace on the board and a checker, under a policy that
// asks for the board's word once or, with count, more often.
func newPlatform(t *testing.T, store Store, count int) *platform {
	t.Helper()
	p := &platform{t: t, store: store, Ledger: Open(store), keys: map[string]*Key{}}
	for _, name := range []string{"ada", "grace", "edsger", "checker", "mallory"} {
		p.keys[name] = mustKey(t, name)
	}
	p.pinned = p.propose("ada", p.policy(count, "ada", "grace"), "")
	return p
}

// policy is a policy.yaml with these people on the board.
func (p *platform) policy(count int, board ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, `apiVersion: gauntlet/v1
tiers:
  - bleeding-edge: {hubs: any, suites: [hub]}
  - production: {suites: [hub], approval: {role: board, count: %d}}
people:
  checker: {roles: [builder, checker, deployer], key: %q}
`, count, p.keys["checker"].Public())
	for _, name := range board {
		fmt.Fprintf(&b, "  %s: {roles: [board], key: %q}\n", name, p.keys[name].Public())
	}
	return b.String()
}

func (p *platform) propose(who, text string, previous release.Digest) release.Digest {
	p.t.Helper()
	a := evidence.PolicyArtifact([]byte(text))
	p.put(a)
	p.say(who, evidence.PolicyType, evidence.PolicyChange{Previous: previous, Text: text}, evidence.Policy, a.Digest())
	return a.Digest()
}

func (p *platform) accept(who string, policy, previous release.Digest) {
	p.t.Helper()
	p.say(who, evidence.ApprovalType, evidence.Approval{Tier: evidence.PolicyTier, Policy: previous}, evidence.Policy, policy)
}

func (p *platform) put(a release.Artifact) release.Digest {
	p.t.Helper()
	if err := p.PutArtifact(p.t.Context(), a); err != nil {
		p.t.Fatal(err)
	}
	return a.Digest()
}

func (p *platform) say(who, typ string, predicate any, kind string, d release.Digest) evidence.Record {
	p.t.Helper()
	r, err := p.Append(p.t.Context(), p.keys[who], Statement{
		Type: typ, Subjects: []evidence.Subject{{Kind: kind, Digest: d}}, Predicate: predicate,
	})
	if err != nil {
		p.t.Fatal(err)
	}
	return r
}

func (p *platform) veto(who string, d release.Digest, why string) evidence.Record {
	p.t.Helper()
	return p.say(who, evidence.VetoType, evidence.Veto{Reason: why}, evidence.Release, d)
}

func (p *platform) read() View {
	p.t.Helper()
	v, err := p.Read(p.t.Context(), p.pinned)
	if err != nil {
		p.t.Fatal(err)
	}
	return v
}

func recordIDs(v View) []release.Digest {
	var out []release.Digest
	for _, r := range v.Records {
		out = append(out, r.ID)
	}
	return out
}

func rejected(v View) map[release.Digest]gate.Rejected {
	out := map[release.Digest]gate.Rejected{}
	for _, r := range v.Rejected {
		out[r.ID] = r
	}
	return out
}

// sealed is a statement as somebody would push it past Append.
func (p *platform) sealed(who string, s Statement, heads ...release.Digest) Item {
	p.t.Helper()
	it, err := seal(context.Background(), p.keys[who], s, meta{Time: time.Now().UTC(), Heads: heads})
	if err != nil {
		p.t.Fatal(err)
	}
	return it
}

func vetoOf(d release.Digest, why string) Statement {
	return Statement{Type: evidence.VetoType, Subjects: []evidence.Subject{{Kind: evidence.Release, Digest: d}}, Predicate: evidence.Veto{Reason: why}}
}
