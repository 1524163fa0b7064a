package ledger

import (
	"slices"
	"strings"
	"testing"

	"gauntlet/internal/evidence"
	"gauntlet/internal/release"
)

func TestBoardAcceptsTheNextPolicy(t *testing.T) {
	p := newPlatform(t, NewMemoryForTests(), 2)
	next := p.propose("grace", p.policy(1, "ada", "edsger"), p.pinned)
	stays := func(why string) {
		t.Helper()
		v := p.read()
		if v.PolicyDigest != p.pinned {
			t.Fatalf("%s: policy %s is in force, want the pinned one", why, v.PolicyDigest.Short())
		}
		if len(v.Proposals) != 1 || v.Proposals[0].Digest != next || v.Proposals[0].Needed != 2 {
			t.Errorf("%s: proposals %+v", why, v.Proposals)
		}
	}
	stays("nobody accepted")
	p.accept("ada", next, p.pinned)
	p.accept("ada", next, p.pinned)
	stays("ada accepted twice")
	p.accept("edsger", next, p.pinned) // of the next board only
	p.accept("checker", next, p.pinned)
	p.accept("mallory", next, p.pinned)
	stays("others accepted")
	p.accept("grace", next, release.DigestOf([]byte("another")))
	p.say("grace", evidence.ApprovalType, evidence.Approval{Tier: "production", Policy: p.pinned}, evidence.Policy, next)
	stays("grace accepted something else")
	if got := p.read().Proposals[0].Approvals; !slices.Equal(got, []string{"ada"}) {
		t.Errorf("approvals %v", got)
	}

	p.accept("grace", next, p.pinned)
	v := p.read()
	if v.PolicyDigest != next || len(v.Proposals) != 0 {
		t.Fatalf("policy %s is in force, proposals %v", v.PolicyDigest.Short(), v.Proposals)
	}
	if _, ok := v.Policy.People["edsger"]; !ok || v.Policy.Tiers[1].Approval.Count != 1 {
		t.Errorf("policy %+v", v.Policy)
	}

	// One edsger is enough from here; grace has no say any more.
	third := p.propose("grace", p.policy(1, "edsger"), next)
	p.accept("grace", third, next)
	if got := p.read().PolicyDigest; got != next {
		t.Errorf("grace, who left the board, changed the policy to %s", got.Short())
	}
	p.accept("edsger", third, next)
	if got := p.read().PolicyDigest; got != third {
		t.Errorf("policy %s is in force, want the third", got.Short())
	}
}

func TestOnlyKeysOfThePolicyInForceCount(t *testing.T) {
	p := newPlatform(t, NewMemoryForTests(), 1)
	d := p.put(artifact("R"))
	grace, ada := p.veto("grace", d, "before").ID, p.veto("ada", d, "before").ID
	next := p.propose("ada", p.policy(1, "ada"), p.pinned)
	p.accept("ada", next, p.pinned)
	v := p.read()
	if slices.Contains(recordIDs(v), grace) || !slices.Contains(recordIDs(v), ada) {
		t.Errorf("records %v", recordIDs(v))
	}
	if r := rejected(v)[grace]; !strings.Contains(r.Reason, "unknown key") {
		t.Errorf("rejected as %+v", r)
	}
	if m := v.Missing([]release.Digest{grace, ada}); len(m) != 0 {
		t.Errorf("what an old key said is there all the same: missing %v", m)
	}
}

func TestTwoNextPoliciesAreDecidedByPinning(t *testing.T) {
	p := newPlatform(t, NewMemoryForTests(), 1)
	a := p.propose("ada", p.policy(1, "ada"), p.pinned)
	b := p.propose("grace", p.policy(1, "grace"), p.pinned)
	p.accept("ada", a, p.pinned)
	if got := p.read().PolicyDigest; got != a {
		t.Fatalf("policy %s is in force", got.Short())
	}
	// grace is not in a; her word for b was once enough, so it must be dealt with.
	p.accept("grace", b, p.pinned)
	if _, err := p.Read(t.Context(), p.pinned); err == nil || !strings.Contains(err.Error(), "gauntlet policy init") {
		t.Fatalf("two policies were accepted: %v", err)
	}
	p.pinned = a
	if got := p.read().PolicyDigest; got != a {
		t.Errorf("policy %s is in force", got.Short())
	}
}

func TestOldPolicyDoesNotComeBack(t *testing.T) {
	p := newPlatform(t, NewMemoryForTests(), 1)
	first := p.pinned
	next := p.propose("ada", p.policy(2, "ada", "grace"), first)
	p.accept("ada", next, first)
	p.propose("ada", p.policy(1, "ada", "grace"), next)
	p.accept("ada", first, next)
	p.accept("grace", first, next)
	if got := p.read().PolicyDigest; got != next {
		t.Errorf("policy %s is in force", got.Short())
	}
}

func TestPolicyIsItsBytes(t *testing.T) {
	p := newPlatform(t, NewMemoryForTests(), 1)
	// The statement names the pinned policy and brings another text.
	it := p.sealed("ada", Statement{
		Type: evidence.PolicyType, Subjects: []evidence.Subject{{Kind: evidence.Policy, Digest: p.pinned}},
		Predicate: evidence.PolicyChange{Text: p.policy(1, "mallory")},
	})
	if err := p.store.Append(t.Context(), it); err != nil {
		t.Fatal(err)
	}
	v := p.read()
	if _, ok := v.Policy.People["ada"]; !ok {
		t.Errorf("policy %+v", v.Policy)
	}
	if r := rejected(v)[it.ID]; !strings.Contains(r.Reason, "subject mismatch") {
		t.Errorf("rejected as %+v", r)
	}
}

func TestPolicyThatCannotBeReadIsAnError(t *testing.T) {
	p := newPlatform(t, NewMemoryForTests(), 1)
	p.pinned = p.propose("ada", "tiers: [", "")
	if _, err := p.Read(t.Context(), p.pinned); err == nil || !strings.Contains(err.Error(), "cannot be read") {
		t.Errorf("a policy that is no YAML: %v", err)
	}
}
