package gate

import (
	"slices"
	"testing"

	"gauntlet/internal/evidence"
	"gauntlet/internal/release"
)

func TestAllowsWhatHasAllItsEvidence(t *testing.T) {
	for name, w := range map[string]*world{"canary": toCanary(), "production": toProduction()} {
		v := Evaluate(w.Input)
		if v.Decision != Allow {
			t.Errorf("%s: %s", name, show(v))
		}
		t.Logf("%s: %s", name, show(v))
		for _, r := range v.Requirements {
			if r.Reason == "" || r.Command != "" {
				t.Errorf("%s: %s: a met requirement has a reason and asks for nothing: %+v", name, r.Name, r)
			}
		}
	}
}

// Every statement that a requirement rests on is needed: without it the gate does
// not let the release pass.
func TestEveryCitedStatementIsNeeded(t *testing.T) {
	for name, make := range map[string]func() *world{"canary": toCanary, "production": toProduction, "lifted veto": liftedVeto, "lifted hold": liftedHold} {
		w := make()
		full := Evaluate(w.Input)
		if full.Decision != Allow {
			t.Fatalf("%s: the whole evidence does not suffice: %s", name, show(full))
		}
		cited := 0
		for _, r := range full.Requirements {
			for _, id := range r.Evidence {
				cited++
				w := make()
				before := len(w.Evidence)
				w.Evidence = slices.DeleteFunc(w.Evidence, func(r evidence.Record) bool { return r.ID == id })
				if len(w.Evidence) != before-1 {
					t.Fatalf("%s: %s cites %s, which is no record", name, r.Name, id.Short())
				}
				without := Evaluate(w.Input)
				if without.Decision == Allow {
					t.Errorf("%s: without a statement of %s the gate still allows", name, r.Name)
				}
				if lost := requirement(t, without, r.Name); lost.Decision == Allow {
					t.Errorf("%s: %s holds without the statement it rests on: %s", name, r.Name, lost.Reason)
				} else if lost.Command == "" && lost.Reason == "" {
					t.Errorf("%s: %s does not say what is missing", name, r.Name)
				}
			}
		}
		// All have been cited but a veto or hold that was lifted.
		if cited < len(w.Evidence)-1 {
			t.Errorf("%s: only %d of %d records are cited", name, cited, len(w.Evidence))
		}
	}
}

// Every requirement but those on the absence of something rests on evidence, so the
// test above reached it.
func TestEveryRequirementRestsOnEvidence(t *testing.T) {
	absent := []string{"ledger-complete", "no-veto", "no-hold", "not-rolled-back", "no-freeze"}
	for _, w := range []*world{toCanary(), toProduction()} {
		for _, r := range Evaluate(w.Input).Requirements {
			if len(r.Evidence) == 0 && !slices.Contains(absent, r.Name) {
				t.Errorf("%s/%s rests on nothing", w.Tier, r.Name)
			}
		}
	}
	want := []string{
		"ledger-complete", "release-made", "build", "image-test", "pairing", "render", "no-veto", "no-hold", "not-rolled-back", "no-freeze",
		"bleeding-edge:deployed", "bleeding-edge:suite:hub",
		"canary:deployed", "canary:suite:hub", "canary:suite:homes", "canary:soak",
		"canary:approval", "signoff:barbara", "signoff:ken", "signoff:linus", "approval", "version",
		"order:coastal", "order:impactlab",
	}
	var got []string
	for _, r := range Evaluate(toProduction().Input).Requirements {
		got = append(got, r.Name)
	}
	if !slices.Equal(got, want) {
		t.Errorf("requirements of production:\n got %v\nwant %v", got, want)
	}
}

