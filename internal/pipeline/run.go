package pipeline

import (
	"context"
	"fmt"

	"gauntlet/internal/evidence"
	"gauntlet/internal/release"
)

// BuildOptions are how images are built and tested.
type BuildOptions struct {
	Again bool // test images that have passed before once more
	// Dirty takes the working tree as it is, with what no commit holds. What is made of
	// it may enter the first tier alone, and its label says so.
	Dirty bool
}

// Run carries the checkout's change as far as the gates allow, at most into tier
// to ("" for all, or the first of a tree that no commit holds). It returns the release
// it carried, also together with an error once there is one, and the tier it stopped
// after, "" for the last.
func (w *Workspace) Run(ctx context.Context, to string, build BuildOptions, o DeployOptions) (id release.Digest, passed string, err error) {
	s, c, err := w.begin(ctx, build.Dirty)
	if err != nil {
		return "", "", err
	}
	if to != "" {
		if _, err := s.tier(to); err != nil {
			return "", "", err
		}
	}
	if first := s.policy.Tiers[0].Name; c.dirty || c.images.dirty {
		if to != "" && to != first {
			return "", "", inputf("the working tree has changes that no commit holds, and only %s takes those: commit them, or leave out --to", first)
		}
		to = first
	}
	b, err := w.build(ctx, s, c)
	if err != nil {
		return "", "", err
	}
	contents, err := w.makeRelease(ctx, s, c, b)
	if err != nil {
		return "", "", err
	}
	id = contents.Digest()
	if err := w.test(ctx, s, c, b, build.Again); err != nil {
		return id, "", err
	}
	if err := w.render(ctx, s, contents); err != nil {
		return id, "", err
	}
	for _, tier := range s.policy.Tiers {
		if err := w.enter(ctx, id, tier, o); err != nil {
			return id, "", err
		}
		if tier.Name == to {
			break
		}
	}
	return id, to, nil
}

// Build builds the checkout's images, tests them and pairs them; it deploys nothing.
func (w *Workspace) Build(ctx context.Context, o BuildOptions) (evidence.Build, error) {
	s, c, err := w.begin(ctx, o.Dirty)
	if err != nil {
		return evidence.Build{}, err
	}
	c.request = nil // building is for the images of this commit
	b, err := w.build(ctx, s, c)
	if err != nil {
		return evidence.Build{}, err
	}
	return b, w.test(ctx, s, c, b, o.Again)
}

// begin reads everything that can be wrong before anything is done.
func (w *Workspace) begin(ctx context.Context, dirty bool) (*sight, *checkout, error) {
	if _, err := w.signer(); err != nil {
		return nil, nil, err
	}
	c, err := w.checkout(ctx, dirty)
	if err != nil {
		return nil, nil, err
	}
	s, err := w.look(ctx, "")
	if err != nil {
		return nil, nil, fmt.Errorf("before anything is built: %w", err)
	}
	return s, c, nil
}
