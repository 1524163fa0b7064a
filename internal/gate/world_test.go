package gate

import (
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"gauntlet/internal/config"
	"gauntlet/internal/evidence"
	"gauntlet/internal/release"
)

// day is when everything in these tests begins.
var day = time.Date(2030, 5, 1, 9, 0, 0, 0, time.UTC)

// world is an input under construction: a platform of six hubs in three tiers.
type world struct {
	Input
	n int
}

func digest(s string) release.Digest { return release.DigestOf([]byte(s)) }

var keys sync.Map // name to public key

func keyOf(name string) ed25519.PublicKey {
	if k, ok := keys.Load(name); ok {
		return k.(ed25519.PublicKey)
	}
	seed := release.DigestOf([]byte("key of " + name))
	k := ed25519.NewKeyFromSeed([]byte(seed.Hex()[:32])).Public().(ed25519.PublicKey)
	keys.Store(name, k)
	return k
}

func person(name string, email string, roles ...string) config.Person {
	p := config.Person{Key: evidence.FormatKey(keyOf(name)), Roles: roles}
	if email != "" {
		p.Email = []string{email}
	}
	return p
}

func policy() config.Policy {
	return config.Policy{
		Tiers: []config.Tier{
			{Name: "bleeding-edge", Hubs: "any", Suites: []string{"hub"}},
			{
				Name: "canary", Suites: []string{"hub", "homes"}, Soak: time.Hour,
				Approval: &config.Approval{Role: config.RoleBoard, Count: 2},
				Signoff:  &config.Signoff{Of: "active-users", Require: "all", Within: 14 * 24 * time.Hour},
			},
			{
				Name: "production", Suites: []string{"hub"}, Version: "semver",
				Approval: &config.Approval{Role: config.RoleBoard, Count: 1},
				Order:    []string{"coastal", "impactlab", "compute"},
			},
		},
		People: map[string]config.Person{
			"builder":  person("builder", "", config.RoleBuilder),
			"checker":  person("checker", "", config.RoleChecker),
			"deployer": person("deployer", "", config.RoleDeployer),
			"voucher":  person("voucher", "", config.RoleVoucher),
			"ada":      person("ada", "ada@example.org", config.RoleBoard),
			"grace":    person("grace", "grace@example.org", config.RoleBoard),
			"edsger":   person("edsger", "edsger@example.org", config.RoleBoard),
			"linus":    person("linus", "linus@example.org", config.RoleUser),
			"barbara":  person("barbara", "", config.RoleUser),
		},
	}
}

// releaseOf is a release whose deployables bear the name.
func releaseOf(name string, hubs map[string]string) release.Release {
	r := release.Release{ImageSet: digest(name + " images"), Hubs: map[string]release.Part{}}
	for h, tier := range hubs {
		r.Hubs[h] = release.Part{Deployable: digest(name + " on " + h), Target: release.Target{Tier: tier}}
	}
	return r
}

func newWorld() *world {
	hubs := map[string]string{
		"testing": "bleeding-edge", "test2": "bleeding-edge", "compute-test": "canary",
		"coastal": "production", "impactlab": "production", "compute": "production",
	}
	return &world{Input: Input{
		Policy: policy(), PolicyDigest: digest("policy"),
		ID: digest("R"), Release: releaseOf("R", hubs), Hubs: hubs,
		States: map[string]HubState{},
		Roll:   Roll{Users: []string{"linus", "barbara", "ken"}},
		Now:    day,
	}}
}

// say adds a record by somebody, a minute after the one before.
func (w *world) say(who, typ string, predicate any, subjects ...evidence.Subject) release.Digest {
	w.n++
	raw, err := json.Marshal(predicate)
	if err != nil {
		panic(err)
	}
	w.Now = w.Now.Add(time.Minute)
	r := evidence.Record{
		ID: digest(fmt.Sprint("record ", w.n, who, typ)), Type: typ, Subjects: subjects,
		Signer: evidence.KeyID(keyOf(who)), Time: w.Now, Predicate: raw,
	}
	w.Evidence = append(w.Evidence, r)
	return r.ID
}

func of(kind string, d release.Digest) evidence.Subject {
	return evidence.Subject{Kind: kind, Digest: d}
}

func (w *world) self() evidence.Subject { return of(evidence.Release, w.ID) }

// passed is a result of checks with these names.
func passed(suite, hub string, checks ...string) evidence.TestResult {
	t := evidence.TestResult{Result: evidence.Passed, Suite: suite, Hub: hub}
	if len(checks) == 0 {
		checks = []string{"it works"}
	}
	for _, c := range checks {
		t.Checks = append(t.Checks, evidence.Check{Name: c, State: evidence.Passed})
	}
	return t
}

