package gate

import (
	"slices"
	"strings"
	"testing"
	"time"

	"gauntlet/internal/config"
	"gauntlet/internal/evidence"
	"gauntlet/internal/release"
)

// hasty is the gate of the first production hub an hour too early: canary has not
// soaked, two users have not signed off, and the policy freezes production.
func hasty() *world {
	w := toCanary()
	w.deploy("compute-test")
	w.check("compute-test")
	w.signoff("linus", "linus", "")
	w.approve("ada", "production")
	w.say("deployer", evidence.VersionType, evidence.Version{Version: "v1.0.0"}, w.self())
	w.Tier, w.Hub = "production", "coastal"
	w.Policy.Freeze = []config.Freeze{{Reason: "holidays", Tiers: []string{"production"}, From: day.Add(-time.Hour), To: day.Add(24 * time.Hour)}}
	return w
}

// hastily are what hasty misses, and an override skips.
var hastily = []string{"no-freeze", "canary:soak", "signoff:barbara", "signoff:ken"}

// override is one for four hours, with changes.
func (w *world) override(who, tier string, change ...func(*evidence.Override)) release.Digest {
	o := evidence.Override{Tier: tier, Policy: w.PolicyDigest, Reason: "users cannot start servers", Expires: w.Now.Add(4 * time.Hour)}
	for _, c := range change {
		c(&o)
	}
	return w.say(who, evidence.OverrideType, o, w.self())
}

func TestAnOverrideSkipsSoakSignOffAndFreezeAndNothingElse(t *testing.T) {
	w := hasty()
	for _, name := range hastily {
		says(t, w, name, Wait)
	}
	id := w.override("ada", "production")
	v := Evaluate(w.Input)
	if v.Decision != Allow {
		t.Fatal(show(v))
	}
	var skipped []string
	for _, r := range v.Requirements {
		if r.Skipped {
			skipped = append(skipped, r.Name)
			if !slices.Contains(r.Evidence, id) || !strings.HasPrefix(r.Reason, "SKIPPED by the override of ada: ") {
				t.Errorf("%+v", r)
			}
		}
	}
	slices.Sort(skipped)
	want := slices.Sorted(slices.Values(hastily))
	if !slices.Equal(skipped, want) {
		t.Errorf("skipped %v, want %v", skipped, want)
	}
	says(t, w, "override", Allow, "OVERRIDDEN by ada until ", "users cannot start servers")

	// Whatever else is missing, the gate does not allow.
	for i := range w.Evidence {
		x := hasty()
		x.override("ada", "production")
		typ := x.Evidence[i].Type
		x.Evidence = slices.Delete(x.Evidence, i, i+1)
		if d := Evaluate(x.Input).Decision; d == Allow && typ != evidence.SignoffType && typ != evidence.BuildType {
			// The second approval and the made statement have their like.
			t.Errorf("without record %d (%s) the override opens the gate", i, typ)
		}
	}
	for name, change := range map[string]func(*world){
		"a veto": func(w *world) { w.say("linus", evidence.VetoType, evidence.Veto{Reason: "no"}, w.self()) },
		"a hold": func(w *world) { w.held("deployer", evidence.Hold{}) },
		"a failure": func(w *world) {
			w.say("checker", evidence.TestResultType, failed("hub", "compute-test"), w.on("compute-test"))
		},
		"a rollback":  func(w *world) { w.leave("deployer", "coastal") },
		"a gap":       func(w *world) { w.Missing = []release.Digest{digest("gone")} },
		"a clock":     func(w *world) { w.Now = w.Now.Add(-time.Hour) },
		"no approval": func(w *world) { w.PolicyDigest = digest("another policy") },
	} {
		x := hasty()
		x.override("ada", "production")
		change(x)
		if v := Evaluate(x.Input); v.Decision == Allow {
			t.Errorf("%s: %s", name, show(v))
		}
	}
}

func TestAnOverrideCountsOnlyByWhoMayAndWithReasonAndExpiry(t *testing.T) {
	for name, tt := range map[string]struct {
		who    string
		change func(*evidence.Override)
		why    string
	}{
		"a deployer":         {"deployer", nil, "only the board may override"},
		"a user":             {"linus", nil, "only the board may override"},
		"a stranger":         {"mallory", nil, "only the board may override"},
		"an author":          {"edsger", nil, "edsger wrote commit c1"},
		"no reason":          {"ada", func(o *evidence.Override) { o.Reason = " " }, "it gives no reason"},
		"no expiry":          {"ada", func(o *evidence.Override) { o.Expires = time.Time{} }, "it must expire within 7 days"},
		"too late an expiry": {"ada", func(o *evidence.Override) { o.Expires = o.Expires.Add(evidence.MaxOverride) }, "it must expire within 7 days"},
		"another policy":     {"ada", func(o *evidence.Override) { o.Policy = digest("before") }, "said under another policy"},
		"expired":            {"ada", func(o *evidence.Override) { o.Expires = o.Expires.Add(-4 * time.Hour) }, "the override by ada expired on 2030-05-01"},
	} {
		w := hasty()
		w.override(tt.who, "production", func(o *evidence.Override) {
			if tt.change != nil {
				tt.change(o)
			}
		})
		says(t, w, "override", Allow, tt.why)
		for _, r := range hastily {
			says(t, w, r, Wait)
		}
		if t.Failed() {
			t.Fatal(name)
		}
	}
	// Of another tier or another release.
	w := hasty()
	w.override("ada", "canary")
	w.say("ada", evidence.OverrideType, evidence.Override{Tier: "production", Policy: w.PolicyDigest, Reason: "r", Expires: w.Now.Add(time.Hour)}, of(evidence.Release, digest("S")))
	says(t, w, "canary:soak", Wait)
	// By a clock that is ahead.
	w = hasty()
	w.override("ada", "production")
	w.Now = w.Now.Add(-2 * time.Minute)
	says(t, w, "override", Allow, "it was said 2m0s ahead of the clock here")
	says(t, w, "canary:soak", Wait)
}

