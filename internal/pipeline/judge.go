package pipeline

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"gauntlet/internal/config"
	"gauntlet/internal/deploy"
	"gauntlet/internal/evidence"
	"gauntlet/internal/gate"
	"gauntlet/internal/hub"
	"gauntlet/internal/kube"
	"gauntlet/internal/ledger"
	"gauntlet/internal/release"
)

// stateTimeout bounds how long one hub is asked for its state.
const stateTimeout = 15 * time.Second

// A sight is what a gate looks at, read once: the ledger, the policy in force and
// what clusters remember.
type sight struct {
	view       ledger.View
	policy     config.Policy
	digest     release.Digest // of the policy
	pinned     release.Digest // the first policy, as the clusters remember it
	missing    []release.Digest
	pinnedTier string // that the hub's namespace is pinned as
}

// look reads the ledger and decides which policy is in force. The first policy is
// the one pinned in the cluster of the hub (of the workbench for hub ""): a ledger
// cannot vouch for itself.
func (w *Workspace) look(ctx context.Context, hubName string) (*sight, error) {
	context, ns := w.Platform.Workbench.Context, w.Platform.Workbench.Namespace
	if hubName != "" {
		h, err := w.hub(hubName)
		if err != nil {
			return nil, err
		}
		context, ns = h.Cluster, h.Namespace
	}
	c, err := w.clients.get(context)
	if err != nil {
		return nil, err
	}
	anchor, err := kube.ReadAnchor(ctx, c, ns)
	if err != nil {
		return nil, fmt.Errorf("read what cluster %s remembers of the ledger: %w", context, err)
	}
	if anchor.Policy == "" {
		return nil, inputf("cluster %s, namespace %s, has pinned no policy, so nothing can be trusted yet: a board member runs `gauntlet policy init` (first time) or `gauntlet policy pin`", context, ns)
	}
	s := &sight{pinned: anchor.Policy, pinnedTier: anchor.Tier}
	if s.view, err = w.ledger.Read(ctx, anchor.Policy); err != nil {
		return nil, fmt.Errorf("read the ledger %s: %w", w.Platform.Ledger, err)
	}
	s.policy, s.digest = s.view.Policy, s.view.PolicyDigest
	s.missing = s.view.Missing(anchor.Heads)
	if err := config.Check(w.Platform, &s.policy); err != nil {
		return nil, &InputError{fmt.Errorf("%s does not fit the policy in force (%s): %w", w.opts.File, s.digest.Short(), err)}
	}
	return s, nil
}

// add puts a record that was just written where the next step looks for it.
func (s *sight) add(r evidence.Record) { s.view.Records = append(s.view.Records, r) }

// person is the name the policy in force knows a key under.
func (s *sight) person(keyID string) (string, config.Person, bool) {
	name, err := gate.PeopleOf(s.policy).By(keyID)
	if err != nil {
		return "", config.Person{}, false
	}
	return name, s.policy.People[name], true
}

// tier is a tier of the policy by name.
func (s *sight) tier(name string) (config.Tier, error) {
	var names []string
	for _, t := range s.policy.Tiers {
		if t.Name == name {
			return t, nil
		}
		names = append(names, t.Name)
	}
	return config.Tier{}, inputf("the policy has no tier %q: its tiers are %s", name, strings.Join(names, ", "))
}

