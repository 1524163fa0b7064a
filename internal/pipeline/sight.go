package pipeline

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"gauntlet/internal/config"
	"gauntlet/internal/evidence"
	"gauntlet/internal/gate"
	"gauntlet/internal/kube"
	"gauntlet/internal/ledger"
	"gauntlet/internal/release"
)

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
	anchor, err := w.anchor(ctx, c, ns)
	if err != nil {
		return nil, fmt.Errorf("read what cluster %s remembers of the ledger: %w", context, err)
	}
	if anchor.Policy == "" {
		return nil, inputf("cluster %s, namespace %s, has pinned no policy, so nothing can be trusted yet: a board member runs `gauntlet policy init` (first time) or `gauntlet policy pin`", context, ns)
	}
	s := &sight{pinned: anchor.Policy, pinnedTier: anchor.Tier}
	over := w.waiting("ledger", "", "reading "+w.Platform.Ledger)
	s.view, err = w.ledger.Read(ctx, anchor.Policy)
	over()
	if err != nil {
		return nil, fmt.Errorf("read the ledger %s: %w", w.Platform.Ledger, err)
	}
	s.policy, s.digest = s.view.Policy, s.view.PolicyDigest
	s.missing = s.view.Missing(anchor.Heads)
	if err := errors.Join(config.Check(w.Platform, &s.policy), w.checkSuites(&s.policy)); err != nil {
		return nil, &InputError{fmt.Errorf("%s does not fit the policy in force (%s): %w", w.opts.File, s.digest.Short(), err)}
	}
	return s, nil
}

// anchor is what a namespace remembers.
func (w *Workspace) anchor(ctx context.Context, c *kube.Client, namespace string) (kube.Anchor, error) {
	defer w.waiting("ledger", "", fmt.Sprintf("asking cluster %s what it remembers", c.Context))()
	ctx, cancel := bounded(ctx, stateTimeout)
	defer cancel()
	a, err := kube.ReadAnchor(ctx, c, namespace)
	return a, because(ctx, err)
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

// is says whether a key belongs to somebody with a role.
func (s *sight) is(keyID, role string) bool {
	_, p, ok := s.person(keyID)
	return ok && slices.Contains(p.Roles, role)
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

// deployed reads a deployment or rollback that somebody of the policy in force
// recorded who may.
func (s *sight) deployed(r evidence.Record) (evidence.Deployment, bool) {
	if r.Type == evidence.RollbackType {
		b, err := evidence.Decode[evidence.Rollback](r)
		return b.Deployment(), err == nil && (s.is(r.Signer, config.RoleDeployer) || s.is(r.Signer, config.RoleBoard))
	}
	if r.Type != evidence.DeploymentType {
		return evidence.Deployment{}, false
	}
	d, err := evidence.Decode[evidence.Deployment](r)
	return d, err == nil && s.is(r.Signer, config.RoleDeployer)
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
