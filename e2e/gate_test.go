package e2e

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gauntlet/internal/evidence"
	"gauntlet/internal/gate"
	"gauntlet/internal/ledger"
	"gauntlet/internal/release"
	"gauntlet/lab"
)

const demoLedger = lab.Registry + "/platform-ledger"

// A copied ledger holds what the demonstration's does, but for what is left out.
type copied struct {
	store  ledger.Store
	repo   string
	team   *team
	pinned release.Digest
}

// copyLedger copies the demonstration's ledger into a repository of its own, leaving
// out some statements, with a team that uses it.
func copyLedger(t *testing.T, leaveOut ...release.Digest) *copied {
	t.Helper()
	ctx := t.Context()
	from := openStore(t, demoLedger)
	repo := lab.Registry + "/e2e/ledger-" + strings.ToLower(randomName())
	to := openStore(t, repo)
	ids, err := from.List(ctx)
	if err != nil {
		t.Fatal(err)
	}
	done := map[release.Digest]bool{}
	view := demoView(t)
	artifacts := func(d release.Digest) {
		if done[d] {
			return
		}
		done[d] = true
		a, err := from.GetArtifact(ctx, d)
		if err != nil {
			t.Fatal(err)
		}
		if err := to.PutArtifact(ctx, a); err != nil {
			t.Fatal(err)
		}
	}
	for _, r := range view.Records {
		for _, s := range r.Subjects {
			if evidence.Kept(s.Kind) {
				artifacts(s.Digest)
			}
		}
		if b, err := evidence.Decode[evidence.Build](r); r.Type == evidence.BuildType && err == nil {
			artifacts(b.Packages)
		}
	}
	for _, id := range ids {
		if slices.Contains(leaveOut, id) {
			continue
		}
		item, err := from.Get(ctx, id)
		if err != nil {
			t.Fatal(err)
		}
		artifacts(item.Subject)
		if err := to.Append(ctx, item); err != nil {
			t.Fatal(err)
		}
	}
	c := copyOf(t, filepath.Join(demoDir(), "platform"))
	c.set("gauntlet.yaml", map[string]any{"ledger": repo})
	c.commit("Use a copy of the ledger")
	return &copied{store: to, repo: repo, team: c, pinned: view.PolicyDigest}
}

