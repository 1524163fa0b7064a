package image

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"sync"
	"time"

	dockerconfig "github.com/docker/cli/cli/config"
	"github.com/moby/buildkit/client"
	_ "github.com/moby/buildkit/client/connhelper/dockercontainer" // docker-container:// addresses
	_ "github.com/moby/buildkit/client/connhelper/kubepod"         // kube-pod://
	_ "github.com/moby/buildkit/client/connhelper/podmancontainer" // podman-container://
	"github.com/moby/buildkit/identity"
	"github.com/moby/buildkit/session"
	"github.com/moby/buildkit/session/auth/authprovider"
	"github.com/moby/buildkit/session/secrets/secretsprovider"
	"github.com/tonistiigi/fsutil"

	"gauntlet/internal/config"
	"gauntlet/internal/evidence"
	"gauntlet/internal/release"
)

// helloTimeout bounds the first word with buildkitd.
const helloTimeout = 15 * time.Second

// A builder builds images on one buildkitd.
type builder struct {
	*Options
	client  *client.Client
	version string
	secrets []secretsprovider.Source
	auth    session.Attachable

	mu sync.Mutex // around Observe
}

func newBuilder(ctx context.Context, o *Options) (*builder, error) {
	addr := o.BuildKit
	if addr == "" {
		addr = os.Getenv("BUILDKIT_HOST")
	}
	var opts []client.ClientOpt
	if o.Dial != nil {
		addr, opts = "", append(opts, client.WithContextDialer(o.Dial))
	}
	c, err := client.New(ctx, addr, opts...)
	if err != nil {
		return nil, fmt.Errorf("reach BuildKit at %q (environment variable BUILDKIT_HOST): %w", addr, err)
	}
	b := &builder{Options: o, client: c}
	hello, cancel := context.WithTimeout(ctx, helloTimeout)
	defer cancel()
	info, err := c.Info(hello)
	if err != nil {
		b.close()
		switch {
		case o.Dial != nil:
			return nil, fmt.Errorf("BuildKit does not answer in its pod: %w", err)
		case addr == "":
			addr = "its default address"
		}
		return nil, fmt.Errorf("BuildKit does not answer at %s: start buildkitd, set BUILDKIT_HOST to where one runs, or have it run in the workbench (workbench.builder in gauntlet.yaml): %w", addr, err)
	}
	b.version = info.BuildkitVersion.Version
	for _, s := range o.Images.Secrets {
		path := s.File
		if !filepath.IsAbs(path) {
			path = filepath.Join(o.Dir, path)
		}
		b.secrets = append(b.secrets, secretsprovider.Source{ID: s.ID, FilePath: path})
	}
	docker, err := dockerconfig.Load(dockerconfig.Dir())
	if err != nil {
		b.close()
		return nil, fmt.Errorf("read the logins that docker keeps: %w", err)
	}
	b.auth = authprovider.NewDockerAuthProvider(authprovider.DockerAuthProviderConfig{
		AuthConfigProvider: authprovider.LoadAuthConfig(docker),
	})
	return b, nil
}

func (b *builder) close() { _ = b.client.Close() }

// made is one image as it was built.
type made struct {
	digest   release.Digest
	resolved []evidence.Descriptor
}

// one builds and pushes one image; base is the reference of the image of the set
// it is built on, if any.
func (b *builder) one(ctx context.Context, name string, spec config.Build, base string) (made, error) {
	dir, dockerfile, cleanup, err := buildContext(b.Source, spec)
	if err != nil {
		return made{}, fmt.Errorf("image %s: %w", name, err)
	}
	defer cleanup()
	files, err := fsutil.NewFS(dir)
	if err != nil {
		return made{}, fmt.Errorf("image %s: read the build context: %w", name, err)
	}
	secrets, err := secretsprovider.NewStore(b.secrets)
	if err != nil {
		return made{}, fmt.Errorf("image %s: read the files of images.secrets: %w", name, err)
	}
	args := b.arguments(spec)
	attrs := map[string]string{"filename": dockerfile}
	for k, v := range args {
		attrs["build-arg:"+k] = v
	}
	dockerfiles := files
	if base != "" {
		rewritten, remove, err := b.rewrite(filepath.Join(dir, dockerfile), dockerfile, args, base)
		if err != nil {
			return made{}, fmt.Errorf("image %s has `from: %s` in gauntlet.yaml, but its Dockerfile cannot be built on it: %s: %w", name, spec.From, spec.Dockerfile, err)
		}
		defer remove()
		if dockerfiles, err = fsutil.NewFS(rewritten); err != nil {
			return made{}, fmt.Errorf("image %s: read its Dockerfile: %w", name, err)
		}
	}

	p, ref := newProgress(name, b.tell), identity.NewID()
	status := make(chan *client.SolveStatus)
	read := make(chan struct{})
	go func() {
		defer close(read)
		for s := range status { // Solve closes it
			p.update(s)
		}
	}()
	res, err := b.client.Solve(ctx, nil, client.SolveOpt{
		Ref:           ref,
		Frontend:      "dockerfile.v0",
		FrontendAttrs: attrs,
		LocalMounts:   map[string]fsutil.FS{"context": files, "dockerfile": dockerfiles},
		Session:       []session.Attachable{b.auth, secretsprovider.NewSecretProvider(secrets)},
		Exports: []client.ExportEntry{{
			Type: client.ExporterImage,
			Attrs: map[string]string{
				"name":           b.Registry + "/" + name,
				"push":           "true",
				"push-by-digest": "true",
				"oci-mediatypes": "true",
				"compression":    "zstd",
			},
		}},
	}, status)
	<-read
	if err != nil {
		if ctx.Err() != nil {
			return made{}, context.Cause(ctx)
		}
		return made{}, p.failure(spec.Dockerfile, err)
	}
	d, err := release.ParseDigest(res.ExporterResponse["containerimage.digest"])
	if err != nil {
		return made{}, fmt.Errorf("image %s: BuildKit pushed it and told no digest: %w", name, err)
	}
	if base != "" {
		if err := builtOn(ctx, Ref(b.Registry, name, d), base); err != nil {
			return made{}, fmt.Errorf("image %s has `from: %s` in gauntlet.yaml, but %s does not build on it: %w", name, spec.From, spec.Dockerfile, err)
		}
	}
	deps, err := resolved(ctx, b.client, ref)
	if err != nil {
		return made{}, fmt.Errorf("image %s: BuildKit does not say what it was built from: %w", name, err)
	}
	b.tell(name, fmt.Sprintf("built and pushed %s in %s", d.Short(), time.Since(p.start).Round(100*time.Millisecond)))
	return made{d, deps}, nil
}

