package lab

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
)

// clear ends what runs of a cluster and removes what it left, but for the images
// its nodes hold. Spare and simulated nodes go with it.
func (c Cluster) clear(ctx context.Context, running []runningUnit) error {
	for _, n := range c.spares() {
		if err := c.endSpare(ctx, n); err != nil {
			return fmt.Errorf("end the spare node %s: %w", n.Name, err)
		}
	}
	units, err := ownUnits()
	if err != nil {
		return err
	}
	if u, ok := units[c.simulator()]; ok {
		running = append(running, u)
	}
	if err := endUnits(ctx, running); err != nil {
		return err
	}
	mine := map[string]bool{}
	for _, n := range c.Nodes {
		mine[n.Name] = true
	}
	if err := removeCgroups(ctx, func(name string) bool { return !mine[name] }); err != nil {
		return err
	}
	for _, n := range c.Nodes {
		removeLink(ctx, n.link())
		if err := removeExcept(n.dir(), "containerd"); err != nil {
			return fmt.Errorf("remove what node %s left: %w", n.Name, err)
		}
	}
	if err := dropImagesWhenDiskFull(c); err != nil {
		return err
	}
	return os.RemoveAll(c.dir())
}

// removeExcept removes everything in a folder but one entry.
func removeExcept(dir, keep string) error {
	entries, err := os.ReadDir(dir)
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.Name() == keep {
			continue
		}
		if err := os.RemoveAll(filepath.Join(dir, e.Name())); err != nil {
			return err
		}
	}
	return nil
}

// dropImagesWhenDiskFull forgets the images that nodes keep from run to run once
// less than a fifth of the disk is free: they can be pulled again.
func dropImagesWhenDiskFull(c Cluster) error {
	var fs syscall.Statfs_t
	if err := syscall.Statfs(Dir(), &fs); err != nil {
		return fmt.Errorf("see how full the disk is: %w", err)
	}
	if fs.Bavail*5 > fs.Blocks {
		return nil
	}
	for _, n := range c.Nodes {
		if err := os.RemoveAll(filepath.Join(n.dir(), "containerd")); err != nil {
			return err
		}
	}
	return nil
}

// loadKernelModules loads what nodes need where the kernel has it as modules.
// Where it is built in, or there are none, that fails and does not matter: what
// then is really missing is named by the one who misses it.
func loadKernelModules(ctx context.Context) {
	if _, err := exec.LookPath("modprobe"); err != nil {
		return
	}
	for _, m := range []string{"overlay", "br_netfilter", "nf_tables", "veth"} {
		_, _ = output(ctx, "", "modprobe", "-q", m)
	}
}
