package pipeline

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"golang.org/x/sync/errgroup"

	"gauntlet/internal/config"
	"gauntlet/internal/evidence"
	"gauntlet/internal/ledger"
	"gauntlet/internal/packages"
	"gauntlet/internal/release"
)

// billFile is the name of an image's bill of materials in the artifact of its set.
func billFile(name string) string { return name + ".cdx.json" }

// keepPackages reads what is installed in the images of a set, and keeps it in the
// ledger: one bill of materials an image.
func (w *Workspace) keepPackages(ctx context.Context, set release.ImageSet) (release.Digest, error) {
	defer w.waiting("build", "", "reading what the images hold")()
	names := slices.Sorted(maps.Keys(set.Images))
	a := release.Artifact{Type: release.TypePackages, Config: []byte("{}"), Layers: make([]release.Blob, len(names))}
	g, reading := errgroup.WithContext(ctx)
	for i, name := range names {
		g.Go(func() error {
			ref := w.ref(name, set.Images[name])
			list, err := w.inspector.Packages(reading, ref)
			if err != nil {
				return err
			}
			bill, err := packages.Bill(ref, list)
			a.Layers[i] = release.Blob{MediaType: packages.BillType, Title: billFile(name), Data: bill}
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return "", fmt.Errorf("list what the images hold: %w", err)
	}
	if err := w.ledger.PutArtifact(ctx, a); err != nil {
		return "", fmt.Errorf("keep what the images hold: %w", err)
	}
	return a.Digest(), nil
}

// inspect tells the inspector what the builders of the policy found in these images.
// What they kept no list of, the images tell themselves.
func (w *Workspace) inspect(ctx context.Context, s *sight, set release.ImageSet) error {
	b, ok := s.builtAs(set.Digest())
	if !ok || b.Packages == "" {
		return nil
	}
	a, err := w.ledger.Artifact(ctx, b.Packages)
	if errors.Is(err, ledger.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	for name, d := range set.Images {
		bill, ok := a.Layer(billFile(name))
		if !ok {
			continue
		}
		list, err := packages.FromBill(bill)
		if err != nil {
			return fmt.Errorf("what image %s holds, as artifact %s of the ledger says: %w", name, b.Packages.Short(), err)
		}
		w.inspector.Know(w.ref(name, d), list)
	}
	return nil
}

// builtAs is the newest build of an image set by a builder of the policy.
func (s *sight) builtAs(set release.Digest) (evidence.Build, bool) {
	for _, r := range slices.Backward(s.view.Records) {
		if r.Type != evidence.BuildType || !r.About(evidence.ImageSet, set) || !s.is(r.Signer, config.RoleBuilder) {
			continue
		}
		if b, err := evidence.Decode[evidence.Build](r); err == nil {
			return b, true
		}
	}
	return evidence.Build{}, false
}
