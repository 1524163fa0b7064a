package pipeline

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"gauntlet/internal/config"
	"gauntlet/internal/evidence"
	"gauntlet/internal/kube"
	"gauntlet/internal/ledger"
	"gauntlet/internal/release"
)

// policyFile reads and checks the policy that the checkout proposes.
func (w *Workspace) policyFile() ([]byte, *config.Policy, error) {
	name := w.Platform.Policy
	text, err := w.read(name, "the policy")
	if err != nil {
		return nil, nil, err
	}
	p, err := config.ParsePolicy(name, text)
	if err != nil {
		return nil, nil, &InputError{err}
	}
	if err := errors.Join(config.Check(w.Platform, p), w.checkSuites(p)); err != nil {
		return nil, nil, &InputError{err}
	}
	return text, p, nil
}

// ConfigCheck reads everything that a run would read, and the policy file, and
// reports all that is wrong with them. It contacts nothing but the repository of a
// chart that is not in the cache yet.
func (w *Workspace) ConfigCheck(ctx context.Context) error {
	_, _, err := w.policyFile()
	c := &checkout{values: map[string]release.Values{}, secrets: map[string][]release.File{}}
	return errors.Join(err, w.readFiles(ctx, c))
}

// PolicyInit makes policy.yaml the first policy of the ledger and pins it in the
// namespaces of the workbench and of every hub. Doing it again changes nothing;
// another first policy is refused.
func (w *Workspace) PolicyInit(ctx context.Context) (release.Digest, error) {
	key, err := w.signer()
	if err != nil {
		return "", err
	}
	text, p, err := w.policyFile()
	if err != nil {
		return "", err
	}
	s := &sight{policy: *p}
	if name, who, ok := s.person(key.ID()); !ok || !slices.Contains(who.Roles, config.RoleBoard) {
		return "", inputf("the first policy is set by one of its own board: %s gives key %s (%q) no role %s", w.Platform.Policy, key.ID(), name, config.RoleBoard)
	}
	digest := evidence.PolicyArtifact(text).Digest()
	known, err := w.holdsPolicy(ctx, digest)
	if err != nil {
		return "", fmt.Errorf("read the ledger %s: %w", w.Platform.Ledger, err)
	}
	if !known {
		if err := w.change(ctx, text, ""); err != nil {
			return "", err
		}
	}
	return digest, w.pin(ctx, digest)
}

// holdsPolicy says whether a statement of the ledger brings a policy. Without a
// pinned policy every statement counts as absent, so it is looked for there.
func (w *Workspace) holdsPolicy(ctx context.Context, digest release.Digest) (bool, error) {
	view, err := w.ledger.Read(ctx, "")
	if err != nil {
		return false, err
	}
	for _, r := range view.Rejected {
		if r.Type == evidence.PolicyType && r.About(evidence.Policy, digest) {
			return true, nil
		}
	}
	return false, nil
}

// PolicyPin pins a first policy ("" for the workbench's) in the namespaces of hubs
// that have none yet: for a hub or a cluster that joined later.
func (w *Workspace) PolicyPin(ctx context.Context, digest release.Digest) (release.Digest, error) {
	if digest == "" {
		s, err := w.look(ctx, "")
		if err != nil {
			return "", err
		}
		digest = s.pinned
	}
	return digest, w.pin(ctx, digest)
}

func (w *Workspace) pin(ctx context.Context, digest release.Digest) error {
	type place struct{ context, namespace, tier string }
	places := []place{{w.Platform.Workbench.Context, w.Platform.Workbench.Namespace, ""}}
	for _, n := range w.hubNames("") {
		h := w.Platform.Hubs[n]
		places = append(places, place{h.Cluster, h.Namespace, h.Tier})
	}
	for _, p := range places {
		err := w.pinAt(ctx, p.context, p.namespace, digest, p.tier)
		var other *kube.PinnedError
		if errors.As(err, &other) && other.Pinned == other.Asked {
			return &InputError{err}
		}
		if errors.As(err, &other) {
			return inputf("another first policy is in force (%w); to change it: gauntlet policy propose", err)
		}
		if err != nil {
			return fmt.Errorf("pin the policy in cluster %s: %w", p.context, err)
		}
	}
	return nil
}

// pinTimeout bounds the pinning in one namespace, which may have to be made.
const pinTimeout = time.Minute

