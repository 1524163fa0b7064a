package pipeline

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"gauntlet/internal/config"
	"gauntlet/internal/deploy"
	"gauntlet/internal/kube"
)

// Where a hub is after the rollback of its tier.
const (
	HubBack   = "back"   // it runs what it ran before
	HubLeft   = "left"   // it was left alone: what goes back never came to it
	HubFailed = "failed" // it could not go back, or is back and failed a suite
)

// A TierBack is what RollbackTier did.
type TierBack struct {
	Tier    string      `json:"tier"`
	Release string      `json:"release"` // Digest.Label of the release that goes back
	Hubs    []HubBackOf `json:"hubs"`    // in the order in which they were brought back
}

// A HubBackOf is one hub of a TierBack.
type HubBackOf struct {
	Hub    string      `json:"hub"`
	State  string      `json:"state"` // HubBack, HubLeft or HubFailed
	Why    string      `json:"why,omitempty"`
	Result *RolledBack `json:"result,omitempty"`
}

// IsTier says whether a name is that of a tier and of no hub.
func (w *Workspace) IsTier(name string) bool {
	_, hub := w.Platform.Hubs[name]
	return !hub && len(w.hubNames(name)) > 0
}

// RollbackTier brings the hubs of a tier back from the release that came to the tier
// last: the last hub of the policy's order first, each as Rollback does. A hub to which
// that release never came stays as it is; one that fails stops none of the others. The
// suites run when all that can are back.
func (w *Workspace) RollbackTier(ctx context.Context, tier string, o RollbackOptions) (*TierBack, error) {
	if strings.TrimSpace(o.Reason) == "" {
		return nil, inputf("a rollback needs --reason: others must know why the hubs went back")
	}
	if o.To != 0 {
		return nil, inputf("a revision is that of one hub, and %q is a tier", tier)
	}
	if _, err := w.signer(); err != nil {
		return nil, err
	}
	if len(w.hubNames(tier)) == 0 {
		return nil, inputf("no hub of %s belongs to a tier %q", w.opts.File, tier)
	}
	order := config.Tier{Name: tier}
	s, unread := w.lookSoon(ctx, "")
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case unread != nil:
		w.tell("rollback", "", Warned, "", "going on without the ledger, so with the hubs by name: "+kube.OneLine(unread.Error()))
	default:
		if _, err := w.speaker(s, config.RoleDeployer, config.RoleBoard); err != nil {
			return nil, err
		}
		var err error
		if order, err = s.tier(tier); err != nil {
			return nil, err
		}
	}
	out := &TierBack{Tier: tier, Hubs: []HubBackOf{}}
	came := w.lastComings(ctx, tier)
	out.Release = newestOf(came)
	if out.Release == "" {
		return nil, &StepError{Step: "rollback", Cause: fmt.Errorf("gauntlet has brought nothing to the hubs of tier %s that they could go back from: %s", tier, comingsShown(came))}
	}
	fail := func(h *HubBackOf, err error) {
		h.State, h.Why = HubFailed, kube.OneLine(err.Error())
		w.tell("rollback", h.Hub, Failed, "", h.Why)
	}
	var verify []func() error // of each hub, nil where there is nothing to verify
	for _, name := range slices.Backward(slices.Concat(order.Plan(w.hubNames(tier))...)) {
		if ctx.Err() != nil {
			return out, ctx.Err()
		}
		h := HubBackOf{Hub: name, State: HubBack}
		var check func() error
		if c := came[name]; c.problem == nil && c.Release != out.Release {
			h.State, h.Why = HubLeft, "release "+short(out.Release)+" never came to it: "+c.String()
			w.tell("rollback", name, Reused, "", h.Why)
		} else if s, unread, c, err := w.mayGoBack(ctx, name); err != nil {
			fail(&h, err)
		} else if b, contents, err := w.bringBack(ctx, s, unread, c, name, o, reserved{}); err != nil {
			fail(&h, err)
		} else {
			if h.Result = b; b.Recorded {
				check = func() error { return w.verifyRollback(ctx, s, b, contents, reserved{}) }
			}
		}
		out.Hubs, verify = append(out.Hubs, h), append(verify, check)
	}
	var failed []string
	for i := range out.Hubs {
		h := &out.Hubs[i]
		if verify[i] != nil {
			if err := verify[i](); err != nil {
				fail(h, err)
			}
		}
		if h.State == HubFailed {
			failed = append(failed, h.Hub+": "+h.Why)
		}
	}
	if len(failed) > 0 {
		return out, &StepError{Step: "rollback", Cause: fmt.Errorf("%d of %d hubs of tier %s: %s", len(failed), len(out.Hubs), tier, strings.Join(failed, "; "))}
	}
	return out, nil
}

// coming is what came to a hub last, or why that is not known.
type coming struct {
	deploy.Coming
	problem error
}

func (c coming) String() string {
	switch {
	case c.problem != nil:
		return kube.OneLine(c.problem.Error())
	case c.Revision == 0:
		return "nothing is installed"
	case c.Release == "":
		return fmt.Sprintf("revision %d was not made by gauntlet", c.Revision)
	}
	return fmt.Sprintf("revision %d is of release %s", c.Revision, short(c.Release))
}

// short is a label of a digest for people.
func short(label string) string { return label[:min(12, len(label))] }

// lastComings asks the hubs of a tier what came to each last.
func (w *Workspace) lastComings(ctx context.Context, tier string) map[string]coming {
	defer w.waiting("rollback", "", "asking the hubs of "+tier+" what came to them last")()
	out := map[string]coming{}
	for _, name := range w.hubNames(tier) {
		h := w.Platform.Hubs[name]
		c, err := w.clients.get(h.Cluster)
		if err != nil {
			out[name] = coming{problem: err}
			continue
		}
		last, err := deploy.LastComing(ctx, c, h.Namespace, h.Release)
		out[name] = coming{Coming: last, problem: err}
	}
	return out
}

// newestOf is the release that came last to any of the hubs, "" when none did.
func newestOf(came map[string]coming) string {
	var newest coming
	for _, name := range slices.Sorted(maps.Keys(came)) {
		if c := came[name]; c.Release != "" && (newest.Release == "" || c.At.After(newest.At)) {
			newest = c
		}
	}
	return newest.Release
}

func comingsShown(came map[string]coming) string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(came)) {
		out = append(out, name+": "+came[name].String())
	}
	return strings.Join(out, "; ")
}
