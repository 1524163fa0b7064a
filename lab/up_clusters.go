package lab

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// upClusters brings up clusters side by side.
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
	errs = append(errs, writeUserKubeconfig())
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
		began, said := time.Now(), false
		err := until(ctx, recoveryLimit, func() error {
			if err := stillThere(old...); err != nil {
				return err
			}
			err := checkCluster(ctx, c)
			if err != nil && !said && time.Since(began) > time.Second {
				p.say("%s: an earlier start or a repair is under way: %v", c.Name, err)
				said = true
			}
			return err
		})
		if err == nil || ctx.Err() != nil {
			return said, err
		}
	}
	if len(old) > 0 {
		p.say("%s runs, but in part, badly or as another version: starting it again, empty", c.Name)
	}
	if err := c.clear(ctx, old); err != nil {
		return false, err
	}
	if err := c.checkPorts(ctx); err != nil {
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

func (c Cluster) checkPorts(ctx context.Context) error {
	for _, addr := range []string{fmt.Sprintf("%s:%d", HostIP, c.APIPort)} {
		if err := checkPortFree(ctx, addr); err != nil {
			return err
		}
	}
	for _, port := range []int{etcdPort, etcdPeerPort, controllerManagerPort, schedulerPort} {
		if err := checkPortFree(ctx, fmt.Sprintf("%s:%d", c.Loopback, port)); err != nil {
			return err
		}
	}
	return nil
}

// start starts a cluster that has nothing running and waits until it can be used.
func (c Cluster) start(ctx context.Context, p *progress, units []unit, hash map[string]string) error {
	began := time.Now()
	p.say("%s: starting (about 15 s)", c.Name)
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
	stop := p.every(10*time.Second, func(time.Duration) string {
		return fmt.Sprintf("%s: waiting: %s%s", c.Name, last, restarts(units))
	})
	defer stop()
	err := await(ctx, started, func() error {
		err := checkCluster(ctx, c)
		if err != nil {
			last = err.Error()
		}
		return err
	})
	if err != nil {
		return err
	}
	p.say("%s is up with %s, in %.0f s", c.Name, count(len(c.Nodes), "node"), time.Since(began).Seconds())
	return nil
}

// restarts tells of daemons that end and are started again, if any.
func restarts(units []unit) string {
	for _, u := range units {
		if line := u.lastRestart(); line != "" {
			return "; " + u.name + ": " + line
		}
	}
	return ""
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
