package lab

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Bounds of what `lab up` waits for.
const (
	startLimit    = 3 * time.Minute  // a cluster or the services, from their start
	recoveryLimit = 90 * time.Second // one that runs but does not answer well (a busy machine?), before it is started anew
)

// Up brings up the registry, the image builder and the clusters (all, or those
// named), building and installing what is missing first. What is up and well
// stays untouched; what an earlier, interrupted or killed run left is removed.
// It returns when every node is Ready and names resolve in each cluster.
func Up(ctx context.Context, out io.Writer, clusters ...string) error {
	if err := needLinuxRoot("lab up"); err != nil {
		return err
	}
	p := newProgress(out)
	chosen, err := chooseClusters(clusters)
	if err != nil {
		return err
	}
	unlock, err := lockLab(ctx, p)
	if err != nil {
		return err
	}
	defer unlock()
	if err := installPackages(ctx, p); err != nil {
		return err
	}
	if err := endUnknownUnits(ctx, p); err != nil {
		return err
	}
	programs, err := build(ctx, p, isServiceSet)
	if err != nil {
		return err
	}
	changed, err := upServices(ctx, p, programs)
	if err != nil {
		return err
	}
	if len(chosen) > 0 {
		kubernetes, err := build(ctx, p, isClusterSet)
		if err != nil {
			return err
		}
		for set, folder := range kubernetes {
			programs[set] = folder
		}
		started, err := upClusters(ctx, p, chosen, programs)
		if err != nil {
			return err
		}
		changed = changed || started
	}
	if !changed {
		p.say("the lab is up; nothing to do")
	}
	return nil
}

// chooseClusters returns the named clusters, or all when none is named. The
// name of the services alone chooses none.
func chooseClusters(names []string) ([]Cluster, error) {
	if len(names) == 0 {
		return Clusters(), nil
	}
	var chosen []Cluster
	for _, name := range names {
		if name == Services {
			continue
		}
		found := false
		known := []string{Services}
		for _, c := range Clusters() {
			known = append(known, c.Name)
			if c.Name == name {
				chosen, found = append(chosen, c), true
			}
		}
		if !found {
			return nil, fmt.Errorf("the lab has no %q; it has %s", name, strings.Join(known, ", "))
		}
	}
	return chosen, nil
}

func lockLab(ctx context.Context, p *progress) (unlock func(), err error) {
	for _, hidden := range []string{"/run/", "/var/run/", "/proc/", "/sys/", "/var/log/", kubeletDir + "/", cniStateDir + "/"} {
		if strings.HasPrefix(Dir()+"/", hidden) {
			return nil, fmt.Errorf("%s=%s: nodes cover %s with folders of their own; choose another place", DirEnv, Dir(), hidden)
		}
	}
	// A unix socket's path has at most 107 bytes.
	longest := filepath.Join(Dir(), "nodes", "bleeding-edge-1", "run", "containerd.sock.ttrpc")
	if len(longest) > 107 {
		return nil, fmt.Errorf("%s=%s: the path is too long for sockets in it; choose a shorter one", DirEnv, Dir())
	}
	if err := os.MkdirAll(Dir(), 0o755); err != nil {
		return nil, err
	}
	return lockFile(ctx, filepath.Join(Dir(), "lock"), func() { p.say("waiting for another `lab` command to finish") })
}

// endUnknownUnits ends units that this version of the lab does not have.
func endUnknownUnits(ctx context.Context, p *progress) error {
	known := map[string]bool{Services: true}
	for _, c := range Clusters() {
		for _, name := range append(c.unitNames(), c.simulator()) {
			known[name] = true
		}
		for _, s := range c.spares() {
			known[s.Name] = true
		}
	}
	running, err := ownUnits()
	if err != nil {
		return err
	}
	for name, u := range running {
		if known[name] {
			continue
		}
		p.say("ending %s, which this version of the lab does not have", name)
		if err := endUnits(ctx, []runningUnit{u}); err != nil {
			return err
		}
	}
	return nil
}
