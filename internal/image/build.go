package image

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"gauntlet/internal/config"
	"gauntlet/internal/evidence"
	"gauntlet/internal/release"
)

// Options of a build.
type Options struct {
	Registry string // images are pushed to REGISTRY/NAME
	Images   config.Images
	Source   string // folder with the sources: images.source, best as git.Export wrote it
	Dir      string // folder that the files of images.secrets are relative to
	BuildKit string // address of buildkitd; "" takes BUILDKIT_HOST, or buildctl's default
	// Dial, when not nil, connects to a buildkitd that has no address: see StartBuilder.
	Dial func(ctx context.Context, address string) (net.Conn, error)
	// Observe, which may be nil, is told when a step of an image begins and ends, in
	// one line. It is called from several goroutines, one call at a time.
	Observe func(image, text string)
}

// Built is what a build made.
type Built struct {
	Set      release.ImageSet
	Resolved map[string][]evidence.Descriptor // image to what BuildKit fetched for it, by digest
	BuildKit string                           // version of BuildKit
}

// Build builds all images side by side and pushes them by digest, then writes
// the digests of workers into the notebooks they belong to. No tag is touched:
// that is for Tag, once the set has passed its test. The first image that fails
// stops the others; the error is then a *BuildError.
//
// The build context of an image is the source folder. With `prepare` it is the
// folder of its Dockerfile, with the named files of the source folder beside the
// Dockerfile. An image with `from` is built on that image as it was just built,
// whatever the FROM that its last stage rests on names. `images.base`, when set, is the
// build argument BASE unless `args` has one; an image's own args win over those of all.
func Build(ctx context.Context, o Options) (Built, error) {
	if err := o.check(); err != nil {
		return Built{}, err
	}
	b, err := newBuilder(ctx, &o)
	if err != nil {
		return Built{}, err
	}
	defer b.close()

	images, err := b.all(ctx)
	if err != nil {
		return Built{}, err
	}
	out := Built{Set: release.ImageSet{Images: map[string]release.Digest{}}, Resolved: map[string][]evidence.Descriptor{}, BuildKit: b.version}
	for name, m := range images {
		out.Set.Images[name], out.Resolved[name] = m.digest, m.resolved
	}
	for _, p := range o.Images.Pairs {
		if p.Template == "" && p.Environment == "" {
			continue
		}
		d, err := nameWorker(ctx, Ref(o.Registry, p.Notebook, out.Set.Images[p.Notebook]), p, Ref(o.Registry, p.Worker, images[p.Worker].digest))
		if err != nil {
			return Built{}, fmt.Errorf("write the digest of %s into %s: %w", p.Worker, p.Notebook, err)
		}
		out.Set.Images[p.Notebook] = d
	}
	return out, nil
}

// all builds every image, each as soon as the one it is built on is there.
func (b *builder) all(ctx context.Context) (map[string]*made, error) {
	done := map[string]chan struct{}{}
	images := map[string]*made{}
	for name := range b.Images.Build {
		done[name] = make(chan struct{})
		images[name] = new(made)
	}
	g, ctx := errgroup.WithContext(ctx)
	for name, spec := range b.Images.Build {
		g.Go(func() error {
			base := ""
			if spec.From != "" {
				select {
				case <-ctx.Done():
					return context.Cause(ctx)
				case <-done[spec.From]:
				}
				base = Ref(b.Registry, spec.From, images[spec.From].digest)
			}
			m, err := b.one(ctx, name, spec, base)
			if err != nil {
				return err
			}
			*images[name] = m
			close(done[name])
			return nil
		})
	}
	return images, g.Wait()
}

// check finds what would make a build hang or read outside its folder; what else
// may be wrong with a configuration is for package config to say.
func (o *Options) check() error {
	if len(o.Images.Build) == 0 {
		return errors.New("images.build in gauntlet.yaml names no image: there is nothing to build")
	}
	for _, name := range slices.Sorted(maps.Keys(o.Images.Build)) {
		spec := o.Images.Build[name]
		for _, p := range slices.Concat([]string{spec.Dockerfile}, spec.Prepare, spec.Declares) {
			if !filepath.IsLocal(p) {
				return fmt.Errorf("images.build.%s in gauntlet.yaml: %q is not inside the source folder", name, p)
			}
			if _, err := os.Stat(filepath.Join(o.Source, p)); err != nil {
				return fmt.Errorf("images.build.%s in gauntlet.yaml: %s is not in the source folder %s (is it committed?)", name, p, o.Images.Source)
			}
		}
		chain := []string{name}
		for at := spec.From; at != ""; at = o.Images.Build[at].From {
			if _, ok := o.Images.Build[at]; !ok {
				return fmt.Errorf("images.build.%s in gauntlet.yaml: from names %q, which is no image of images.build", chain[len(chain)-1], at)
			}
			if slices.Contains(chain, at) {
				return fmt.Errorf("images.build.%s in gauntlet.yaml is built on itself: %s", name, strings.Join(append(chain, at), " from "))
			}
			chain = append(chain, at)
		}
	}
	for _, p := range o.Images.Pairs {
		for _, name := range []string{p.Notebook, p.Worker} {
			if _, ok := o.Images.Build[name]; !ok {
				return fmt.Errorf("images.pairs in gauntlet.yaml names %q, which is no image of images.build", name)
			}
		}
		if (p.Template != "" || p.Environment != "") && p.Notebook == p.Worker {
			return fmt.Errorf("images.pairs in gauntlet.yaml: %s cannot hold its own digest: leave out template and environment when notebook and worker are one image", p.Notebook)
		}
	}
	return nil
}
