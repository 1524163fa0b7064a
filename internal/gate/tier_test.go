package gate

import (
	"testing"
	"time"

	"gauntlet/internal/evidence"
)

func TestNewerFailureBeatsOlderPass(t *testing.T) {
	w := toProduction()
	w.say("checker", evidence.TestResultType, failed("hub", "compute-test"), w.on("compute-test"))
	says(t, w, "canary:suite:hub", Deny, "spawn", "no server after 60s")
	w.say("checker", evidence.TestResultType, passed("hub", "compute-test"), w.on("compute-test"))
	says(t, w, "canary:suite:hub", Allow)

	w.say("checker", evidence.TestResultType, failed("pairing", ""), of(evidence.ImageSet, w.Release.ImageSet))
	says(t, w, "pairing", Deny, "spawn")
}

func TestResultWithoutAPassedCheckIsNoPass(t *testing.T) {
	for name, res := range map[string]evidence.TestResult{
		"no checks":     {Result: evidence.Passed},
		"a failed one":  {Result: evidence.Passed, Checks: []evidence.Check{{Name: "a", State: evidence.Failed}}},
		"unknown state": {Result: evidence.Passed, Checks: []evidence.Check{{Name: "a", State: "SKIPPED"}}},
		"no result":     {Checks: []evidence.Check{{Name: "a", State: evidence.Passed}}},
	} {
		w := toProduction()
		res.Suite = "image"
		w.say("checker", evidence.TestResultType, res, of(evidence.ImageSet, w.Release.ImageSet))
		if r := requirement(t, Evaluate(w.Input), "image-test"); r.Decision != Deny {
			t.Errorf("%s: %s", name, r.Decision)
		}
	}
}

func TestWarningsPassAndAreNamed(t *testing.T) {
	w := toProduction()
	w.say("checker", evidence.TestResultType, evidence.TestResult{
		Result: evidence.Warned, Suite: "image", WarnedTests: []string{"size"}, Checks: []evidence.Check{{Name: "size", State: evidence.Warned}},
	}, of(evidence.ImageSet, w.Release.ImageSet))
	says(t, w, "image-test", Allow, "warnings: size")
}

func TestEveryHubIsRendered(t *testing.T) {
	w := toProduction()
	w.say("checker", evidence.TestResultType, passed("render", "", "render testing", "render test2", "compute", "coastal: rendered", "dry-run:compute-test"), w.self())
	says(t, w, "render", Wait, "impactlab")
	w.say("checker", evidence.TestResultType, passed("render", "", "testing", "test2", "compute", "coastal", "compute-test", "impactlab-2"), w.self())
	says(t, w, "render", Wait, "impactlab")
}

func TestHubMustStillRunIt(t *testing.T) {
	cases := map[string]struct {
		state HubState
		words string
	}{
		"unreachable": {HubState{Problem: "connection refused"}, "connection refused"},
		"drifted":     {HubState{Deployable: digest("other").Label()}, "drifted"},
		"by hand":     {HubState{Deployable: digest("R on compute-test").Label(), Foreign: true, Revision: 7}, "revision 7 was not made by gauntlet"},
		"empty":       {HubState{}, "drifted"},
	}
	for name, c := range cases {
		w := toProduction()
		w.States["compute-test"] = c.state
		t.Run(name, func(t *testing.T) { says(t, w, "canary:deployed", Wait, c.words) })
	}
	w := toProduction()
	delete(w.States, "compute-test")
	says(t, w, "canary:deployed", Wait, "not known")
	// Two tiers back it is enough that it did.
	w = toProduction()
	w.States["testing"] = HubState{Deployable: digest("next").Label()}
	says(t, w, "bleeding-edge:deployed", Allow)
}

// other deploys another release on a hub, as said by the ledger alone.
func (w *world) other(hub string) {
	w.say("deployer", evidence.DeploymentType, evidence.Deployment{Hub: hub, Tier: w.Hubs[hub], Started: w.Now, Finished: w.Now.Add(time.Minute)},
		of(evidence.Release, digest("S")), of(evidence.Deployable, digest("S on "+hub)))
}

func TestSoakIsTimeWithoutABreak(t *testing.T) {
	start := func() *world {
		w := toCanary()
		w.deploy("compute-test")
		w.check("compute-test")
		w.Tier, w.Hub = "production", "coastal"
		return w
	}
	w := start()
	says(t, w, "canary:soak", Wait, "soaks on hub compute-test until")
	w.Now = w.Now.Add(time.Hour)
	says(t, w, "canary:soak", Allow)

	// The same again, in another release with other users, goes on with the stay.
	w = start()
	w.Now = w.Now.Add(50 * time.Minute)
	w.say("deployer", evidence.DeploymentType, evidence.Deployment{Hub: "compute-test", Tier: "canary", Started: w.Now, Finished: w.Now},
		of(evidence.Release, digest("R with another user list")), w.on("compute-test"))
	w.Now = w.Now.Add(20 * time.Minute)
	says(t, w, "canary:soak", Allow)
	says(t, w, "canary:suite:hub", Allow)

	// Another release in between ends it, and results from before do not count after.
	w = start()
	w.Now = w.Now.Add(50 * time.Minute)
	w.other("compute-test")
	says(t, w, "canary:deployed", Wait, "and another since")
	says(t, w, "canary:soak", Wait, "then another release came")
	w.deploy("compute-test")
	w.Now = w.Now.Add(50 * time.Minute)
	says(t, w, "canary:soak", Wait, "until")
	says(t, w, "canary:suite:hub", Wait, "since the deployment")
}

