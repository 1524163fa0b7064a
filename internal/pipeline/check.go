package pipeline

import (
	"context"
	"fmt"
	"slices"
	"time"

	"gauntlet/internal/check"
	"gauntlet/internal/check/suites"
	"gauntlet/internal/config"
	"gauntlet/internal/deploy"
	"gauntlet/internal/evidence"
	"gauntlet/internal/kube"
	"gauntlet/internal/release"
)

// A Checked is what suites found on a live hub.
type Checked struct {
	Hub      string                `json:"hub"`
	URL      string                `json:"url"`
	Release  release.Digest        `json:"release,omitempty"` // that the hub runs; "" when it runs none of gauntlet's
	Recorded bool                  `json:"recorded"`          // the results are evidence
	Results  []evidence.TestResult `json:"results"`
	Suites   []check.Result        `json:"-"`
}

// Failed is the first failure, nil for none; a suite that has no verdict yet is none.
func (c *Checked) Failed() error {
	for _, r := range c.Suites {
		if r.State == check.Failed {
			return &StepError{Step: r.Suite, Hub: c.Hub, Cause: firstFailure(r)}
		}
	}
	return nil
}

// Check runs suites on a hub as it is now, whatever the ledger says of it; those that
// its tier asks for when none is named. With a key, what they find on a release of
// gauntlet's is recorded. With again it is one of many runs, which no suite that may add
// nodes can be.
func (w *Workspace) Check(ctx context.Context, hubName string, names []string, again bool) (*Checked, error) {
	h, err := w.hub(hubName)
	if err != nil {
		return nil, err
	}
	if h.URL == "" || h.APITokenFrom.Secret == "" {
		return nil, inputf("hubs.%s has no url or apiTokenFrom, so its hub cannot be asked", hubName)
	}
	c, err := w.clients.get(h.Cluster)
	if err != nil {
		return nil, err
	}
	out := &Checked{Hub: hubName, URL: h.URL}
	s, contents, err := w.live(ctx, hubName, h, c)
	if err != nil {
		return nil, err
	}
	t := suites.HubTarget{
		Client: c, Namespace: h.Namespace, URL: h.URL, APITokenFrom: h.APITokenFrom,
		Runs: func(context.Context) error { return nil },
	}
	var about evidence.Subject
	if contents != nil {
		out.Release = contents.Digest()
		t = w.target("", hubName, c, contents, reserved{})
		tier, err := s.tier(h.Tier)
		if err != nil {
			return nil, err
		}
		t.Watch, _ = s.nodeWatch(hubName, tier)
		t.Measured = s.measured(hubName, contents.Release.Hubs[hubName].Deployable)
		if t.Accepted, err = w.accepted(ctx, s); err != nil {
			return nil, err
		}
		about = evidence.Subject{Kind: evidence.Deployable, Digest: contents.Release.Hubs[hubName].Deployable}
		out.Recorded = w.opts.Key != ""
	}
	if names, err = w.suitesFor(s, h.Tier, names); err != nil {
		return nil, err
	}
	if again {
		if err := w.repeatable(names); err != nil {
			return nil, err
		}
	}
	return out, w.checkLive(ctx, out, names, t, func(r check.Result) error {
		if !out.Recorded || r.State == check.PendingState {
			return nil
		}
		return w.keep(ctx, s, r, about, hubName)
	})
}

// repeatable refuses suites that may not run on a schedule: each time they would make an
// autoscaler bring nodes.
func (w *Workspace) repeatable(names []string) error {
	for _, name := range names {
		_, nodes, err := w.costs(name)
		if err != nil {
			return err
		}
		if nodes > 0 {
			return inputf("suite %s may add %s to the cluster each time: run it without --every", name, count(nodes, "node", "nodes"))
		}
	}
	return nil
}

