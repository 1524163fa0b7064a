package rig

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"

	"gauntlet/internal/config"
)

// A Peer is a hub that plain helm deploys: the same chart and values as a platform's,
// but for the port.
type Peer struct {
	Namespace string

	rig    *Rig
	of     *Platform
	port   int
	values []byte
}

// NewPeer brings a peer up beside a platform whose hub runs, with the values that
// gauntlet gave Helm: the digests of the images are filled in.
func (r *Rig) NewPeer(ctx context.Context, namespace string, port int, of *Platform) (*Peer, error) {
	p := &Peer{Namespace: namespace, rig: r, of: of, port: port}
	r.namespaces = append(r.namespaces, namespace)
	r.Say("preparing the same hub under helm")
	if err := r.remove(ctx, namespace); err != nil { // what a killed run left
		return nil, err
	}
	o, err := r.OK(ctx, r.Helm(of.Name, "get", "values", Hub, "--output", "yaml"))
	if err != nil {
		return nil, err
	}
	p.values = []byte(o.Out)
	_, err = Succeeded(p.Upgrade(ctx, nil))
	return p, err
}

// Upgrade is what people run today: helm upgrade of the chart that gauntlet deploys,
// with the same values but for the port and some edits.
func (p *Peer) Upgrade(ctx context.Context, edits map[string]any, flags ...string) (Outcome, error) {
	all := map[string]any{"jupyterhub.proxy.service.nodePort": p.port}
	maps.Copy(all, edits)
	data, err := config.SetPaths(p.values, all)
	if err != nil {
		return Outcome{}, fmt.Errorf("values for helm: %w", err)
	}
	file := filepath.Join(p.rig.Work, p.Namespace+"-values.yaml")
	if err := os.WriteFile(file, data, 0o600); err != nil {
		return Outcome{}, err
	}
	return p.rig.Run(ctx, p.rig.Helm(p.Namespace, append([]string{"upgrade", "--install", Hub, filepath.Join(p.of.Dir, "chart"),
		"--create-namespace", "--wait", "--values", file}, flags...)...))
}

// Revisions is how many revisions of the hub Helm has made in a namespace.
func (r *Rig) Revisions(ctx context.Context, namespace string) (int, error) {
	o, err := r.OK(ctx, r.Helm(namespace, "get", "metadata", Hub, "--output", "yaml"))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(o.Out) {
		var n int
		if _, err := fmt.Sscanf(line, "revision: %d", &n); err == nil {
			return n, nil
		}
	}
	return 0, fmt.Errorf("helm tells no revision of %s/%s", namespace, Hub)
}

// HelmVersion is the version of the helm that is measured.
func (r *Rig) HelmVersion(ctx context.Context) (string, error) {
	o, err := r.OK(ctx, r.Helm("default", "version", "--template", "{{.Version}}"))
	return strings.TrimSpace(o.Out), err
}
