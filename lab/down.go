package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

// Down ends the lab and removes what it made on this machine. The registry's
// content, the builder's cache, the images nodes hold and the built programs
// stay for the next start; with all, these go too.
func Down(ctx context.Context, out io.Writer, all bool) error {
	if err := needLinuxRoot("lab down"); err != nil {
		return err
	}
	p := newProgress(out)
	unlock, err := lockLab(ctx, p)
	if err != nil {
		return err
	}
	defer unlock()
	running, err := ownUnits()
	if err != nil {
		return err
	}
	var clusterUnits []runningUnit
	services, servicesRun := running[Services]
	for name, u := range running {
		if name != Services {
			clusterUnits = append(clusterUnits, u)
		}
	}
	var wg sync.WaitGroup
	if servicesRun {
		// Registry and builder keep data: let them finish what they write.
		wg.Add(1)
		go func() {
			defer wg.Done()
			endGently(ctx, services)
		}()
	}
	err = endUnits(ctx, clusterUnits)
	wg.Wait()
	if err == nil && servicesRun {
		err = endUnits(ctx, []runningUnit{services})
	}
	if err != nil {
		return err
	}
	errs := []error{
		removeCgroups(ctx, func(string) bool { return false }),
		removeHostNetwork(ctx),
		restoreHost(),
		removeState(all),
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("take the lab down: %w", err)
	}
	p.say("the lab is down")
	return nil
}

func endGently(ctx context.Context, u runningUnit) {
	_ = syscall.Kill(u.pid, syscall.SIGTERM) // the caller makes sure
	_ = until(ctx, 6*time.Second, func() error {
		if processGone(u.pid) {
			return nil
		}
		return errors.New("still running")
	})
}

// removeState removes the lab's files, but for what the next start can use.
func removeState(all bool) error {
	if all {
		return errors.Join(os.RemoveAll(Dir()), os.RemoveAll(CacheDir()))
	}
	gone := []string{"run", "clusters", "log", "images", "kubeconfig", filepath.Join("nodes", "registries"), "spares"}
	for _, c := range Clusters() {
		for _, n := range c.spares() {
			gone = append(gone, filepath.Join("nodes", n.Name))
		}
	}
	for _, name := range gone {
		if err := os.RemoveAll(filepath.Join(Dir(), name)); err != nil {
			return err
		}
	}
	for _, c := range Clusters() {
		for _, n := range c.Nodes {
			if err := removeExcept(n.dir(), "containerd"); err != nil {
				return err
			}
		}
	}
	return nil
}
