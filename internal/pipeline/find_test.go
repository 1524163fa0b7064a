package pipeline

import (
	"errors"
	"strings"
	"testing"

	"gauntlet/internal/config"
	"gauntlet/internal/evidence"
	"gauntlet/internal/release"
)

func TestFindTakesWhatPeopleCallARelease(t *testing.T) {
	s := newSight()
	one, two := s.makes(t, "builder", "one", "aaa1111"), s.makes(t, "builder", "two", "bbb2222")
	s.say(t, "deployer", evidence.VersionType, evidence.Version{Version: "v1.0.0"}, of(evidence.Release, one))
	s.makes(t, "builder", "one", "aaa1111") // said again: still one release, and not the newest
	// What these say counts for nothing: they may not.
	s.makes(t, "user", "forged", "ccc3333")
	s.say(t, "user", evidence.VersionType, evidence.Version{Version: "v2.0.0"}, of(evidence.Release, two))
	s.makes(t, "stranger", "strange", "ddd4444")

	for name, tt := range map[string]struct {
		ref  string
		want release.Digest
		err  string
	}{
		"the newest":                      {"", two, ""},
		"a whole digest":                  {string(one), one, ""},
		"a whole digest without sha256":   {one.Hex(), one, ""},
		"a digest that nobody made":       {string(digest("nobody's")), digest("nobody's"), ""},
		"the start of a digest":           {one.Hex()[:12], one, ""},
		"four digits":                     {two.Hex()[:4], two, ""},
		"the start with its algorithm":    {"sha256:" + two.Hex()[:8], two, ""},
		"three digits":                    {two.Hex()[:3], "", `no release "` + two.Hex()[:3] + `" in the ledger`},
		"the algorithm alone":             {"sha256:", "", "no release"},
		"a version":                       {"v1.0.0", one, ""},
		"a version in other letters":      {"V1.0.0", "", "no release"},
		"the start of a version":          {"v1", "", "no release"},
		"a version by who may give none":  {"v2.0.0", "", "no release"},
		"a commit":                        {"bbb2222", two, ""},
		"a commit's start":                {"bbb", "", "no release"},
		"a release by who may make none":  {"ccc3333", "", "no release"},
		"a release by a stranger":         {digest("strange").Hex()[:12], "", "no release"},
		"what is not known":               {"0123456789", "", "`gauntlet log` lists them"},
		"something like an option's name": {"--all", "", "no release"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := s.find(tt.ref)
			if got != tt.want || (err == nil) != (tt.err == "") {
				t.Fatalf("%q is %s, %v", tt.ref, got, err)
			}
			var input *InputError
			if err != nil && (!errors.As(err, &input) || !strings.Contains(err.Error(), tt.err)) {
				t.Errorf("%q: %v, expected wrong input with %q", tt.ref, err, tt.err)
			}
		})
	}
}

func TestFindNamesAllThatAnAmbiguousNameMayMean(t *testing.T) {
	s := newSight()
	one, two := s.makes(t, "builder", "one", "aaa1111"), s.makes(t, "builder", "two", "aaa1111")
	_, err := s.find("aaa1111")
	if err == nil {
		t.Fatal("one of two was chosen")
	}
	for _, want := range []string{`"aaa1111" names 2 releases`, one.Short(), two.Short(), "give more of the digest"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q lacks %q", err, want)
		}
	}
}

func TestFindWithoutAReleaseSaysHowToMakeOne(t *testing.T) {
	if _, err := newSight().find(""); err == nil || !strings.Contains(err.Error(), "gauntlet run") {
		t.Errorf("got %v", err)
	}
}

func TestAVersionIsTheLastThatADeployerGave(t *testing.T) {
	s := newSight()
	one := s.makes(t, "builder", "one", "aaa1111")
	if v := s.version(one); v != "" {
		t.Errorf("it bears %q before anybody said so", v)
	}
	s.say(t, "deployer", evidence.VersionType, evidence.Version{Version: "v1.0.0"}, of(evidence.Release, one))
	s.say(t, "board", evidence.VersionType, evidence.Version{Version: "v9.0.0"}, of(evidence.Release, one))
	if v := s.version(one); v != "v1.0.0" {
		t.Errorf("it bears %q", v)
	}
}

// A key that several share speaks for nobody.
func TestASharedKeyHasNoRole(t *testing.T) {
	s := newSight()
	if !s.is(keyID(config.RoleBuilder), config.RoleBuilder) || s.is(keyID(config.RoleBuilder), config.RoleChecker) || s.is(keyID("stranger"), config.RoleBuilder) {
		t.Fatal("roles are not what the policy says")
	}
	s.policy.People["twin"] = s.policy.People[config.RoleBuilder]
	if s.is(keyID(config.RoleBuilder), config.RoleBuilder) {
		t.Error("a shared key is a builder's")
	}
}

func TestAnImageSetIsFoundByItsTagOrDigest(t *testing.T) {
	s := newSight()
	one, two := buildOf("aaa1111"), buildOf("bbb2222")
	for _, b := range []evidence.Build{one, two} {
		s.say(t, "builder", evidence.BuildType, b, of(evidence.ImageSet, release.ImageSet{Images: b.Images}.Digest()))
	}
	forged := buildOf("ccc3333")
	s.say(t, "user", evidence.BuildType, forged, of(evidence.ImageSet, release.ImageSet{Images: forged.Images}.Digest()))
	id := release.ImageSet{Images: two.Images}.Digest()
	for _, ref := range []string{"bbb2222", id.Short(), string(id)} {
		if b, ok := s.built(ref); !ok || b.Label != "bbb2222" {
			t.Errorf("%s: %+v, %v", ref, b, ok)
		}
	}
	for _, ref := range []string{"ccc3333", "ddd4444", ""} {
		if b, ok := s.built(ref); ok {
			t.Errorf("%q names %s", ref, b.Label)
		}
	}
}