func failed(suite, hub string) evidence.TestResult {
	return evidence.TestResult{
		Result: evidence.Failed, Suite: suite, Hub: hub,
		Checks: []evidence.Check{{Name: "spawn", State: evidence.Failed, Message: "no server after 60s"}},
	}
}

// build brings what machines say before any deployment.
func (w *world) build() {
	w.say("builder", evidence.BuildType, evidence.Build{Commit: "c1"}, of(evidence.ImageSet, w.Release.ImageSet))
	w.say("builder", evidence.ReleaseType, evidence.Made{Commit: "c1", Commits: []evidence.Commit{{ID: "c1", Author: "edsger@example.org"}}}, w.self())
	w.say("checker", evidence.TestResultType, passed("image", ""), of(evidence.ImageSet, w.Release.ImageSet))
	w.say("checker", evidence.TestResultType, passed("pairing", ""), of(evidence.ImageSet, w.Release.ImageSet))
	var checks []string
	for h := range w.Hubs {
		checks = append(checks, "render "+h)
	}
	slices.Sort(checks)
	w.say("checker", evidence.TestResultType, passed("render", "", checks...), w.self())
}

func (w *world) on(hub string) evidence.Subject {
	return of(evidence.Deployable, w.Release.Hubs[hub].Deployable)
}

// deploy brings a hub to the release.
func (w *world) deploy(hub string) {
	w.States[hub] = HubState{Deployable: w.Release.Hubs[hub].Deployable.Label(), Release: w.ID.Label(), Revision: 2}
	w.say("deployer", evidence.DeploymentType,
		evidence.Deployment{Hub: hub, Tier: w.Hubs[hub], Started: w.Now, Finished: w.Now.Add(time.Minute)},
		w.self(), w.on(hub))
}

// check has the suites of the hub's tier pass there.
func (w *world) check(hub string) {
	for _, t := range w.Policy.Tiers {
		if t.Name != w.Hubs[hub] {
			continue
		}
		for _, s := range t.Suites {
			w.say("checker", evidence.TestResultType, passed(s, hub), w.on(hub))
		}
	}
}

func (w *world) approve(who, tier string) release.Digest {
	return w.say(who, evidence.ApprovalType, evidence.Approval{Tier: tier, Policy: w.PolicyDigest}, w.self())
}

func (w *world) signoff(who, user, link string) release.Digest {
	s := evidence.Signoff{Tier: "canary", User: user}
	if link != "" {
		s.Vouch = &evidence.Vouch{Link: link}
	}
	return w.say(who, evidence.SignoffType, s, w.on("compute-test"))
}

// toCanary brings all that the gate of the canary tier asks for.
func toCanary() *world {
	w := newWorld()
	w.build()
	w.deploy("testing")
	w.check("testing")
	w.approve("ada", "canary")
	w.approve("grace", "canary")
	w.Tier, w.Hub = "canary", "compute-test"
	return w
}

// toProduction brings all that the gate of the last production hub asks for.
func toProduction() *world {
	w := toCanary()
	w.deploy("compute-test")
	w.check("compute-test")
	w.signoff("linus", "linus", "")
	w.signoff("barbara", "barbara", "")
	w.signoff("grace", "ken", "https://chat.example.org/ken/1")
	w.Now = w.Now.Add(time.Hour)
	w.approve("ada", "production")
	w.say("deployer", evidence.VersionType, evidence.Version{Version: "v1.0.0"}, w.self())
	for _, h := range []string{"coastal", "impactlab"} {
		w.deploy(h)
		w.check(h)
	}
	w.Tier, w.Hub = "production", "compute"
	return w
}

// requirement is one of a verdict by its name.
func requirement(t *testing.T, v Verdict, name string) Requirement {
	t.Helper()
	for _, r := range v.Requirements {
		if r.Name == name {
			return r
		}
	}
	t.Fatalf("no requirement %q in %s", name, show(v))
	return Requirement{}
}

func show(v Verdict) string {
	s := string(v.Decision)
	for _, r := range v.Requirements {
		s += fmt.Sprintf("\n  %-5s %-24s %s  [%s]", r.Decision, r.Name, r.Reason, r.Command)
	}
	return s
}

// says checks that a requirement has a decision and a reason that names some words.
func says(t *testing.T, w *world, name string, want Decision, words ...string) {
	t.Helper()
	v := Evaluate(w.Input)
	r := requirement(t, v, name)
	if r.Decision != want {
		t.Errorf("%s: %s, want %s: %s", name, r.Decision, want, r.Reason)
	}
	for _, word := range words {
		if !strings.Contains(r.Reason, word) {
			t.Errorf("%s: the reason lacks %q: %s", name, word, r.Reason)
		}
	}
	if want != Allow && v.Decision == Allow {
		t.Errorf("%s is not met, and the gate allows", name)
	}
}
