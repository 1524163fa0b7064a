package pipeline

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"gauntlet/internal/browser"
	"gauntlet/internal/check/suites"
	"gauntlet/internal/config"
	"gauntlet/internal/deploy"
	"gauntlet/internal/evidence"
	"gauntlet/internal/gate"
	"gauntlet/internal/kube"
	"gauntlet/internal/release"
)

// inTurn are the hubs of a tier where any one will do, in the order to try: the one that
// already runs the deployable first.
func (w *Workspace) inTurn(ctx context.Context, id release.Digest, tier config.Tier) ([]string, error) {
	contents, err := w.open(ctx, id)
	if err != nil {
		return nil, err
	}
	hubs := slices.Concat(tier.Plan(w.hubNames(tier.Name))...)
	first := oneOf(hubs, contents.Release, w.states(ctx))
	return append([]string{first}, slices.DeleteFunc(hubs, func(h string) bool { return h == first })...), nil
}

// oneOf is the hub that runs its part of a release, else the first.
func oneOf(hubs []string, r release.Release, states map[string]gate.HubState) string {
	for _, h := range hubs {
		if part, ok := r.Hubs[h]; ok && states[h].Deployable == part.Deployable.Label() {
			return h
		}
	}
	return hubs[0]
}

// checkHub runs the tier's suites on a hub.
func (w *Workspace) checkHub(ctx context.Context, s *sight, tier config.Tier, hubName string, c *kube.Client, contents *release.Contents, in reserved) error {
	part := contents.Release.Hubs[hubName]
	w.estimate(s, tier, hubName)
	ctx, cancel := context.WithTimeoutCause(ctx, tier.Budget.Time, fmt.Errorf("the suites of tier %s have used up their budget of %s on hub %s", tier.Name, tier.Budget.Time, hubName))
	defer cancel()
	for _, name := range onHub(tier) {
		suite, err := w.hubSuite(name)
		if err != nil {
			return err
		}
		about := evidence.Subject{Kind: evidence.Deployable, Digest: part.Deployable}
		target := w.target(name, hubName, c, contents, in)
		target.SpawnBefore = s.spawnBefore(name, hubName, part.Deployable)
		target.Measured = s.measured(hubName, part.Deployable)
		if target.Accepted, err = w.accepted(ctx, s); err != nil {
			return err
		}
		if err := w.suite(ctx, s, suite(target), about, hubName); err != nil {
			return err
		}
	}
	return nil
}

// spawnBefore is how long a server took to start in a suite on a hub with what it ran
// before: 0 when that is not known.
func (s *sight) spawnBefore(suite, hubName string, now release.Digest) time.Duration {
	for _, r := range slices.Backward(s.view.Records) {
		if r.Type != evidence.TestResultType || r.About(evidence.Deployable, now) || !s.is(r.Signer, config.RoleChecker) {
			continue
		}
		t, err := evidence.Decode[evidence.TestResult](r)
		if err != nil || t.Suite != suite || t.Hub != hubName {
			continue
		}
		for _, c := range t.Checks {
			if c.Name == suites.ServerStarts && c.State != evidence.Failed {
				return time.Duration(c.Seconds * float64(time.Second))
			}
		}
	}
	return 0
}

// measured is what suites measured on a hub with what it ran before, by suite and name.
func (s *sight) measured(hubName string, now release.Digest) map[string]map[string]float64 {
	out := map[string]map[string]float64{}
	for _, r := range slices.Backward(s.view.Records) {
		if r.Type != evidence.TestResultType || r.About(evidence.Deployable, now) || !s.is(r.Signer, config.RoleChecker) {
			continue
		}
		t, err := evidence.Decode[evidence.TestResult](r)
		if err == nil && t.Hub == hubName && len(t.Measures) > 0 && out[t.Suite] == nil {
			out[t.Suite] = t.Measures
		}
	}
	return out
}

// SuiteNames are the suites that can run on a hub, by the names that policies call them.
func (w *Workspace) SuiteNames() []string {
	return append(suites.Names(), slices.Sorted(maps.Keys(w.Platform.Suites))...)
}

// checkSuites finds what a policy asks for and nobody here can run, before anything is
// deployed for it.
func (w *Workspace) checkSuites(p *config.Policy) error {
	for name := range w.Platform.Suites {
		if _, taken := suites.Named(name); taken {
			return inputf("%s: suites.%s: gauntlet brings a suite of that name: give yours another", w.opts.File, name)
		}
	}
	for _, t := range p.Tiers {
		for _, name := range t.Suites {
			if names := w.SuiteNames(); !slices.Contains(names, name) {
				return fmt.Errorf("the policy asks for suite %q on tier %s: the suites are %s", name, t.Name, strings.Join(names, ", "))
			}
		}
		if err := w.withinBudget(t); err != nil {
			return fmt.Errorf("the policy: %w", err)
		}
	}
	return nil
}

// hubSuite is one of SuiteNames.
func (w *Workspace) hubSuite(name string) (suites.Maker, error) {
	if m, ok := suites.Named(name); ok {
		return m, nil
	}
	own, ok := w.Platform.Suites[name]
	if !ok {
		return nil, inputf("there is no suite %q: the suites are %s", name, strings.Join(w.SuiteNames(), ", "))
	}
	tests, err := w.tests(own.Tests, "test of suite "+name)
	if err != nil {
		return nil, err
	}
	return suites.Own(name, tests), nil
}

// target is a hub of the release as a step probes it.
func (w *Workspace) target(step, hubName string, c *kube.Client, contents *release.Contents, in reserved) suites.HubTarget {
	part := contents.Release.Hubs[hubName]
	at := part.Target
	t := suites.HubTarget{
		Client: c, Namespace: at.Namespace, URL: at.URL,
		APITokenFrom: config.SecretKey{Secret: at.TokenSecret, Key: at.TokenKey},
		Notebook:     contents.Set.Images[w.notebook(contents)],
		Runs: func(ctx context.Context) error {
			return deploy.Runs(ctx, c, at.Namespace, at.Release, part.Deployable)
		},
		Held:    in.held,
		Observe: func(line string) { w.tell(step, hubName, Progress, "", line) },
	}
	if in.standing != nil {
		t.Spare = in.standing.Probe
	}
	for _, p := range w.Platform.Images.Pairs {
		if p.Notebook != w.notebook(contents) {
			continue
		}
		if t.Template == "" {
			t.Template = p.Template
		}
		t.Workers = append(t.Workers, contents.Set.Images[p.Worker])
	}
	t.Storage = w.Platform.Storage
	t.Through = w.Platform.Viz.Through
	for _, at := range slices.Sorted(maps.Keys(w.Platform.Viz.Serve)) {
		t.Served = append(t.Served, browser.Route{Prefix: at, Dir: w.path(w.Platform.Viz.Serve[at])})
	}
	return t
}

// notebook is the image of the set that users' servers run: the one in the chart's
// slots; where there are several, the notebook of the first pair.
func (w *Workspace) notebook(contents *release.Contents) string {
	slots := slices.Sorted(maps.Keys(contents.Release.Slots))
	for _, p := range w.Platform.Images.Pairs {
		if slices.Contains(slots, p.Notebook) {
			return p.Notebook
		}
	}
	return slots[0]
}
