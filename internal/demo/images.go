package demo

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"

	"github.com/google/go-containerregistry/pkg/compression"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"gauntlet/internal/config"
	"gauntlet/internal/image"
	"gauntlet/internal/release"
	"gauntlet/lab"
)

// registry is where the example keeps its images.
const registry = lab.Registry + "/platform"

// prepareImages makes what the platform stands on and gauntlet does not build: a
// base image from Debian and the hub's image. Both are made once, and again when
// their recipe changes.
func (d *Demo) prepareImages(ctx context.Context) error {
	return PrepareImages(ctx, d.opts.Example, d.title, d.progress)
}

// PrepareImages makes the base and the hub image of the example platform in the
// lab's registry, unless they are there, made by the same recipes.
func PrepareImages(ctx context.Context, example string, title func(string, ...any), progress func(string)) error {
	if err := makeBase(ctx, filepath.Join(example, "images", "base", "build.sh"), title); err != nil {
		return fmt.Errorf("make the base image: %w", err)
	}
	if err := makeHub(ctx, example, title, progress); err != nil {
		return fmt.Errorf("make the hub image: %w", err)
	}
	return nil
}

func makeBase(ctx context.Context, script string, title func(string, ...any)) error {
	const suite = "bookworm"
	recipe, err := fingerprint(script)
	if err != nil {
		return err
	}
	recipe += "-2" // how the image is made of the root file system
	ref := registry + "/base"
	if d, err := present(ctx, ref, "recipe-"+recipe); err != nil || d != "" {
		return err
	}
	title("the base image, from Debian packages (about a minute)")
	dir, err := os.MkdirTemp("", "gauntlet-base-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	rootfs := filepath.Join(dir, "rootfs.tar")
	cmd := exec.CommandContext(ctx, "/bin/bash", script, rootfs, suite)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", script, err, out)
	}
	layer, err := tarball.LayerFromFile(rootfs, tarball.WithCompression(compression.ZStd), tarball.WithMediaType(types.OCILayerZStd))
	if err != nil {
		return err
	}
	img, err := mutate.AppendLayers(mutate.MediaType(empty.Image, types.OCIManifestSchema1), layer)
	if err != nil {
		return err
	}
	config, err := img.ConfigFile()
	if err != nil {
		return err
	}
	config = config.DeepCopy()
	config.OS, config.Architecture = "linux", runtime.GOARCH
	config.Config = v1.Config{Env: []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}, Cmd: []string{"bash"}}
	if img, err = mutate.ConfigFile(img, config); err != nil {
		return err
	}
	for _, tag := range []string{suite, "recipe-" + recipe} { // the recipe last: it says that all is there
		t, err := name.NewTag(ref + ":" + tag)
		if err != nil {
			return err
		}
		if err := remote.Write(t, img, remote.WithContext(ctx)); err != nil {
			return fmt.Errorf("push %s: %w", t, err)
		}
	}
	return nil
}

func makeHub(ctx context.Context, example string, title func(string, ...any), progress func(string)) error {
	_, err := makeImage(ctx, made{
		name: "hub", example: example, title: "the hub image: JupyterHub, KubeSpawner and the proxy (about a minute)",
		recipe: []string{filepath.Join(example, "hub")},
		tag:    func() (string, error) { return hubTag(example) },
	}, title, progress)
	return err
}

// made is an image of the example that no release of gauntlet's carries.
type made struct {
	name    string // of the image, and of the folder of its Dockerfile
	example string
	title   string
	recipe  []string // files and folders that it is made of, beside the installer
	tag     func() (string, error)
}

// makeImage builds an image, unless the registry holds one of the same recipe, and tags
// it with its name for people, when it has one.
func makeImage(ctx context.Context, m made, title func(string, ...any), progress func(string)) (release.Digest, error) {
	recipe, err := fingerprint(append(m.recipe, filepath.Join(m.example, "images", "installer.lock"), filepath.Join(m.example, "images", "install.sh"))...)
	if err != nil {
		return "", err
	}
	ref := registry + "/" + m.name
	if d, err := present(ctx, ref, "recipe-"+recipe); err != nil || d != "" {
		return d, err
	}
	title(m.title)
	built, err := image.Build(ctx, image.Options{
		Registry: registry, Source: m.example, Dir: m.example, BuildKit: lab.BuildkitAddr(),
		Images: config.Images{
			Args:    map[string]string{"BASE": registry + "/base:bookworm"},
			Secrets: []config.BuildSecret{{ID: "ca", File: "/etc/ssl/certs/ca-certificates.crt"}},
			Build:   map[string]config.Build{m.name: {Dockerfile: m.name + "/Dockerfile"}},
		},
		Observe: func(_, text string) { progress(text) },
	})
	if err != nil {
		return "", err
	}
	tags := []string{"recipe-" + recipe}
	if m.tag != nil {
		tag, err := m.tag()
		if err != nil {
			return "", err
		}
		tags = []string{tag, tags[0]} // the recipe last: it says that all is there
	}
	digest := built.Set.Images[m.name]
	for _, tag := range tags {
		if err := retag(ctx, image.Ref(registry, m.name, digest), ref+":"+tag); err != nil {
			return "", err
		}
	}
	return digest, nil
}

// hubTag is the tag of the hub's image that the chart asks for.
func hubTag(example string) (string, error) {
	return tagIn(filepath.Join(example, "chart", "values.yaml"), "jupyterhub.hub.image.tag")
}

// tagIn is the tag at a path of a values file.
func tagIn(file, path string) (string, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	v, err := release.ParseValues(file, data)
	if err != nil {
		return "", err
	}
	tag, ok := v.Get(path)
	s, isText := tag.(string)
	if !ok || !isText || s == "" {
		return "", fmt.Errorf("%s: %s is no text", file, path)
	}
	return s, nil
}

// retag points a tag at an image, also when it named another: the hub image's tag
// is the example's own and no release's.
func retag(ctx context.Context, ref, tag string) error {
	from, err := name.NewDigest(ref)
	if err != nil {
		return err
	}
	to, err := name.NewTag(tag)
	if err != nil {
		return err
	}
	desc, err := remote.Get(from, remote.WithContext(ctx))
	if err != nil {
		return err
	}
	return remote.Tag(to, desc, remote.WithContext(ctx))
}

// present is the digest that a tag names, "" when the registry does not hold it.
func present(ctx context.Context, repo, tag string) (release.Digest, error) {
	d, err := image.Resolve(ctx, repo, tag)
	var missing *image.NotFoundError
	if errors.As(err, &missing) {
		return "", nil
	}
	return d, err
}

// progress prints a line of something long.
func (d *Demo) progress(text string) { fmt.Fprintf(d.opts.Out, "    %s\n", text) }
