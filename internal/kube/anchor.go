package kube

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/retry"

	"gauntlet/internal/release"
)

// Keys of the ConfigMap that an anchor is kept in. Format: docs/formats.md.
const (
	anchorName   = "gauntlet"
	anchorPolicy = "policy" // digest of the pinned policy
	anchorTier   = "tier"   // of the hub in the namespace
	anchorHeads  = "heads"  // JSON list of statement ids
)

// An Anchor is what the deployer of a namespace remembers there, in its ConfigMap
// "gauntlet": what was deleted from the ledger since is missed.
type Anchor struct {
	Policy release.Digest   // the first policy trusted here, "" before one is pinned
	Tier   string           // of the hub here, as pinned with the policy; "" for the workbench
	Heads  []release.Digest // heads of the ledger that the last deployment was judged by
}

// A PinnedError says that the namespace trusts another first policy, or holds a hub
// of another tier.
type PinnedError struct {
	Context, Namespace string
	Pinned, Asked      release.Digest
	Tier, AskedTier    string
}

func (e *PinnedError) Error() string {
	if e.Pinned == e.Asked {
		return fmt.Sprintf("namespace %s of cluster %s is pinned as a hub of tier %q, not %q: give a hub of another tier a namespace of its own",
			e.Namespace, e.Context, e.Tier, e.AskedTier)
	}
	return fmt.Sprintf("namespace %s of cluster %s trusts policy %s, not %s: "+
		"if it is right to forget the old one, delete it with `kubectl --context %s -n %s delete configmap %s` and pin again",
		e.Namespace, e.Context, e.Pinned.Short(), e.Asked.Short(), e.Context, e.Namespace, anchorName)
}

// ReadAnchor reads what a namespace remembers: nothing when it does not exist.
func ReadAnchor(ctx context.Context, c *Client, namespace string) (Anchor, error) {
	cm, err := c.CoreV1().ConfigMaps(namespace).Get(ctx, anchorName, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return Anchor{}, nil
	}
	if err != nil {
		return Anchor{}, fmt.Errorf("read ConfigMap %s/%s of cluster %s: %w", namespace, anchorName, c.Context, err)
	}
	return parseAnchor(cm)
}

func parseAnchor(cm *corev1.ConfigMap) (Anchor, error) {
	a := Anchor{Tier: cm.Data[anchorTier]}
	fail := func(key string, err error) (Anchor, error) {
		return Anchor{}, fmt.Errorf("ConfigMap %s/%s: %s: %w", cm.Namespace, cm.Name, key, err)
	}
	if p := cm.Data[anchorPolicy]; p != "" {
		d, err := release.ParseDigest(p)
		if err != nil {
			return fail(anchorPolicy, err)
		}
		a.Policy = d
	}
	if h := cm.Data[anchorHeads]; h != "" {
		if err := json.Unmarshal([]byte(h), &a.Heads); err != nil {
			return fail(anchorHeads, err)
		}
		for _, d := range a.Heads {
			if _, err := release.ParseDigest(string(d)); err != nil {
				return fail(anchorHeads, err)
			}
		}
	}
	return a, nil
}

// PinPolicy makes the namespace trust a first policy and remember the tier of its
// hub, so that no later change can call a production hub a test hub. Pinning the same
// again does nothing; another is refused with *PinnedError. The namespace is made
// when it does not exist.
func PinPolicy(ctx context.Context, c *Client, namespace string, policy release.Digest, tier string) error {
	if _, err := release.ParseDigest(string(policy)); err != nil {
		return fmt.Errorf("pin a policy: %w", err)
	}
	return changeAnchor(ctx, c, namespace, func(a *Anchor) error {
		if a.Policy != "" && (a.Policy != policy || a.Tier != tier) {
			return &PinnedError{Context: c.Context, Namespace: namespace, Pinned: a.Policy, Asked: policy, Tier: a.Tier, AskedTier: tier}
		}
		a.Policy, a.Tier = policy, tier
		return nil
	})
}

// WriteAnchor remembers the heads of the ledger that a deployment to the namespace
// was judged by, in place of the last ones. pinned must be the policy pinned there,
// else *PinnedError.
func WriteAnchor(ctx context.Context, c *Client, namespace string, pinned release.Digest, heads []release.Digest) error {
	return changeAnchor(ctx, c, namespace, func(a *Anchor) error {
		if a.Policy != pinned {
			return &PinnedError{Context: c.Context, Namespace: namespace, Pinned: a.Policy, Asked: pinned}
		}
		a.Heads = slices.Sorted(slices.Values(heads))
		return nil
	})
}

// changeAnchor changes the anchor so that no writer overwrites what it has not seen.
func changeAnchor(ctx context.Context, c *Client, namespace string, change func(*Anchor) error) error {
	if err := c.EnsureNamespace(ctx, namespace); err != nil {
		return err
	}
	maps := c.CoreV1().ConfigMaps(namespace)
	try := func() error {
		cm, err := maps.Get(ctx, anchorName, metav1.GetOptions{})
		absent := apierrors.IsNotFound(err)
		switch {
		case absent:
			cm = &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: anchorName, Namespace: namespace, Labels: managed()}}
		case err != nil:
			return err
		}
		before, err := parseAnchor(cm)
		if err != nil {
			return err
		}
		after := before
		if err := change(&after); err != nil {
			return err
		}
		if !absent && after.Policy == before.Policy && slices.Equal(after.Heads, before.Heads) {
			return nil
		}
		heads, err := json.Marshal(after.Heads)
		if err != nil {
			return err
		}
		if cm.Data == nil {
			cm.Data = map[string]string{}
		}
		cm.Data[anchorPolicy], cm.Data[anchorTier], cm.Data[anchorHeads] = string(after.Policy), after.Tier, string(heads)
		if absent {
			_, err = maps.Create(ctx, cm, metav1.CreateOptions{})
		} else {
			_, err = maps.Update(ctx, cm, metav1.UpdateOptions{})
		}
		return err
	}
	raced := func(err error) bool { return apierrors.IsConflict(err) || apierrors.IsAlreadyExists(err) }
	if err := retry.OnError(retry.DefaultBackoff, raced, try); err != nil {
		return fmt.Errorf("change ConfigMap %s/%s of cluster %s: %w", namespace, anchorName, c.Context, err)
	}
	return nil
}

// managed are the labels of objects that gauntlet makes for itself.
func managed() map[string]string { return map[string]string{ManagedByLabel: ManagedBy} }