func TestRefusesWhatItCannotJudge(t *testing.T) {
	cases := map[string]func(w *world){
		"no policy":                          func(w *world) { w.PolicyDigest = "" },
		"unknown tier":                       func(w *world) { w.Tier = "staging" },
		"no tier":                            func(w *world) { w.Tier = "" },
		"hub of another tier":                func(w *world) { w.Hub = "testing" },
		"namespace that is pinned otherwise": func(w *world) { w.Pinned = "bleeding-edge" },
		"unknown hub":                        func(w *world) { w.Hub = "nowhere" },
		"hub the release does not hold": func(w *world) {
			w.Hubs["new"] = "production"
			w.Hub = "new"
		},
		"hub that was of another tier when the release was made": func(w *world) {
			p := w.Release.Hubs["compute"]
			p.Target.Tier = "canary"
			w.Release.Hubs["compute"] = p
		},
	}
	for name, change := range cases {
		w := toProduction()
		change(w)
		v := Evaluate(w.Input)
		if v.Decision != Deny || len(v.Requirements) != 1 || v.Requirements[0].Name != "target" {
			t.Errorf("%s: %s", name, show(v))
		}
	}
	if v := Evaluate(Input{}); v.Decision != Deny {
		t.Errorf("an empty input: %s", show(v))
	}
}

func TestProductionHubStaysOne(t *testing.T) {
	w := toProduction()
	w.Hubs["coastal"] = "bleeding-edge"
	p := w.Release.Hubs["coastal"]
	p.Target.Tier = "bleeding-edge"
	w.Release.Hubs["coastal"] = p
	w.Tier, w.Hub = "bleeding-edge", "coastal"
	says(t, w, "target", Deny, "last deployed as a hub of production")
}

func TestMissingStatementDenies(t *testing.T) {
	w := toProduction()
	w.Missing = []release.Digest{digest("gone")}
	says(t, w, "ledger-complete", Deny, digest("gone").Short())
}

// What is said of other things never lets anything pass.
func TestUnrelatedRecordsNeverHelp(t *testing.T) {
	// For each record taken away, add everything that a whole other release brought,
	// by everybody, and see that the gate stays shut.
	whole := toProduction()
	for i := range whole.Evidence {
		w := toProduction()
		w.Evidence = slices.Delete(w.Evidence, i, i+1)
		if Evaluate(w.Input).Decision == Allow {
			continue
		}
		other := &world{Input: w.Input, n: 1000}
		other.Input.ID, other.Input.Release = digest("S"), releaseOf("S", w.Hubs)
		other.States = map[string]HubState{}
		other.build()
		for _, h := range []string{"test2", "compute-test", "coastal", "impactlab", "compute"} {
			other.deploy(h)
			other.check(h)
		}
		for _, who := range []string{"ada", "grace", "edsger", "linus", "barbara"} {
			other.approve(who, "canary")
			other.approve(who, "production")
			other.signoff(who, "linus", "https://chat.example.org")
		}
		other.say("deployer", evidence.VersionType, evidence.Version{Version: "v9.0.0"}, other.self())
		before := w.Evidence
		for at := len(before); at < len(other.Evidence); at++ {
			w.Evidence = append(slices.Clone(before), other.Evidence[at])
			if v := Evaluate(w.Input); v.Decision == Allow {
				t.Errorf("without record %d, one record of another release turns it to allow: %s", i, show(v))
			}
		}
		w.Evidence = other.Evidence
		if v := Evaluate(w.Input); v.Decision == Allow {
			t.Errorf("without record %d, all records of another release turn it to allow: %s", i, show(v))
		}
	}
}

// Who has no role for a thing, or no place in the policy, cannot stand in for those
// who have.
func TestOnlyTheRightSignerCounts(t *testing.T) {
	whole := toProduction()
	signers := []string{"mallory", "builder", "checker", "deployer", "voucher", "ada", "edsger", "linus"}
	for i, r := range whole.Evidence {
		for _, who := range signers {
			id := evidence.KeyID(keyOf(who))
			if id == r.Signer {
				continue
			}
			w := toProduction()
			w.Evidence[i].Signer = id
			v := Evaluate(w.Input)
			// ken's sign-off may be vouched for by others of the board and by the voucher.
			stands := r.Type == evidence.SignoffType && r.Signer == evidence.KeyID(keyOf("grace")) &&
				slices.Contains([]string{"voucher", "ada", "edsger"}, who)
			if v.Decision == Allow && !stands {
				t.Errorf("record %d (%s) signed by %s instead: %s", i, r.Type, who, show(v))
			}
		}
	}
}