func (w *Workspace) pinAt(ctx context.Context, context, namespace string, digest release.Digest, tier string) error {
	defer w.waiting("policy", "", fmt.Sprintf("pinning in cluster %s, namespace %s", context, namespace))()
	c, err := w.clients.get(context)
	if err != nil {
		return err
	}
	ctx, cancel := bounded(ctx, pinTimeout)
	defer cancel()
	return because(ctx, kube.PinPolicy(ctx, c, namespace, digest, tier))
}

// PolicyPropose proposes the checkout's policy.yaml in place of the policy in
// force, whose board accepts it.
func (w *Workspace) PolicyPropose(ctx context.Context) (release.Digest, error) {
	if _, err := w.signer(); err != nil {
		return "", err
	}
	text, _, err := w.policyFile()
	if err != nil {
		return "", err
	}
	s, err := w.look(ctx, "")
	if err != nil {
		return "", err
	}
	digest := evidence.PolicyArtifact(text).Digest()
	if digest == s.digest {
		return "", inputf("%s is the policy in force already", w.Platform.Policy)
	}
	return digest, w.change(ctx, text, s.digest)
}

// change keeps a policy's text and records what it is meant to replace.
func (w *Workspace) change(ctx context.Context, text []byte, previous release.Digest) error {
	if err := w.ledger.PutArtifact(ctx, evidence.PolicyArtifact(text)); err != nil {
		return fmt.Errorf("keep the policy: %w", err)
	}
	return w.record(ctx, nil, ledger.Statement{
		Type:      evidence.PolicyType,
		Subjects:  []evidence.Subject{{Kind: evidence.Policy, Digest: evidence.PolicyArtifact(text).Digest()}},
		Predicate: evidence.PolicyChange{Previous: previous, Text: string(text)},
	})
}

// PolicyAccept records a board member's word for a proposed policy, and says whether
// it is in force now or how many more words it takes. Saying it twice changes nothing.
func (w *Workspace) PolicyAccept(ctx context.Context, ref string) (release.Digest, string, error) {
	key, err := w.signer()
	if err != nil {
		return "", "", err
	}
	s, err := w.look(ctx, "")
	if err != nil {
		return "", "", err
	}
	name, _, _ := s.person(key.ID())
	if !s.is(key.ID(), config.RoleBoard) {
		return "", "", inputf("a policy is accepted by the board of the one in force (%s): key %s (%q) is not of it", s.digest.Short(), key.ID(), name)
	}
	p, err := findProposal(s.view.Proposals, s.digest, ref)
	if err != nil {
		return "", "", err
	}
	if !slices.Contains(p.Approvals, name) {
		err := w.record(ctx, nil, ledger.Statement{
			Type:      evidence.ApprovalType,
			Subjects:  []evidence.Subject{{Kind: evidence.Policy, Digest: p.Digest}},
			Predicate: evidence.Approval{Tier: evidence.PolicyTier, Policy: s.digest},
		})
		if err != nil {
			return "", "", err
		}
		p.Approvals = append(p.Approvals, name)
	}
	if n := len(p.Approvals); n < p.Needed {
		return p.Digest, fmt.Sprintf("%s accepts policy %s: %d of %d of the board have", name, p.Digest.Short(), n, p.Needed), nil
	}
	return p.Digest, fmt.Sprintf("%s accepts policy %s: it is in force", name, p.Digest.Short()), nil
}

// findProposal is the one proposal in place of a policy whose digest begins so.
func findProposal(proposals []ledger.Proposal, of release.Digest, ref string) (ledger.Proposal, error) {
	var found []ledger.Proposal
	var names []string
	for _, p := range proposals {
		names = append(names, p.Digest.Short())
		if hasPrefix(p.Digest, ref) {
			found = append(found, p)
		}
	}
	switch {
	case len(found) == 1:
		return found[0], nil
	case len(names) == 0:
		return ledger.Proposal{}, inputf("no policy is proposed in place of %s: `gauntlet policy propose` proposes the checkout's", of.Short())
	}
	return ledger.Proposal{}, inputf("%q names %d of the policies proposed in place of %s: they are %s", ref, len(found), of.Short(), strings.Join(names, ", "))
}

// PolicyShow is the policy in force.
func (w *Workspace) PolicyShow(ctx context.Context) (release.Digest, string, error) {
	s, err := w.look(ctx, "")
	if err != nil {
		return "", "", err
	}
	a, err := w.ledger.Artifact(ctx, s.digest)
	if err != nil {
		return "", "", err
	}
	return s.digest, string(a.Config), nil
}