// rewrite writes a Dockerfile that is built on base, and what is ignored for it, into a
// folder of its own, under the same name.
func (b *builder) rewrite(file, name string, args map[string]string, base string) (dir string, remove func(), err error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return "", nil, err
	}
	if text, err = buildOn(text, args, base); err != nil {
		return "", nil, err
	}
	if dir, err = os.MkdirTemp("", "gauntlet-dockerfile-"); err != nil {
		return "", nil, err
	}
	remove = func() { _ = os.RemoveAll(dir) }
	to := filepath.Join(dir, filepath.FromSlash(name))
	if err = os.MkdirAll(filepath.Dir(to), 0o755); err == nil {
		err = os.WriteFile(to, text, 0o644)
	}
	const ignore = ".dockerignore"
	if _, e := os.Stat(file + ignore); err == nil && e == nil {
		err = copyFile(file+ignore, to+ignore)
	}
	if err != nil {
		remove()
		return "", nil, err
	}
	return dir, remove, nil
}

// arguments are the build arguments of one image: its own over those of all.
func (b *builder) arguments(spec config.Build) map[string]string {
	args := map[string]string{}
	if b.Images.Base != "" {
		args["BASE"] = b.Images.Base
	}
	maps.Copy(args, b.Images.Args)
	maps.Copy(args, spec.Args)
	return args
}

func (b *builder) tell(image, text string) {
	if b.Observe == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.Observe(image, text)
}

// buildContext is the folder a build sees, and its Dockerfile's path in there.
func buildContext(source string, spec config.Build) (dir, dockerfile string, cleanup func(), err error) {
	if len(spec.Prepare) == 0 {
		return source, filepath.ToSlash(spec.Dockerfile), func() {}, nil
	}
	dir, err = os.MkdirTemp("", "gauntlet-context-")
	if err != nil {
		return "", "", nil, fmt.Errorf("make a folder for the build context: %w", err)
	}
	cleanup = func() { _ = os.RemoveAll(dir) }
	if err := os.CopyFS(dir, os.DirFS(filepath.Join(source, filepath.Dir(spec.Dockerfile)))); err != nil {
		cleanup()
		return "", "", nil, fmt.Errorf("copy the folder of %s: %w", spec.Dockerfile, err)
	}
	for _, f := range spec.Prepare {
		if err := copyFile(filepath.Join(source, f), filepath.Join(dir, filepath.Base(f))); err != nil {
			cleanup()
			return "", "", nil, fmt.Errorf("copy %s beside %s: %w", f, spec.Dockerfile, err)
		}
	}
	return dir, filepath.Base(spec.Dockerfile), cleanup, nil
}

func copyFile(from, to string) error {
	info, err := os.Stat(from)
	if err != nil {
		return err
	}
	data, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	if err := os.WriteFile(to, data, info.Mode().Perm()); err != nil {
		return err
	}
	return os.Chmod(to, info.Mode().Perm()) // also when the folder had one of that name
}

// builtOn checks that an image begins with all layers of another.
func builtOn(ctx context.Context, ref, base string) error {
	var diffs [2][]string
	for i, r := range []string{base, ref} {
		_, img, err := open(ctx, r)
		if err != nil {
			return err
		}
		cfg, err := img.ConfigFile()
		if err != nil {
			return err
		}
		for _, h := range cfg.RootFS.DiffIDs {
			diffs[i] = append(diffs[i], h.String())
		}
	}
	for i, h := range diffs[0] {
		if i >= len(diffs[1]) || diffs[1][i] != h {
			return fmt.Errorf("layer %d of %d differs", i+1, len(diffs[0]))
		}
	}
	return nil
}
