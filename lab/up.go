package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// Bounds of what `lab up` waits for.
const (
	startLimit    = 3 * time.Minute  // a cluster or the services, from their start
	recoveryLimit = 20 * time.Second // one that runs but does not answer well, before it is started anew
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
	programs, err := build(ctx, p, []string{"lab", "tools"})
	if err != nil {
		return err
	}
	changed, err := upServices(ctx, p, programs)
	if err != nil {
		return err
	}
	if len(chosen) > 0 {
		kubernetes, err := build(ctx, p, []string{"kubernetes"})
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
		for _, name := range c.unitNames() {
			known[name] = true
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

func upServices(ctx context.Context, p *progress, programs map[string]string) (changed bool, err error) {
	u := servicesUnit()
	hash := u.configHash(programs)
	running, err := ownUnits()
	if err != nil {
		return false, err
	}
	old, exists := running[u.name]
	if exists && old.config == hash {
		if err := until(ctx, recoveryLimit, func() error { return checkServices(ctx) }); err == nil {
			return false, setUpHostNetwork(ctx)
		}
	}
	if exists {
		p.say("registry and image builder run, but badly or as another version: starting them again")
		if err := endUnits(ctx, []runningUnit{old}); err != nil {
			return false, err
		}
	}
	if err := removeCgroups(ctx, func(name string) bool { return name != buildCgroup }); err != nil {
		return false, err
	}
	if err := setUpHostNetwork(ctx); err != nil {
		return false, err
	}
	if err := checkPortFree(Registry); err != nil {
		return false, err
	}
	s, err := u.start(hash)
	if err != nil {
		return true, err
	}
	if err := s.await(ctx, func() error { return checkServices(ctx) }); err != nil {
		return true, fmt.Errorf("start registry and image builder: %w", err)
	}
	p.say("registry %s and image builder %s are up", Registry, BuildkitAddr())
	return true, nil
}

// await waits until check succeeds; the unit's end, or too long a wait, is an
// error with the end of its logs.
func (s *startedUnit) await(ctx context.Context, check func() error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	err := until(ctx, startLimit, func() error {
		select {
		case <-s.ended:
			cancel() // no point in waiting on
			return fmt.Errorf("%s ended", s.name)
		default:
			return check()
		}
	})
	if err != nil {
		return fmt.Errorf("%w%s", err, s.logTail())
	}
	return nil
}

func upClusters(ctx context.Context, p *progress, clusters []Cluster, programs map[string]string) (changed bool, err error) {
	img, err := makeImages(ctx)
	if err != nil {
		return false, err
	}
	if err := prepareHost(); err != nil {
		return false, err
	}
	loadKernelModules(ctx)
	var mu sync.Mutex
	var errs []error
	var wg sync.WaitGroup
	for _, c := range clusters {
		wg.Add(1)
		go func() {
			defer wg.Done()
			started, err := upCluster(ctx, p, c, img, programs)
			mu.Lock()
			defer mu.Unlock()
			changed = changed || started
			if err != nil {
				errs = append(errs, fmt.Errorf("cluster %s: %w", c.Name, err))
			}
		}()
	}
	wg.Wait()
	return changed, errors.Join(errs...)
}

func upCluster(ctx context.Context, p *progress, c Cluster, img images, programs map[string]string) (changed bool, err error) {
	units, err := c.units(ctx, img)
	if err != nil {
		return false, err
	}
	hash := map[string]string{}
	for _, u := range units {
		hash[u.name] = u.configHash(programs)
	}
	running, err := ownUnits()
	if err != nil {
		return false, err
	}
	var old []runningUnit
	same := true
	for _, u := range units {
		if r, ok := running[u.name]; ok {
			old = append(old, r)
			same = same && r.config == hash[u.name]
		}
	}
	if same && len(old) == len(units) {
		if err := until(ctx, recoveryLimit, func() error { return checkCluster(ctx, c) }); err == nil {
			return false, nil
		}
	}
	if len(old) > 0 {
		p.say("%s runs, but in part, badly or as another version: starting it again, empty", c.Name)
	}
	if err := c.clear(ctx, old); err != nil {
		return false, err
	}
	if err := c.checkPorts(); err != nil {
		return false, err
	}
	return true, c.start(ctx, p, units, hash)
}

// units are the cluster's control plane and nodes.
func (c Cluster) units(ctx context.Context, img images) ([]unit, error) {
	control, err := c.controlPlaneUnit(img)
	if err != nil {
		return nil, err
	}
	units := []unit{control}
	for _, n := range c.Nodes {
		u := n.nodeUnit(c, img)
		u.wire = func(pid int) error { return n.connect(ctx, pid) }
		units = append(units, u)
	}
	return units, nil
}

func (c Cluster) checkPorts() error {
	for _, addr := range []string{fmt.Sprintf("%s:%d", HostIP, c.APIPort)} {
		if err := checkPortFree(addr); err != nil {
			return err
		}
	}
	for _, port := range []int{etcdPort, etcdPeerPort, controllerManagerPort, schedulerPort} {
		if err := checkPortFree(fmt.Sprintf("%s:%d", c.Loopback, port)); err != nil {
			return err
		}
	}
	return nil
}

// start starts a cluster that has nothing running and waits until it can be used.
func (c Cluster) start(ctx context.Context, p *progress, units []unit, hash map[string]string) error {
	began := time.Now()
	p.say("%s: starting (about 30 s)", c.Name)
	if err := c.writeCredentials(); err != nil {
		return err
	}
	for _, n := range c.Nodes {
		if err := makeCgroup(n.cgroup()); err != nil {
			return err
		}
	}
	var started []*startedUnit
	for _, u := range units {
		s, err := u.start(hash[u.name])
		if err != nil {
			return err
		}
		started = append(started, s)
	}
	last := ""
	check := func() error {
		for _, s := range started[1:] {
			select {
			case <-s.ended:
				return fmt.Errorf("%s ended%s", s.name, s.logTail())
			default:
			}
		}
		err := checkCluster(ctx, c)
		if err != nil {
			last = err.Error()
		}
		return err
	}
	stop := p.every(15*time.Second, func(time.Duration) string { return fmt.Sprintf("%s: waiting: %s", c.Name, last) })
	defer stop()
	if err := started[0].await(ctx, check); err != nil {
		return err
	}
	p.say("%s is up with %d node(s), in %.0f s", c.Name, len(c.Nodes), time.Since(began).Seconds())
	return writeUserKubeconfig()
}
