package config

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestParsePlatformReadsAll(t *testing.T) {
	p, err := ParsePlatform("gauntlet.yaml", []byte(goodPlatform))
	if err != nil {
		t.Fatal(err)
	}
	if p.Policy != "policy.yaml" {
		t.Errorf("policy is %q by default", p.Policy)
	}
	want := Hub{
		Tier: "bleeding-edge", Cluster: "testing", Namespace: "testing", Release: "testing",
		Values: []string{"base.yml", "testing.yml"}, Secrets: []string{"testing.enc.yml"},
		Set: map[string]any{"hub.port": 30080, `hub.nodeSelector.kubernetes\.io/hostname`: "node-1"},
		URL: "https://testing.example.org", APITokenFrom: SecretKey{"hub", "gauntlet"},
	}
	if diff := cmp.Diff(want, p.Hubs["testing"]); diff != "" {
		t.Errorf("hub (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]map[string]any{{"key": "dask", "operator": "Exists"}}, p.Workbench.Tolerations); diff != "" {
		t.Errorf("tolerations (-want +got):\n%s", diff)
	}
}

func TestParsePolicyReadsAll(t *testing.T) {
	p, err := ParsePolicy("policy.yaml", []byte(goodPolicy))
	if err != nil {
		t.Fatal(err)
	}
	want := []Tier{
		{Name: "bleeding-edge", Hubs: "any", Suites: []string{"hub"}, Soak: 36 * time.Hour,
			Signoff: &Signoff{Of: "people", Active: 720 * time.Hour, Require: "all", Within: 14 * 24 * time.Hour},
			Nodes:   NodeLimits{45 * time.Minute, 2 * time.Hour}, Budget: Budget{Spawns: 10, Nodes: 10, Time: time.Hour}},
		{Name: "production", Hubs: "all", Suites: []string{"hub"}, Approval: &Approval{Role: "board", Count: 2}, Version: "semver", Order: []string{"compute"},
			Nodes: NodeLimits{45 * time.Minute, 2 * time.Hour}, Budget: Budget{Spawns: 1, Time: time.Hour}},
	}
	if diff := cmp.Diff(want, p.Tiers); diff != "" {
		t.Errorf("tiers (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"ada@example.org"}, p.People["ada"].Email); diff != "" {
		t.Errorf("addresses are lower case (-want +got):\n%s", diff)
	}
	if from, w := time.Date(2026, 12, 20, 0, 0, 0, 0, time.UTC), p.Freeze[0]; !w.From.Equal(from) || w.Hubs[0] != "testing" || w.Reason != "holidays" {
		t.Errorf("%+v", w)
	}
	platform, err := ParsePlatform("gauntlet.yaml", []byte(goodPlatform))
	if err != nil {
		t.Fatal(err)
	}
	if err := Check(platform, p); err != nil {
		t.Errorf("they fit: %v", err)
	}
	p.Freeze[0].Hubs = []string{"tesing"}
	if err := Check(platform, p); err == nil || !strings.Contains(err.Error(), "freeze[0].hubs[0]: there is no hub \"tesing\"\n    fix: did you mean testing?") {
		t.Errorf("%v", err)
	}
}

var update = flag.Bool("update", false, "write the problems that there are into testdata")

// golden compares the problems of each edit with the ones in a file of testdata.
func golden(t *testing.T, file, good string, edits []edit, parse func(doc string) error) {
	t.Helper()
	var b strings.Builder
	for _, e := range edits {
		if !strings.Contains(good, e.old) {
			t.Fatalf("%s: the good file has no %q", e.name, e.old)
		}
		fmt.Fprintf(&b, "== %s\n", e.name)
		if err := parse(strings.Replace(good, e.old, e.new, 1)); err != nil {
			fmt.Fprintln(&b, err)
		}
	}
	if *update {
		if err := os.WriteFile(file, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(strings.Split(read(t, file), "\n"), strings.Split(b.String(), "\n")); diff != "" {
		t.Errorf("%s (-want +got):\n%s", file, diff)
	}
}

func TestPlatformProblems(t *testing.T) {
	golden(t, "testdata/platform.txt", goodPlatform, platformEdits, func(doc string) error {
		_, err := ParsePlatform("f", []byte(doc))
		return err
	})
}

func TestPolicyProblems(t *testing.T) {
	golden(t, "testdata/policy.txt", goodPolicy, policyEdits, func(doc string) error {
		_, err := ParsePolicy("f", []byte(doc))
		return err
	})
}

func TestAllProblemsAtOnceInOrder(t *testing.T) {
	doc := strings.NewReplacer("platform: example", "platfrom: example", "tier: production", "tier: ", "registry: ", "registry: https://", "url: https://compute", "url: ftp://compute").Replace(goodPlatform)
	_, err := ParsePlatform("gauntlet.yaml", []byte(doc))
	want := `
gauntlet.yaml:2:1: platfrom: there is no such key
    fix: did you mean platform?
gauntlet.yaml:3:11: registry: "https://registry.example.org:5000/platform" is no repository
    fix: leave out https://
gauntlet.yaml:38:5: hubs.compute.tier: it is required
    fix: add tier: the name of a tier of the policy
gauntlet.yaml:43:10: hubs.compute.url: it is no web address
    fix: write https://HOST, with the path below which the hub lives if there is one
`
	if diff := cmp.Diff(strings.TrimSpace(want), err.Error()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestCheckFindsWhatDoesNotFit(t *testing.T) {
	p, err := ParsePlatform("gauntlet.yaml", []byte(strings.NewReplacer(
		"tier: production", "tier: producton",
		"    url: https://testing.example.org\n    apiTokenFrom: {secret: hub, key: gauntlet}\n", "").Replace(goodPlatform)))
	if err != nil {
		t.Fatal(err)
	}
	pol, err := ParsePolicy("policy.yaml", []byte(strings.Replace(goodPolicy, "order: [compute]", "order: [compute, testing, nowhere]", 1)))
	if err != nil {
		t.Fatal(err)
	}
	want := `
gauntlet.yaml:25:3: hubs.testing.apiTokenFrom: it is required: the suites of tier bleeding-edge ask the hub itself
    fix: add apiTokenFrom: {secret: NAME, key: KEY}, a Secret in namespace testing
gauntlet.yaml:25:3: hubs.testing.url: it is required: the suites of tier bleeding-edge ask the hub itself
    fix: add url: https://HOST
gauntlet.yaml:36:11: hubs.compute.tier: the policy has no tier "producton"
    fix: did you mean production?
policy.yaml:8:5: tiers.production: no hub belongs to this tier: it would pass with nothing checked
    fix: give a hub tier: production, or take the tier out
`
	if diff := cmp.Diff(strings.TrimSpace(want), Check(p, pol).Error()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestCheckOrder(t *testing.T) {
	p, err := ParsePlatform("gauntlet.yaml", []byte(goodPlatform))
	if err != nil {
		t.Fatal(err)
	}
	pol, err := ParsePolicy("policy.yaml", []byte(strings.Replace(goodPolicy, "[compute]", "[compute, testing, nowhere]", 1)))
	if err != nil {
		t.Fatal(err)
	}
	want := `
policy.yaml:12:24: tiers.production.order[1]: hub testing belongs to tier bleeding-edge
    fix: name hubs of this tier: compute
policy.yaml:12:33: tiers.production.order[2]: there is no hub "nowhere"
    fix: name hubs of this tier: compute
`
	if diff := cmp.Diff(strings.TrimSpace(want), Check(p, pol).Error()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestCheckOfLiterals(t *testing.T) {
	p := &Platform{Hubs: map[string]Hub{"a": {Tier: "x"}}}
	if err := Check(p, &Policy{Tiers: []Tier{{Name: "y"}}}); err == nil {
		t.Error("a hub of no tier passes")
	}
}

func TestAliasesAndMergesAreRead(t *testing.T) {
	doc := strings.Replace(goodPlatform, "    tier: production\n    cluster: compute\n    namespace: compute\n    release: compute\n",
		"    <<: *t\n    tier: production\n    namespace: compute\n    set: {}\n", 1)
	doc = strings.Replace(doc, "  testing:\n", "  testing: &t\n", 1)
	p, err := ParsePlatform("f", []byte(doc))
	if err != nil {
		t.Fatal(err)
	}
	want := p.Hubs["testing"]
	want.Tier, want.Namespace, want.Values, want.URL, want.Set = "production", "compute", []string{"base.yml"}, "https://compute.example.org", map[string]any{}
	if diff := cmp.Diff(want, p.Hubs["compute"], cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestAliasesThatBlowUpEnd(t *testing.T) {
	doc := "a: &a [x, x, x, x, x, x, x, x, x, x]\n"
	for c := 'b'; c <= 'j'; c++ {
		r := strings.Repeat("*"+string(c-1)+", ", 10)
		doc += string(c) + ": &" + string(c) + " [" + r + "]\n"
	}
	for _, doc := range []string{
		"hubs: {a: {set: {\n" + strings.ReplaceAll(strings.TrimSuffix(doc, "\n"), "\n", ",\n") + "}}}\n",
		"hubs: {a: {set: &s {x: *s}}}\n",
	} {
		if _, err := ParsePlatform("f", []byte(doc)); err == nil {
			t.Error("it passes")
		}
	}
}

func TestParseDuration(t *testing.T) {
	for s, want := range map[string]time.Duration{
		"0s": 0, "90s": 90 * time.Second, "30d": 720 * time.Hour, "1d12h": 36 * time.Hour, "1h30m": 90 * time.Minute, "1.5h": 90 * time.Minute,
	} {
		if got, err := ParseDuration(s); err != nil || got != want {
			t.Errorf("%s: %v, %v; want %v", s, got, err, want)
		}
	}
	for _, s := range []string{"", "5", "d", "-1h", "1d-1h", "+1h", "-1d", "1w", "1.5d", "65000d", "9999999h", "1d1d"} {
		if got, err := ParseDuration(s); err == nil {
			t.Errorf("%q: %v, want an error", s, got)
		}
	}
}

func FuzzParsePlatform(f *testing.F) {
	f.Add([]byte(goodPlatform))
	for _, e := range platformEdits {
		f.Add([]byte(strings.Replace(goodPlatform, e.old, e.new, 1)))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := ParsePlatform("f", data)
		if (p == nil) == (err == nil) {
			t.Fatalf("%v, %v", p, err)
		}
		soundProblems(t, data, err)
	})
}

func FuzzParsePolicy(f *testing.F) {
	f.Add([]byte(goodPolicy))
	for _, e := range policyEdits {
		f.Add([]byte(strings.Replace(goodPolicy, e.old, e.new, 1)))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := ParsePolicy("f", data)
		if (p == nil) == (err == nil) {
			t.Fatalf("%v, %v", p, err)
		}
		soundProblems(t, data, err)
		if p != nil && len(p.Tiers) == 0 {
			t.Fatal("a policy without tiers passes")
		}
	})
}

// soundProblems checks that every problem has a place in the file and a cause.
func soundProblems(t *testing.T, data []byte, err error) {
	t.Helper()
	var ps Problems
	if err != nil && (!errors.As(err, &ps) || len(ps) == 0) {
		t.Fatalf("%T %v", err, err)
	}
	for _, p := range ps {
		if p.Line < 1 || p.Column < 1 || p.Cause == "" {
			t.Fatalf("%+v", p)
		}
	}
}
