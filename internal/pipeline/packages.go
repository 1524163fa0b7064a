package pipeline

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sync/errgroup"

	"gauntlet/internal/declared"
	"gauntlet/internal/ledger"
	"gauntlet/internal/packages"
	"gauntlet/internal/release"
)

// billFile is the name of an image's bill of materials in the artifact of its set.
func billFile(name string) string { return name + ".cdx.json" }

// declaredFile is the name, in the same place, of what its sources declare.
func declaredFile(name string) string { return name + ".declared.json" }

// declared reads what the sources of the images declare, from the folder they are built
// of. Mistakes are told all at once.
func (w *Workspace) declared(dir string) (map[string][]declared.Package, error) {
	out := map[string][]declared.Package{}
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(w.Platform.Images.Build)) {
		for _, file := range w.Platform.Images.Build[name].Declares {
			if !filepath.IsLocal(filepath.FromSlash(file)) {
				errs = append(errs, fmt.Errorf("images.build.%s.declares: %q is not inside the source folder", name, file))
				continue
			}
			data, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(file)))
			if errors.Is(err, os.ErrNotExist) {
				err = fmt.Errorf("images.build.%s.declares: the source has no %s (is it committed?)", name, file)
			}
			if err != nil {
				errs = append(errs, err)
				continue
			}
			list, err := declared.Read(file, data)
			errs = append(errs, err)
			out[name] = append(out[name], list...)
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, &InputError{err}
	}
	return out, nil
}

// keepPackages reads what is installed in the images of a set, and keeps it in the
// ledger: one bill of materials an image, and beside it what its sources declare.
func (w *Workspace) keepPackages(ctx context.Context, set release.ImageSet, said map[string][]declared.Package) (release.Digest, error) {
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
	for _, name := range slices.Sorted(maps.Keys(said)) {
		data, err := json.Marshal(said[name])
		if err != nil {
			return "", err
		}
		a.Layers = append(a.Layers, release.Blob{MediaType: "application/json", Title: declaredFile(name), Data: data})
	}
	if err := w.ledger.PutArtifact(ctx, a); err != nil {
		return "", fmt.Errorf("keep what the images hold: %w", err)
	}
	return a.Digest(), nil
}

// inspect tells the inspector what the builders of the policy found in these images, and
// gives what their sources declare. What they kept no list of, the images tell themselves.
func (w *Workspace) inspect(ctx context.Context, s *sight, set release.ImageSet) (map[string][]declared.Package, error) {
	b, ok := s.builtAs(set.Digest())
	if !ok || b.Packages == "" {
		return nil, nil
	}
	a, err := w.ledger.Artifact(ctx, b.Packages)
	if errors.Is(err, ledger.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	said := map[string][]declared.Package{}
	for name, d := range set.Images {
		if data, ok := a.Layer(declaredFile(name)); ok {
			var list []declared.Package
			if err := json.Unmarshal(data, &list); err != nil {
				return nil, fmt.Errorf("what the sources of image %s declare, as artifact %s of the ledger says: %w", name, b.Packages.Short(), err)
			}
			said[name] = list
		}
		bill, ok := a.Layer(billFile(name))
		if !ok {
			continue
		}
		list, err := packages.FromBill(bill)
		if err != nil {
			return nil, fmt.Errorf("what image %s holds, as artifact %s of the ledger says: %w", name, b.Packages.Short(), err)
		}
		w.inspector.Know(w.ref(name, d), list)
	}
	return said, nil
}
