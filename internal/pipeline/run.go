package pipeline

import (
	"context"
	"fmt"

	"gauntlet/internal/evidence"
	"gauntlet/internal/release"
)

// Run carries the checkout's change as far as the gates allow, at most into tier
// to ("" for all). It returns the release it carried, also together with an error
// once there is one. again tests images that have passed before once more.
func (w *Workspace) Run(ctx context.Context, to string, again bool, o DeployOptions) (release.Digest, error) {
	s, c, err := w.begin(ctx)
	if err != nil {
		return "", err
	}
	if to != "" {
		if _, err := s.tier(to); err != nil {
			return "", err
		}
	}
	b, err := w.build(ctx, s, c)
	if err != nil {
		return "", err
	}
	contents, err := w.makeRelease(ctx, s, c, b)
	if err != nil {
		return "", err
	}
	id := contents.Digest()
	if err := w.test(ctx, s, b, again); err != nil {
		return id, err
	}
	if err := w.render(ctx, s, contents); err != nil {
		return id, err
	}
	for _, tier := range s.policy.Tiers {
		if err := w.enter(ctx, id, tier, o); err != nil {
			return id, err
		}
		if tier.Name == to {
			break
		}
	}
	return id, nil
}

// Build builds the checkout's images, tests them and pairs them; it deploys nothing.
// again is as for Run.
func (w *Workspace) Build(ctx context.Context, again bool) (evidence.Build, error) {
	s, c, err := w.begin(ctx)
	if err != nil {
		return evidence.Build{}, err
	}
	c.request = nil // building is for the images of this commit
	b, err := w.build(ctx, s, c)
	if err != nil {
		return evidence.Build{}, err
	}
	return b, w.test(ctx, s, b, again)
}

// begin reads everything that can be wrong before anything is done.
func (w *Workspace) begin(ctx context.Context) (*sight, *checkout, error) {
	if _, err := w.signer(); err != nil {
		return nil, nil, err
	}
	c, err := w.checkout(ctx)
	if err != nil {
		return nil, nil, err
	}
	s, err := w.look(ctx, "")
	if err != nil {
		return nil, nil, fmt.Errorf("before anything is built: %w", err)
	}
	return s, c, nil
}
