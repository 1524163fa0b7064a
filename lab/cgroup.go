package lab

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"context"
)

// cgroupPrefix begins the name of every cgroup of the lab.
const cgroupPrefix = "gauntlet-"

const cgroupRoot = "/sys/fs/cgroup"

// makeCgroup makes a cgroup in every hierarchy of the machine: one with cgroup
// v2, one per controller with v1.
func makeCgroup(name string) error {
	if isCgroupV2() {
		// Children may use what the root hands on.
		control := filepath.Join(cgroupRoot, "cgroup.subtree_control")
		for _, c := range []string{"+cpuset", "+cpu", "+io", "+memory", "+pids", "+hugetlb"} {
			_ = os.WriteFile(control, []byte(c), 0o644) // the kubelet names a missing one
		}
		return os.MkdirAll(filepath.Join(cgroupRoot, name), 0o755)
	}
	hierarchies, err := os.ReadDir(cgroupRoot)
	if err != nil {
		return fmt.Errorf("list cgroup hierarchies: %w", err)
	}
	for _, h := range hierarchies {
		if !h.IsDir() || h.Name() == "unified" { // links name controllers that share a hierarchy
			continue
		}
		dir := filepath.Join(cgroupRoot, h.Name(), name)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return fmt.Errorf("make a cgroup: %w", err)
		}
		if h.Name() != "cpuset" {
			continue
		}
		for _, f := range []string{"cpuset.cpus", "cpuset.mems"} { // begin empty, which allows nothing
			all, err := os.ReadFile(filepath.Join(cgroupRoot, h.Name(), f))
			if err != nil {
				return err
			}
			if err := os.WriteFile(filepath.Join(dir, f), all, 0o644); err != nil {
				return err
			}
		}
	}
	return nil
}

func isCgroupV2() bool {
	_, err := os.Stat(filepath.Join(cgroupRoot, "cgroup.controllers"))
	return err == nil
}

// removeCgroups removes cgroups of the lab whose name keep does not refuse.
func removeCgroups(ctx context.Context, keep func(name string) bool) error {
	return until(ctx, 10*time.Second, func() error { // a process leaves its cgroup a moment after its end
		left := ""
		for _, pattern := range []string{cgroupRoot + "/" + cgroupPrefix + "*", cgroupRoot + "/*/" + cgroupPrefix + "*"} {
			found, err := filepath.Glob(pattern)
			if err != nil {
				return err
			}
			for _, top := range found {
				if keep(strings.TrimPrefix(filepath.Base(top), cgroupPrefix)) {
					continue
				}
				removeCgroupTree(top)
				if _, err := os.Stat(top); err == nil {
					left = top
				}
			}
		}
		if left != "" {
			return fmt.Errorf("the cgroup %s cannot be removed: a process is in it", left)
		}
		return nil
	})
}

// removeCgroupTree removes what it can, children first.
func removeCgroupTree(top string) {
	var dirs []string
	_ = filepath.WalkDir(top, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			dirs = append(dirs, path)
		}
		return nil // gone meanwhile is fine
	})
	for i := len(dirs) - 1; i >= 0; i-- {
		_ = os.Remove(dirs[i]) // the caller looks at what is left
	}
}