func TestClockAheadDenies(t *testing.T) {
	w := toProduction()
	w.Now = w.Now.Add(-3 * time.Hour)
	says(t, w, "clock-skew", Deny, "ahead")
}

func TestTierOfAnyNeedsOneHubAndOfAllEach(t *testing.T) {
	w := toCanary()
	w.deploy("test2")
	w.say("checker", evidence.TestResultType, failed("hub", "test2"), w.on("test2"))
	says(t, w, "bleeding-edge:suite:hub", Allow, "testing")
	w.Policy.Tiers[0].Hubs = "all"
	says(t, w, "bleeding-edge:suite:hub", Deny, "test2")
	w.Policy.Tiers[0].Hubs = ""
	says(t, w, "bleeding-edge:suite:hub", Deny, "test2")
}

// One hub's deployment and another's result are not one hub's evidence.
func TestTierOfAnyDoesNotMixHubs(t *testing.T) {
	w := newWorld()
	w.build()
	w.deploy("testing")
	w.check("test2") // ran there on nothing the ledger knows of
	w.approve("ada", "canary")
	w.approve("grace", "canary")
	w.Tier = "canary"
	if v := Evaluate(w.Input); v.Decision == Allow {
		t.Error(show(v))
	}
}

func TestTierWithoutHubsOrSuitesDenies(t *testing.T) {
	w := toCanary()
	w.Hubs = map[string]string{"compute-test": "canary"}
	says(t, w, "bleeding-edge:deployed", Deny, "no hub")
	w = toCanary()
	w.Policy.Tiers[0].Suites = nil
	says(t, w, "bleeding-edge:suite", Deny, "no suite")
}

func TestHubsOfATierGoOneAfterAnother(t *testing.T) {
	w := toProduction()
	w.say("checker", evidence.TestResultType, failed("hub", "coastal"), w.on("coastal"))
	says(t, w, "order:coastal", Deny, "spawn")

	w = toProduction()
	w.Hub = "coastal" // the first waits for none
	for _, r := range Evaluate(w.Input).Requirements {
		if len(r.Name) > 5 && r.Name[:6] == "order:" {
			t.Errorf("the first hub waits for another: %s", r.Name)
		}
	}
	w = toProduction()
	w.Policy.Tiers[2].Order = nil // by name
	w.Hub = "impactlab"
	says(t, w, "order:compute", Wait, "not deployed")
	says(t, w, "order:coastal", Allow)
}

func TestVersions(t *testing.T) {
	bears := func(w *world, name, v string) {
		w.say("deployer", evidence.VersionType, evidence.Version{Version: v}, of(evidence.Release, digest(name)))
	}
	cases := []struct {
		name  string
		do    func(w *world)
		want  Decision
		words string
	}{
		{"newer than production's", func(w *world) { bears(w, "P", "v0.9.0") }, Allow, "v1.0.0"},
		{"older than production's", func(w *world) { bears(w, "P", "v1.0.1") }, Deny, "not newer than v1.0.1"},
		{"another release's too", func(w *world) { bears(w, "Q", "v1.0.0") }, Deny, "also that of release"},
		{"no semantic version", func(w *world) { bears(w, "R", "latest") }, Deny, "leading v"},
		{"the newest counts", func(w *world) { bears(w, "R", "v1.0.2") }, Allow, "v1.0.2"},
		{"production itself", func(w *world) { w.Production = w.ID }, Allow, "v1.0.0"},
	}
	for _, c := range cases {
		w := toProduction()
		w.Production = digest("P")
		w.say("builder", evidence.ReleaseType, evidence.Made{Commit: "p"}, of(evidence.Release, digest("P")))
		c.do(w)
		t.Run(c.name, func(t *testing.T) { says(t, w, "version", c.want, c.words) })
	}
	w := toProduction()
	bears(w, "P", "v1.4.2")
	w.Production = digest("P")
	if r := requirement(t, Evaluate(w.Input), "version"); r.Decision != Deny || r.Command != "" { // it bears one, and gets no other
		t.Errorf("command %q", r.Command)
	}
}

