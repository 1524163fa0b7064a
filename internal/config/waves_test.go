package config

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestAReleaseGoesOverHubsInWaves(t *testing.T) {
	hubs := []string{"d", "c", "b", "a"}
	for name, tt := range map[string]struct {
		tier Tier
		hubs []string
		want [][]string
	}{
		"by name":                 {Tier{}, hubs, [][]string{{"a"}, {"b"}, {"c"}, {"d"}}},
		"in order":                {Tier{Order: []string{"c", "a"}}, hubs, [][]string{{"c"}, {"a"}, {"b"}, {"d"}}},
		"in waves":                {Tier{Waves: [][]string{{"d"}, {"b", "a"}}}, hubs, [][]string{{"d"}, {"b", "a"}, {"c"}}},
		"all at once":             {Tier{Waves: [][]string{{"a", "b", "c", "d"}}}, hubs, [][]string{{"a", "b", "c", "d"}}},
		"hubs that are not there": {Tier{Waves: [][]string{{"x"}, {"a", "y"}}}, []string{"a"}, [][]string{{"a"}}},
		"a hub twice, unchecked":  {Tier{Waves: [][]string{{"a", "a"}, {"a", "b"}}}, []string{"a", "b"}, [][]string{{"a"}, {"b"}}},
		"no hubs":                 {Tier{Order: []string{"a"}}, nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			if d := cmp.Diff(tt.want, tt.tier.Plan(tt.hubs)); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestWavesNameHubsOfTheTier(t *testing.T) {
	p, err := ParsePlatform("gauntlet.yaml", []byte(goodPlatform))
	if err != nil {
		t.Fatal(err)
	}
	pol, err := ParsePolicy("policy.yaml", []byte(strings.Replace(goodPolicy, "order: [compute]", "waves: [[compute, testing], [nowhere]]\n      maxParallel: 2", 1)))
	if err != nil {
		t.Fatal(err)
	}
	want := `
policy.yaml:12:25: tiers.production.waves[0][1]: hub testing belongs to tier bleeding-edge
    fix: name hubs of this tier: compute
policy.yaml:12:36: tiers.production.waves[1][0]: there is no hub "nowhere"
    fix: name hubs of this tier: compute
`
	if d := cmp.Diff(strings.TrimSpace(want), Check(p, pol).Error()); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}