func openStore(t *testing.T, repo string) ledger.Store {
	t.Helper()
	s, err := ledger.OpenRegistry(repo)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// demoView is the demonstration's ledger as its policy judges it.
func demoView(t *testing.T) ledger.View {
	t.Helper()
	policy := statusOf(demoTeam(t)).Policy
	view, err := ledger.Open(openStore(t, demoLedger)).Read(t.Context(), policy)
	if err != nil {
		t.Fatal(err)
	}
	return view
}

// say appends a statement by a key to a copied ledger.
func (c *copied) say(t *testing.T, key *ledger.Key, s ledger.Statement) {
	t.Helper()
	l := ledger.Open(c.store)
	if _, err := l.Read(t.Context(), c.pinned); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Append(t.Context(), key, s); err != nil {
		t.Fatal(err)
	}
}

func demoKey(t *testing.T, name string) *ledger.Key {
	t.Helper()
	k, err := ledger.LoadKey(filepath.Join(demoDir(), "config", "gauntlet", "keys", name+".pem"))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// asked asks the gate of hub compute about the release and checks the exit code.
func (c *copied) asked(t *testing.T, r release.Digest, codes ...int) gate.Verdict {
	t.Helper()
	res := c.team.try(nil, "deploy", r.Hex(), "compute", "--check", "-o", "json")
	if !slices.Contains(codes, res.code) {
		t.Fatalf("exit code %d, expected %v\n%s", res.code, codes, res.all())
	}
	return read[gate.Verdict](t, res)
}

func requirement(t *testing.T, v gate.Verdict, name string) gate.Requirement {
	t.Helper()
	for _, r := range v.Requirements {
		if r.Name == name {
			return r
		}
	}
	t.Fatalf("the verdict has no requirement %s", name)
	return gate.Requirement{}
}

// refuses checks that the gate does not allow, that the requirement is why, and
// that its reason says so.
func (c *copied) refuses(t *testing.T, r release.Digest, name, reason string) {
	t.Helper()
	got := requirement(t, c.asked(t, r, 3, 4), name)
	if got.Decision == gate.Allow || !strings.Contains(got.Reason, reason) {
		t.Errorf("%s is %s: %q, expected a reason with %q", name, got.Decision, got.Reason, reason)
	}
}

func testGate(t *testing.T) {
	r := statusOf(demoTeam(t)).Release
	view := demoView(t)
	whole := copyLedger(t)
	allowed := whole.asked(t, r, 0)

	t.Run("every requirement needs its statement", func(t *testing.T) {
		n := 0
		for _, req := range allowed.Requirements {
			if len(req.Evidence) == 0 {
				continue // rests on the absence of statements: the tests below
			}
			n++
			t.Run(req.Name, func(t *testing.T) {
				flips(t, view, r, req)
			})
		}
		if n < 10 {
			t.Errorf("only %d requirements rest on evidence", n)
		}
	})
	t.Run("a veto denies, and only its author lifts it", func(t *testing.T) {
		c := copyLedger(t)
		c.team.gauntlet(0, "veto", r.Short(), "--key", "linus", "--reason", "geopandas draws nothing")
		c.refuses(t, r, "no-veto", "geopandas draws nothing")
		c.team.gauntlet(2, "veto", r.Short(), "--key", "ada", "--lift")
		c.team.gauntlet(0, "veto", r.Short(), "--key", "linus", "--lift")
		c.asked(t, r, 0)
	})

	approvals := byType(view, evidence.ApprovalType)
	canary := evidence.Approval{Tier: "canary", Policy: view.PolicyDigest}
	about := []evidence.Subject{{Kind: evidence.Release, Digest: r}}
	t.Run("nobody approves their own change", func(t *testing.T) {
		c := copyLedger(t, approvals...)
		c.say(t, demoKey(t, "ada"), ledger.Statement{Type: evidence.ApprovalType, Subjects: about, Predicate: canary})
		c.say(t, demoKey(t, "margaret"), ledger.Statement{Type: evidence.ApprovalType, Subjects: about, Predicate: canary})
		c.refuses(t, r, "approval", "margaret")
	})
	t.Run("an unknown key approves nothing", func(t *testing.T) {
		c := copyLedger(t, approvals...)
		for range 2 {
			c.say(t, strangerKey(t), ledger.Statement{Type: evidence.ApprovalType, Subjects: about, Predicate: canary})
		}
		c.refuses(t, r, "approval", "unknown key")
	})
	t.Run("an approval of another release does not count", func(t *testing.T) {
		c := copyLedger(t, approvals...)
		other := release.ImageSet{Images: map[string]release.Digest{"notebook": release.DigestOf([]byte("other"))}}.Artifact()
		if err := c.store.PutArtifact(t.Context(), other); err != nil {
			t.Fatal(err)
		}
		for _, who := range []string{"ada", "grace"} {
			c.say(t, demoKey(t, who), ledger.Statement{Type: evidence.ApprovalType, Predicate: canary,
				Subjects: []evidence.Subject{{Kind: evidence.Release, Digest: other.Digest()}}})
		}
		c.refuses(t, r, "approval", "")
	})
	t.Run("a policy that the change brings does not count", func(t *testing.T) {
		c := copyLedger(t, approvals...)
		stranger := strangerKey(t)
		text, err := os.ReadFile(filepath.Join(c.team.dir, "policy.yaml"))
		if err != nil {
			t.Fatal(err)
		}
		text = append(text, []byte("  stranger: {roles: [board], key: \""+stranger.Public()+"\"}\n")...)
		c.team.write("policy.yaml", string(text))
		c.team.commit("Bring a policy of our own")
		a := evidence.PolicyArtifact(text)
		if err := c.store.PutArtifact(t.Context(), a); err != nil {
			t.Fatal(err)
		}
		brought := []evidence.Subject{{Kind: evidence.Policy, Digest: a.Digest()}}
		c.say(t, stranger, ledger.Statement{Type: evidence.PolicyType, Subjects: brought,
			Predicate: evidence.PolicyChange{Previous: view.PolicyDigest, Text: string(text)}})
		c.say(t, stranger, ledger.Statement{Type: evidence.ApprovalType, Subjects: brought,
			Predicate: evidence.Approval{Tier: evidence.PolicyTier, Policy: view.PolicyDigest}})
		c.say(t, stranger, ledger.Statement{Type: evidence.ApprovalType, Subjects: about,
			Predicate: evidence.Approval{Tier: "canary", Policy: a.Digest()}})
		c.refuses(t, r, "approval", "unknown key")
	})
	t.Run("a deleted statement that a deployer judged by is missed", func(t *testing.T) {
		var heads []release.Digest
		text := demoTeam(t).kubectl("production", "-n", "compute", "get", "configmap", "gauntlet", "-o", "jsonpath={.data.heads}")
		if err := json.Unmarshal([]byte(text), &heads); err != nil || len(heads) == 0 {
			t.Fatalf("anchored heads %q: %v", text, err)
		}
		c := copyLedger(t, heads[0])
		c.refuses(t, r, "ledger-complete", heads[0].Short())
	})
}

// flips takes away what a requirement rests on until nothing else stands in for it
// (another hub of a tier where any will do), and checks that the gate then does not
// allow, for that very requirement.
func flips(t *testing.T, view ledger.View, r release.Digest, req gate.Requirement) {
	t.Helper()
	gone := sayingSame(view, req.Evidence)
	for range 3 {
		c := copyLedger(t, gone...)
		got := requirement(t, c.asked(t, r, 0, 3, 4), req.Name)
		if got.Decision != gate.Allow {
			c.asked(t, r, 3, 4)
			return
		}
		gone = append(gone, sayingSame(view, got.Evidence)...)
	}
	t.Errorf("%s still holds without %v", req.Name, gone)
}

// sayingSame are the statements that say what one of these says: a suite's earlier
// pass would stand in for the later one.
func sayingSame(v ledger.View, ids []release.Digest) []release.Digest {
	out := slices.Clone(ids)
	for _, r := range v.Records {
		for _, s := range v.Records {
			if slices.Contains(ids, s.ID) && r.Type == s.Type && r.Signer == s.Signer && slices.Equal(r.Subjects, s.Subjects) {
				out = append(out, r.ID)
			}
		}
	}
	return out
}

func byType(v ledger.View, typ string) []release.Digest {
	var out []release.Digest
	for _, r := range v.Records {
		if r.Type == typ {
			out = append(out, r.ID)
		}
	}
	return out
}

func strangerKey(t *testing.T) *ledger.Key {
	t.Helper()
	k, err := ledger.NewKey("stranger")
	if err != nil {
		t.Fatal(err)
	}
	return k
}