func TestAnOverrideEndsWithItsExpiryOrWhenTheBoardLiftsIt(t *testing.T) {
	w := hasty()
	w.override("ada", "production")
	w.Now = w.Now.Add(4*time.Hour - time.Minute - time.Nanosecond)
	says(t, w, "signoff:ken", Allow)
	w.Now = w.Now.Add(time.Nanosecond)
	says(t, w, "signoff:ken", Wait)
	for who, want := range map[string]Decision{"ada": Wait, "grace": Wait, "deployer": Allow, "linus": Allow, "mallory": Allow} {
		w := hasty()
		id := w.override("ada", "production")
		w.say(who, evidence.OverrideType, evidence.Override{Lifts: id}, w.self())
		says(t, w, "signoff:ken", want)
	}
}

func TestWhatAnOverrideSkippedStaysDue(t *testing.T) {
	w := hasty()
	id := w.override("ada", "production")
	w.deploy("coastal")
	w.check("coastal")
	w.Now = w.Now.Add(4 * time.Hour) // it has expired, and canary has soaked
	os := Overrides(w.Input)
	if len(os) != 1 || os[0].ID != id || os[0].Stands || !os[0].Used || len(os[0].Due) != 2 || os[0].Due[0].Name != "signoff:barbara" {
		t.Fatalf("%+v", os)
	}
	// The ladder does not call canary done.
	if s := Ladder(w.Input)[3]; s.State != Waiting || !strings.Contains(strings.Join(s.Reasons, ";"), "barbara has not signed off") {
		t.Errorf("%+v", s)
	}
	// The next hub and the next tier ask for it.
	w.Hub = "impactlab"
	says(t, w, "signoff:barbara", Wait)
	w.signoff("barbara", "barbara", "")
	w.signoff("grace", "ken", "https://chat.example.org/ken/1")
	if os := Overrides(w.Input); len(os) != 0 {
		t.Errorf("made up for, and still %+v", os)
	}
}

// next is the next release, S, while R runs in production by an override.
func next4R(used bool) *world {
	w := hasty()
	w.override("ada", "production")
	if used {
		w.deploy("coastal")
		w.check("coastal")
	}
	w.Others = map[release.Digest]release.Release{w.ID: w.Release}
	w.ID, w.Release = digest("S"), releaseOf("S", w.Hubs)
	return w
}

func TestTheNextReleaseShowsWhatAnOverrideLeftDue(t *testing.T) {
	w := next4R(true)
	if o := Overridden(w.Input); len(o) != 1 || o[0] != digest("R") {
		t.Fatalf("%v", o)
	}
	w.Tier, w.Hub = "bleeding-edge", "testing"
	says(t, w, "override-due", Allow, "release "+digest("R").Short()+" came to production by an override of ada", "barbara has not signed off")
	// In canary it would take the place where it can be made up for.
	w.Tier, w.Hub = "canary", "compute-test"
	says(t, w, "override-due", Wait, "could not be made up for")
	if r := requirement(t, Evaluate(w.Input), "override-due"); r.Command == "" || !strings.Contains(r.Command, digest("R").Short()) {
		t.Errorf("%+v", r)
	}
	// Its own override skips that too.
	w.build()
	w.override("grace", "canary")
	says(t, w, "override-due", Allow, "SKIPPED by the override of grace")

	// Nothing is due of one that was never used, nor where the release runs no more.
	none := func(w *world, why string) {
		t.Helper()
		for _, r := range Evaluate(w.Input).Requirements {
			if r.Name == "override-due" {
				t.Errorf("%s: %s", why, r.Reason)
			}
		}
	}
	w = next4R(false)
	w.Tier, w.Hub = "canary", "compute-test"
	none(w, "not used")
	w = next4R(true)
	w.Tier, w.Hub = "canary", "compute-test"
	w.say("ada", evidence.RollbackType, evidence.Rollback{Hub: "coastal", Tier: "production", Started: w.Now, Finished: w.Now}, of(evidence.Release, digest("Q")), of(evidence.Deployable, digest("Q on coastal")))
	none(w, "rolled back")
}

func TestLadderGoesOnByAnOverride(t *testing.T) {
	w := hasty()
	if s := Ladder(w.Input)[4]; s.State != Todo || s.Reasons[0] != "comes after canary" {
		t.Errorf("%+v", s)
	}
	w.override("ada", "production")
	if s := Ladder(w.Input)[4]; s.State != Todo || s.Command != "gauntlet run --to production" {
		t.Errorf("%+v", s)
	}
}

// An override by who may not give one never opens anything, whatever is missing.
func TestAWorthlessOverrideNeverHelps(t *testing.T) {
	for i := range hasty().Evidence {
		for _, who := range []string{"deployer", "linus", "edsger", "mallory", "checker"} {
			w := hasty()
			w.Evidence = slices.Delete(w.Evidence, i, i+1)
			before := Evaluate(w.Input).Decision
			w.override(who, "production")
			if after := Evaluate(w.Input).Decision; after != before {
				t.Errorf("without record %d an override by %s turns %s into %s", i, who, before, after)
			}
		}
	}
}
