package pipeline

import (
	"errors"
	"strings"
	"testing"

	"gauntlet/internal/config"
	"gauntlet/internal/evidence"
	"gauntlet/internal/gate"
	"gauntlet/internal/release"
)

// threeHubs is a workspace with three production hubs and one other.
func threeHubs() *Workspace {
	hub := config.Hub{Tier: "production"}
	return &Workspace{opts: Options{File: "gauntlet.yaml"}, Platform: &config.Platform{Hubs: map[string]config.Hub{
		"coastal": hub, "compute": hub, "impactlab": hub, "try": {Tier: "testing"},
	}}}
}

func TestProductionIsWhatMostOfItsHubsRun(t *testing.T) {
	type step struct{ who, release, hub string }
	by := func(hubs ...string) (steps []step) {
		for _, h := range hubs {
			name, hub, _ := strings.Cut(h, " ")
			steps = append(steps, step{"deployer", name, hub})
		}
		return steps
	}
	for name, tt := range map[string]struct {
		steps  []step
		drift  []string // hubs that run something else than was recorded last
		absent []string // hubs that cannot be asked
		want   string   // name of the release, "" for none
	}{
		"nothing was deployed":           {},
		"all run one":                    {steps: by("A coastal", "A compute", "A impactlab"), want: "A"},
		"most run the new one":           {steps: by("A coastal", "A compute", "A impactlab", "B coastal", "B compute"), want: "B"},
		"some have seen the new one":     {steps: by("A coastal", "A compute", "A impactlab", "B coastal"), want: "A"},
		"between equals the first":       {steps: by("A coastal", "B compute"), want: "A"},
		"three different, the first":     {steps: by("C coastal", "A compute", "B impactlab"), want: "C"},
		"rolled back":                    {steps: by("A coastal", "A compute", "B coastal", "B compute", "A coastal", "A compute"), want: "A"},
		"another tier does not count":    {steps: by("B try")},
		"a drifted hub does not count":   {steps: by("A coastal", "A compute", "B impactlab"), drift: []string{"coastal", "compute"}, want: "B"},
		"all have drifted":               {steps: by("A coastal", "A compute"), drift: []string{"coastal", "compute"}},
		"a hub that is down":             {steps: by("A coastal", "A compute", "B impactlab"), absent: []string{"coastal", "compute"}, want: "B"},
		"a deployment by who may not":    {steps: []step{{"deployer", "A", "coastal"}, {"user", "B", "compute"}, {"user", "B", "impactlab"}}, want: "A"},
		"a deployment by an unknown key": {steps: []step{{"stranger", "B", "compute"}}},
	} {
		t.Run(name, func(t *testing.T) {
			w, s, states := threeHubs(), newSight(), map[string]gate.HubState{}
			for _, st := range tt.steps {
				s.brings(t, st.who, st.release, evidence.Deployment{Hub: st.hub})
				states[st.hub] = gate.HubState{Deployable: digest(st.release + " on " + st.hub).Label()}
			}
			for _, h := range tt.drift {
				states[h] = gate.HubState{Deployable: digest("something else").Label()}
			}
			for _, h := range tt.absent {
				states[h] = gate.HubState{Problem: "connection refused"}
			}
			want := release.Digest("")
			if tt.want != "" {
				want = digest(tt.want)
			}
			if got := w.production(s, states); got != want {
				t.Errorf("production runs %s, expected %s (%s)", got.Short(), tt.want, want.Short())
			}
		})
	}
}

// A deployment that names no deployable matches a hub that runs nothing, and means
// nothing.
func TestADeploymentOfNothingIsNotProduction(t *testing.T) {
	s := newSight()
	s.say(t, "deployer", evidence.DeploymentType, evidence.Deployment{Hub: "compute"}, of(evidence.Release, digest("A")))
	if got := threeHubs().production(s, nil); got != "" {
		t.Errorf("production runs %s", got)
	}
}

func TestAReleaseGoesWhereItWasMadeFor(t *testing.T) {
	w := threeHubs()
	w.Platform.Hubs["compute"] = config.Hub{Tier: "production", Cluster: "prod", Namespace: "compute", Release: "compute"}
	at := release.Target{Cluster: "prod", Namespace: "compute", Release: "compute"}
	for name, tt := range map[string]struct {
		change func(*release.Target)
		moved  bool
	}{
		"the same place":    {func(*release.Target) {}, false},
		"another cluster":   {func(t *release.Target) { t.Cluster = "test" }, true},
		"another namespace": {func(t *release.Target) { t.Namespace = "try" }, true},
		"another release":   {func(t *release.Target) { t.Release = "try" }, true},
	} {
		t.Run(name, func(t *testing.T) {
			there := at
			tt.change(&there)
			c := &release.Contents{Release: release.Release{Hubs: map[string]release.Part{"compute": {Target: there}}}}
			err := w.elsewhere("compute", c)
			var input *InputError
			if (err != nil) != tt.moved || err != nil && !errors.As(err, &input) {
				t.Errorf("got %v", err)
			}
		})
	}
	if err := w.elsewhere("compute", &release.Contents{}); err != nil {
		t.Errorf("a release without the hub is for the gate to refuse: %v", err)
	}
}

func TestAnAnswerSaysTheFirstReasonAndHowManyMore(t *testing.T) {
	v := gate.Verdict{Decision: gate.Wait, Requirements: []gate.Requirement{
		{Decision: gate.Allow, Reason: "holds"}, {Decision: gate.Wait, Reason: "no version"}, {Decision: gate.Wait, Reason: "no sign-off"},
	}}
	err := &PendingError{Answer{Release: digest("R"), Tier: "production", Verdict: v}}
	if want := "release " + digest("R").Short() + " waits before production: no version (and 1 more)"; err.Error() != want {
		t.Errorf("%q, expected %q", err, want)
	}
}

func TestAnyOfATiersHubsIsTheOneThatRunsIt(t *testing.T) {
	r := release.Release{Hubs: map[string]release.Part{"a": {Deployable: digest("R on a")}, "b": {Deployable: digest("R on b")}}}
	hubs := []string{"new", "a", "b"}
	for name, tt := range map[string]struct {
		states map[string]gate.HubState
		want   string
	}{
		"none runs it":                      {map[string]gate.HubState{"a": {Deployable: digest("old").Label()}}, "new"},
		"the last runs it":                  {map[string]gate.HubState{"b": {Deployable: digest("R on b").Label()}}, "b"},
		"two run it":                        {map[string]gate.HubState{"a": {Deployable: digest("R on a").Label()}, "b": {Deployable: digest("R on b").Label()}}, "a"},
		"an empty hub it holds nothing for": {map[string]gate.HubState{"new": {}, "b": {Deployable: digest("R on b").Label()}}, "b"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := oneOf(hubs, r, tt.states); got != tt.want {
				t.Errorf("got %s, expected %s", got, tt.want)
			}
		})
	}
}