func TestSignoffs(t *testing.T) {
	base := func() *world {
		w := toCanary()
		w.deploy("compute-test")
		w.check("compute-test")
		w.Tier, w.Hub = "production", "coastal"
		return w
	}
	on := func(w *world, who string, s evidence.Signoff, subjects ...evidence.Subject) {
		w.say(who, evidence.SignoffType, s, subjects...)
	}
	link := &evidence.Vouch{Link: "https://chat.example.org/1"}
	cases := []struct {
		name, user string
		do         func(w *world)
		want       Decision
		words      string
	}{
		{"own word", "linus", func(w *world) { w.signoff("linus", "linus", "") }, Allow, "signed off by linus"},
		{"vouched by the board", "linus", func(w *world) { w.signoff("ada", "linus", "https://chat.example.org/1") }, Allow, "as ada vouches: https://chat.example.org/1"},
		{"vouched by the voucher", "ken", func(w *world) { w.signoff("voucher", "ken", "https://chat.example.org/1") }, Allow, "voucher"},
		{"vouched by another user", "linus", func(w *world) { w.signoff("barbara", "linus", "https://chat.example.org/1") }, Wait, "may not vouch"},
		{"vouched without a link", "linus", func(w *world) {
			on(w, "ada", evidence.Signoff{Tier: "canary", User: "linus", Vouch: &evidence.Vouch{}}, w.on("compute-test"))
		}, Wait, "no link"},
		{"board for a user, no vouch", "linus", func(w *world) { w.signoff("ada", "linus", "") }, Wait, "no link"},
		{"of another tier", "linus", func(w *world) {
			on(w, "linus", evidence.Signoff{Tier: "bleeding-edge", User: "linus"}, w.on("compute-test"))
		}, Wait, "has not signed off"},
		{"of another deployable", "linus", func(w *world) { on(w, "linus", evidence.Signoff{Tier: "canary", User: "linus"}, w.on("coastal")) }, Wait, "has not signed off"},
		{"of the release, not what was tried", "linus", func(w *world) { on(w, "linus", evidence.Signoff{Tier: "canary", User: "linus"}, w.self()) }, Wait, "has not signed off"},
		{"for themselves with a link", "linus", func(w *world) {
			on(w, "linus", evidence.Signoff{Tier: "canary", User: "linus", Vouch: link}, w.on("compute-test"))
		}, Wait, "may not vouch"},
		{"when it is wanted", "linus", func(w *world) {}, Wait, "wanted by 2030-05-15"},
	}
	for _, c := range cases {
		w := base()
		c.do(w)
		t.Run(c.name, func(t *testing.T) { says(t, w, "signoff:"+c.user, c.want, c.words) })
	}
	r := requirement(t, Evaluate(base().Input), "signoff:ken")
	if want := "gauntlet signoff " + digest("R").Short() + " --for ken --link URL"; r.Command != want {
		t.Errorf("command %q, want %q", r.Command, want)
	}
}

func TestSignoffBeforeThereWasAnythingToTryDoesNotCount(t *testing.T) {
	w := toCanary()
	w.signoff("linus", "linus", "")
	w.deploy("compute-test")
	w.check("compute-test")
	w.Tier, w.Hub = "production", "coastal"
	says(t, w, "signoff:linus", Wait, "before there was anything to try")
	w.signoff("linus", "linus", "")
	says(t, w, "signoff:linus", Allow)
}

func TestUserNamesAreOneWordOfTheCommandToCopy(t *testing.T) {
	for user, want := range map[string]string{
		"ken":               "ken",
		"ken@example.org":   "ken@example.org",
		"ken; rm -rf ~":     "'ken; rm -rf ~'",
		"$(reboot)":         "'$(reboot)'",
		"o'neil":            `'o'\''neil'`,
		"-o":                "'-o'",
		"":                  "''",
		"two\nlines `x` $y": "'two\nlines `x` $y'",
	} {
		if got := word(user); got != want {
			t.Errorf("%q is written %s, want %s", user, got, want)
		}
	}
}

func TestEmptyOrUnknownRollNeverAllows(t *testing.T) {
	w := toProduction()
	w.Roll = Roll{}
	says(t, w, "signoff", Wait, "empty")
	w.Roll = Roll{Users: []string{"linus"}, Problem: "hub compute does not answer"}
	says(t, w, "signoff", Wait, "hub compute does not answer")
	w = toProduction()
	w.Policy.Tiers[1].Signoff.Of = "people"
	w.Roll = Roll{}
	says(t, w, "signoff:linus", Allow)
	says(t, w, "signoff:barbara", Allow)
	delete(w.Policy.People, "linus")
	delete(w.Policy.People, "barbara")
	says(t, w, "signoff", Wait, "empty")
}

// Another user list makes another release of the same deployables: sign-offs, soak
// and suites stay, approvals and versions are of the release.
func TestChangedUserListVoidsNoSignoff(t *testing.T) {
	w := toProduction()
	w.ID = digest("R with another user list")
	v := Evaluate(w.Input)
	for _, r := range v.Requirements {
		void := map[string]bool{"release-made": true, "render": true, "canary:approval": true, "approval": true, "version": true}[r.Name]
		if void == (r.Decision == Allow) {
			t.Errorf("%s: %s: %s", r.Name, r.Decision, r.Reason)
		}
	}
}