// find resolves what a person types for a release: a digest or the start of one, a
// version, a label; "" is the newest release.
func (s *sight) find(ref string) (release.Digest, error) {
	if d, err := release.ParseDigest("sha256:" + strings.TrimPrefix(ref, "sha256:")); err == nil {
		return d, nil // whole: whether anybody made it is for the gate to say
	}
	made := s.made()
	if len(made) == 0 {
		return "", inputf("the ledger holds no release yet: make one with `gauntlet run`")
	}
	if ref == "" {
		return made[len(made)-1], nil
	}
	var found []release.Digest
	for _, d := range made {
		if hasPrefix(d, ref) || ref == s.version(d) || ref == s.label(d) {
			found = append(found, d)
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return "", inputf("no release %q in the ledger: `gauntlet log` lists them", ref)
	}
	var short []string
	for _, d := range found {
		short = append(short, d.Short())
	}
	return "", inputf("%q names %d releases (%s): give more of the digest", ref, len(found), strings.Join(short, ", "))
}

// made are all releases, the newest last.
func (s *sight) made() []release.Digest {
	var made []release.Digest
	for _, r := range s.view.Records {
		if r.Type != evidence.ReleaseType {
			continue
		}
		for _, sub := range r.Subjects {
			if sub.Kind == evidence.Release && !contains(made, sub.Digest) {
				made = append(made, sub.Digest)
			}
		}
	}
	return made
}

// version is the version a release bears, "" for none.
func (s *sight) version(d release.Digest) string {
	v := ""
	s.each(evidence.VersionType, d, func(r evidence.Record) {
		if p, err := evidence.Decode[evidence.Version](r); err == nil {
			v = p.Version
		}
	})
	return v
}

// label is what people call a release until it has a version.
func (s *sight) label(d release.Digest) string {
	l := ""
	s.each(evidence.ReleaseType, d, func(r evidence.Record) {
		if p, err := evidence.Decode[evidence.Made](r); err == nil {
			l = p.Label
		}
	})
	return l
}

func (s *sight) each(typ string, d release.Digest, do func(evidence.Record)) {
	for _, r := range s.view.Records {
		if r.Type == typ && r.About(evidence.Release, d) {
			do(r)
		}
	}
}

// input assembles what the gate judges a release by.
func (w *Workspace) input(ctx context.Context, s *sight, id release.Digest, tier, hubName string) (gate.Input, *release.Contents, error) {
	contents, err := w.open(ctx, id)
	if err != nil {
		return gate.Input{}, nil, err
	}
	in := gate.Input{
		Policy: s.policy, PolicyDigest: s.digest,
		ID: id, Release: contents.Release, Hubs: map[string]string{},
		Tier: tier, Hub: hubName, Pinned: s.pinnedTier,
		Evidence: s.view.Records, Rejected: s.view.Rejected, Missing: s.missing,
		States: w.states(ctx),
		Now:    w.opts.Now(),
	}
	for n, h := range w.Platform.Hubs {
		in.Hubs[n] = h.Tier
	}
	in.Roll = w.roll(ctx, s, in.States)
	in.Production = w.production(s, in.States)
	return in, contents, nil
}

// open fetches a release from the ledger's repository.
func (w *Workspace) open(ctx context.Context, id release.Digest) (*release.Contents, error) {
	a, err := w.ledger.Artifact(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("fetch release %s: %w", id.Short(), err)
	}
	c, err := release.Open(a)
	if err != nil {
		return nil, fmt.Errorf("open release %s: %w", id.Short(), err)
	}
	return &c, nil
}

// states asks all hubs at once what they run.
func (w *Workspace) states(ctx context.Context) map[string]gate.HubState {
	ctx, cancel := context.WithTimeout(ctx, stateTimeout)
	defer cancel()
	var (
		wg  sync.WaitGroup
		mu  sync.Mutex
		out = map[string]gate.HubState{}
	)
	for name, h := range w.Platform.Hubs {
		wg.Go(func() {
			st := gate.HubState{}
			if c, err := w.clients.get(h.Cluster); err != nil {
				st.Problem = err.Error()
			} else {
				st = deploy.State(ctx, c, h.Namespace, h.Release)
			}
			mu.Lock()
			out[name] = st
			mu.Unlock()
		})
	}
	wg.Wait()
	return out
}

// roll is who must sign off before the tier after one that asks for sign-offs.
func (w *Workspace) roll(ctx context.Context, s *sight, states map[string]gate.HubState) gate.Roll {
	for _, t := range s.policy.Tiers {
		if t.Signoff == nil {
			continue
		}
		switch t.Signoff.Of {
		case "people":
			return peopleRoll(s.policy)
		default:
			return w.activeUsers(ctx, s.policy.Tiers[len(s.policy.Tiers)-1].Name, t.Signoff.Active, states)
		}
	}
	return gate.Roll{}
}

func peopleRoll(p config.Policy) gate.Roll {
	var r gate.Roll
	for _, name := range sorted(p.People) {
		if contains(p.People[name].Roles, config.RoleUser) {
			r.Users = append(r.Users, name)
		}
	}
	return r
}

// activeUsers are who used a hub of the tier lately. Any hub that cannot be asked
// makes the roll unknown, for a user left out would be a sign-off skipped.
func (w *Workspace) activeUsers(ctx context.Context, tier string, active time.Duration, states map[string]gate.HubState) gate.Roll {
	ctx, cancel := context.WithTimeout(ctx, stateTimeout)
	defer cancel()
	users := map[string]bool{}
	for _, name := range w.hubNames(tier) {
		if st := states[name]; st.Problem == "" && st.Revision == 0 {
			continue // nothing installed there, so nobody has used it
		}
		h := w.Platform.Hubs[name]
		c, err := w.clients.get(h.Cluster)
		if err != nil {
			return gate.Roll{Problem: err.Error()}
		}
		token, err := hub.Token(ctx, c, h.Namespace, h.APITokenFrom)
		if err != nil {
			return gate.Roll{Problem: fmt.Sprintf("users of hub %s: %v", name, err)}
		}
		list, err := hub.New(h.URL, token).ActiveUsers(ctx, w.opts.Now().Add(-active))
		if err != nil {
			return gate.Roll{Problem: fmt.Sprintf("users of hub %s: %v", name, err)}
		}
		for _, u := range list {
			users[u] = true
		}
	}
	if len(users) == 0 {
		return gate.Roll{Problem: fmt.Sprintf("nobody has used a hub of tier %s in the last %s: for a platform without users yet, a policy with signoff.of: people names who signs", tier, active)}
	}
	return gate.Roll{Users: sorted(users)}
}

// production is the release that the last tier runs now: the one that most of its
// hubs were last brought to and still run; between equals the one that came first,
// so that what only some of production has seen counts as not there yet.
func (w *Workspace) production(s *sight, states map[string]gate.HubState) release.Digest {
	hubs := w.hubNames(s.policy.Tiers[len(s.policy.Tiers)-1].Name)
	runs := map[string]release.Digest{} // hub to release
	var order []release.Digest
	for _, r := range s.view.Records {
		d, ok := s.deployed(r)
		if !ok || !contains(hubs, d.Hub) {
			continue
		}
		of, live := subject(r, evidence.Release), subject(r, evidence.Deployable).Label()
		if states[d.Hub].Deployable == live {
			runs[d.Hub] = of
			order = append(order, of)
		}
	}
	count := map[release.Digest]int{}
	for _, of := range runs {
		count[of]++
	}
	var best release.Digest
	for _, of := range order {
		if count[of] > count[best] {
			best = of
		}
	}
	return best
}

// deployed reads a deployment that a deployer of the policy in force recorded.
func (s *sight) deployed(r evidence.Record) (evidence.Deployment, bool) {
	if r.Type != evidence.DeploymentType {
		return evidence.Deployment{}, false
	}
	d, err := evidence.Decode[evidence.Deployment](r)
	_, p, known := s.person(r.Signer)
	return d, err == nil && known && contains(p.Roles, config.RoleDeployer)
}

// subject is the record's subject of a kind, "" for none.
func subject(r evidence.Record, kind string) release.Digest {
	for _, s := range r.Subjects {
		if s.Kind == kind {
			return s.Digest
		}
	}
	return ""
}

func contains[T comparable](list []T, x T) bool {
	for _, v := range list {
		if v == x {
			return true
		}
	}
	return false
}

// hasPrefix says whether a person's typing begins a digest.
func hasPrefix(d release.Digest, typed string) bool {
	return typed != "" && strings.HasPrefix(d.Hex(), strings.TrimPrefix(typed, "sha256:"))
}

// Releases are the names of all releases, for completion: version or digest.
func (w *Workspace) Releases(ctx context.Context) ([]string, error) {
	s, err := w.look(ctx, "")
	if err != nil {
		return nil, err
	}
	var names []string
	for _, d := range s.made() {
		if v := s.version(d); v != "" {
			names = append(names, v)
		}
		names = append(names, d.Short())
	}
	return names, nil
}