// live is the release of gauntlet's that a hub runs, nil for none, and what is seen of
// the ledger then.
func (w *Workspace) live(ctx context.Context, hubName string, h config.Hub, c *kube.Client) (*sight, *release.Contents, error) {
	asked, cancel := bounded(ctx, stateTimeout)
	defer cancel()
	st := deploy.State(asked, c, h.Namespace, h.Release)
	if st.Problem != "" {
		return nil, nil, fmt.Errorf("see what hub %s runs: %s", hubName, st.Problem)
	}
	if st.Release == "" || st.Foreign || st.Adopted {
		return nil, nil, nil
	}
	s, err := w.look(ctx, "")
	if err != nil {
		return nil, nil, err
	}
	id, err := s.find(st.Release)
	if err != nil {
		return nil, nil, err
	}
	contents, err := w.open(ctx, id)
	if err != nil {
		return nil, nil, err
	}
	if part, ok := contents.Release.Hubs[hubName]; !ok || part.Deployable.Label() != st.Deployable {
		return s, nil, nil
	}
	return s, contents, nil
}

// suitesFor are the suites to run: those named, else those that the tier asks for, else
// the suite "hub".
func (w *Workspace) suitesFor(s *sight, tier string, names []string) ([]string, error) {
	for _, name := range names {
		if _, err := w.hubSuite(name); err != nil {
			return nil, err
		}
	}
	if len(names) > 0 {
		return slices.Compact(names), nil
	}
	if s != nil {
		if t, err := s.tier(tier); err == nil && len(t.Suites) > 0 {
			return t.Suites, nil
		}
	}
	return []string{"hub"}, nil
}

// checkLive runs suites one after another; each result is handed to keep.
func (w *Workspace) checkLive(ctx context.Context, out *Checked, names []string, t suites.HubTarget, keep func(check.Result) error) error {
	for _, name := range names {
		suite, err := w.hubSuite(name)
		if err != nil {
			return err
		}
		t.Observe = func(line string) { w.tell(name, out.Hub, Progress, "", line) }
		r := w.check(ctx, suite(t), out.Hub)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		out.Suites = append(out.Suites, r)
		out.Results = append(out.Results, r.Evidence(out.Hub))
		if err := keep(r); err != nil {
			return err
		}
	}
	return nil
}

// A LiveHub is a hub that no configuration of gauntlet's knows.
type LiveHub struct {
	URL       string // as users type it
	Context   string // of the kubeconfig
	Namespace string
	Token     config.SecretKey // the Secret in the namespace with an API token of the hub
}

// CheckLive runs suites on a hub with nothing but its address, a kubeconfig and a token;
// the suite "hub" when none is named. Nothing is recorded. observe may be nil.
func CheckLive(ctx context.Context, h LiveHub, names []string, again bool, observe func(Event)) (*Checked, error) {
	for _, need := range []struct{ flag, value string }{
		{"--url", h.URL}, {"--context", h.Context}, {"--namespace", h.Namespace}, {"--token-secret", h.Token.Secret}, {"--token-key", h.Token.Key},
	} {
		if need.value == "" {
			return nil, inputf("a hub that gauntlet.yaml does not have needs %s", need.flag)
		}
	}
	w := &Workspace{Platform: &config.Platform{}, opts: Options{Observe: observe, Now: time.Now}}
	c, err := kube.Connect(h.Context)
	if err != nil {
		return nil, &InputError{err}
	}
	if len(names) == 0 {
		names = []string{"hub"}
	}
	for _, name := range names {
		if _, err := w.hubSuite(name); err != nil {
			return nil, err
		}
	}
	if again {
		if err := w.repeatable(names); err != nil {
			return nil, err
		}
	}
	out := &Checked{Hub: h.URL, URL: h.URL}
	return out, w.checkLive(ctx, out, names, suites.HubTarget{
		Client: c, Namespace: h.Namespace, URL: h.URL, APITokenFrom: h.Token,
		Runs: func(context.Context) error { return nil },
	}, func(check.Result) error { return nil })
}
