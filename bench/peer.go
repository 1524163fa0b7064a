package main

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"gauntlet/internal/config"
	"gauntlet/lab"
)

const (
	peer     = "bench-helm" // namespace of the hub that helm deploys
	peerPort = 30151
)

// preparePeer brings the peer's hub up with the values that gauntlet gave Helm: the
// digests of the images are filled in.
func (b *bench) preparePeer(ctx context.Context) error {
	o, err := b.ok(ctx, b.helm(b.known.name, "get", "values", hub, "--output", "yaml"))
	if err != nil {
		return err
	}
	b.values = []byte(o.out)
	return b.upgradeOK(ctx, nil)
}

// upgrade is what people run today: helm upgrade of the chart that gauntlet deploys,
// with the same values but for the port and some edits.
func (b *bench) upgrade(ctx context.Context, edits map[string]any, flags ...string) (outcome, error) {
	all := map[string]any{"jupyterhub.proxy.service.nodePort": peerPort}
	maps.Copy(all, edits)
	data, err := config.SetPaths(b.values, all)
	if err != nil {
		return outcome{}, fmt.Errorf("values for helm: %w", err)
	}
	file := filepath.Join(b.work, "values.yaml")
	if err := os.WriteFile(file, data, 0o600); err != nil {
		return outcome{}, err
	}
	return b.run(ctx, b.helm(peer, append([]string{"upgrade", "--install", hub, filepath.Join(b.known.dir, "chart"),
		"--create-namespace", "--wait", "--values", file}, flags...)...))
}

// upgradeOK is an upgrade that must succeed.
func (b *bench) upgradeOK(ctx context.Context, edits map[string]any) error {
	_, err := succeeded(b.upgrade(ctx, edits))
	return err
}

// revisions is how many revisions of the hub Helm has made in a namespace.
func (b *bench) revisions(ctx context.Context, namespace string) (int, error) {
	o, err := b.ok(ctx, b.helm(namespace, "get", "metadata", hub, "--output", "yaml"))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(o.out) {
		var n int
		if _, err := fmt.Sscanf(line, "revision: %d", &n); err == nil {
			return n, nil
		}
	}
	return 0, fmt.Errorf("helm tells no revision of %s/%s", namespace, hub)
}

func (b *bench) helmVersion(ctx context.Context) (string, error) {
	o, err := b.ok(ctx, b.helm(peer, "version", "--template", "{{.Version}}"))
	return strings.TrimSpace(o.out), err
}

// buildctl builds both images side by side and pushes them by digest, as gauntlet
// does, from the same sources with the same options.
func (b *bench) buildctl(ctx context.Context) (time.Duration, error) {
	start := time.Now()
	g, ctx := errgroup.WithContext(ctx)
	for _, image := range []string{"notebook", "worker"} {
		c := command{dir: b.known.dir, argv: []string{filepath.Join(lab.BinDir(), "buildctl"), "build",
			"--frontend", "dockerfile.v0", "--local", "context=images", "--local", "dockerfile=images",
			"--opt", "filename=" + image + "/Dockerfile",
			"--opt", "build-arg:BASE=" + lab.Registry + "/platform/base:bookworm",
			"--secret", "id=ca,src=/etc/ssl/certs/ca-certificates.crt",
			"--output", "type=image,name=" + lab.Registry + "/bench/" + image +
				",push=true,push-by-digest=true,oci-mediatypes=true,compression=zstd"}}
		g.Go(func() error {
			_, err := b.ok(ctx, c)
			return err
		})
	}
	err := g.Wait()
	return time.Since(start), err
}
