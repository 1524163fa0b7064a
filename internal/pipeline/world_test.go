package pipeline

import (
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"gauntlet/internal/config"
	"gauntlet/internal/evidence"
	"gauntlet/internal/release"
)

// day is when everything in these tests begins.
var day = time.Date(2030, 5, 1, 9, 0, 0, 0, time.UTC)

func digest(s string) release.Digest { return release.DigestOf([]byte(s)) }

func publicKey(who string) ed25519.PublicKey {
	return ed25519.NewKeyFromSeed([]byte(digest("key of " + who).Hex()[:32])).Public().(ed25519.PublicKey)
}

func keyID(who string) string { return evidence.KeyID(publicKey(who)) }

// newSight is a ledger without statements under a policy of two tiers. Each person
// has one role and bears its name.
func newSight() *sight {
	s := &sight{digest: digest("policy"), policy: config.Policy{
		Tiers:  []config.Tier{{Name: "testing", Suites: []string{"hub"}}, {Name: "production", Suites: []string{"hub"}}},
		People: map[string]config.Person{},
	}}
	for _, role := range config.Roles {
		s.policy.People[role] = config.Person{Key: evidence.FormatKey(publicKey(role)), Roles: []string{role}}
	}
	return s
}

// say adds a statement, a minute after the one before, and returns its id. What a
// stranger says would not be among the verified records; it is put there to show
// that it counts for nothing even so.
func (s *sight) say(t *testing.T, who, typ string, predicate any, subjects ...evidence.Subject) release.Digest {
	t.Helper()
	raw, err := json.Marshal(predicate)
	if err != nil {
		t.Fatal(err)
	}
	n := len(s.view.Records)
	r := evidence.Record{
		ID: digest(fmt.Sprint("record", n)), Type: typ, Subjects: subjects, Signer: keyID(who),
		Time: day.Add(time.Duration(n) * time.Minute), Predicate: raw,
	}
	s.add(r)
	return r.ID
}

func of(kind string, d release.Digest) evidence.Subject {
	return evidence.Subject{Kind: kind, Digest: d}
}

// makes says that somebody made a release from a commit.
func (s *sight) makes(t *testing.T, who, name, commit string) release.Digest {
	t.Helper()
	s.say(t, who, evidence.ReleaseType, evidence.Made{Commit: commit + "0000", Label: commit}, of(evidence.Release, digest(name)))
	return digest(name)
}

// brings says that a hub was brought to a release's deployable.
func (s *sight) brings(t *testing.T, who, name string, d evidence.Deployment) {
	t.Helper()
	s.say(t, who, evidence.DeploymentType, d, of(evidence.Release, digest(name)), of(evidence.Deployable, digest(name+" on "+d.Hub)))
}
