package lab

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"gauntlet/lab/internal/spec"
)

// runningUnit is process 1 of a unit as found in /proc.
type runningUnit struct {
	pid    int
	name   string
	config string // hash of what it was told to do
	dir    string // state folder of its lab
}

// runningUnits finds the units of every lab on this machine.
func runningUnits() ([]runningUnit, error) {
	environs, err := filepath.Glob("/proc/[0-9]*/environ")
	if err != nil {
		return nil, err
	}
	var found []runningUnit
	for _, path := range environs {
		data, err := os.ReadFile(path)
		if err != nil {
			continue // ended, or a kernel thread
		}
		u, ok := parseUnitEnviron(string(data))
		if !ok {
			continue
		}
		u.pid, _ = strconv.Atoi(strings.Split(path, "/")[2])
		if isUnitProcess(u.pid) {
			found = append(found, u)
		}
	}
	return found, nil
}

// isUnitProcess tells whether a process is number 1 of a process namespace below
// ours: its status lists one number per namespace.
func isUnitProcess(pid int) bool {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return false
	}
	for _, line := range strings.Split(string(data), "\n") {
		if numbers, ok := strings.CutPrefix(line, "NSpid:"); ok {
			f := strings.Fields(numbers)
			return len(f) > 1 && f[len(f)-1] == "1"
		}
	}
	return false
}

func parseUnitEnviron(environ string) (runningUnit, bool) {
	var u runningUnit
	for _, kv := range strings.Split(environ, "\x00") {
		if v, ok := strings.CutPrefix(kv, spec.UnitEnv+"="); ok {
			u.name, u.config, _ = strings.Cut(v, " ")
		}
		if v, ok := strings.CutPrefix(kv, spec.MemberEnv+"="); ok {
			u.dir = v
		}
	}
	return u, u.name != "" && u.dir != ""
}

// ownUnits returns the units of this lab by name. Another lab on this machine is
// an error: both would want the same addresses.
func ownUnits() (map[string]runningUnit, error) {
	all, err := runningUnits()
	if err != nil {
		return nil, err
	}
	own := map[string]runningUnit{}
	for _, u := range all {
		if u.dir != Dir() {
			return nil, fmt.Errorf("another lab with its state in %s runs on this machine and has the same addresses; take it down first: %s=%s lab down", u.dir, DirEnv, u.dir)
		}
		own[u.name] = u
	}
	return own, nil
}

// endUnits kills units at once and waits until nothing of them is left.
func endUnits(ctx context.Context, units []runningUnit) error {
	for _, u := range units {
		_ = syscall.Kill(u.pid, syscall.SIGKILL) // gone is what we want
	}
	for _, u := range units {
		err := until(ctx, 20*time.Second, func() error {
			if processGone(u.pid) {
				return nil
			}
			return fmt.Errorf("process %d (%s of the lab) does not end though killed", u.pid, u.name)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// stillThere is a permanent error once one of the units has ended.
func stillThere(units ...runningUnit) error {
	for _, u := range units {
		if processGone(u.pid) {
			return permanent{fmt.Errorf("%s ended", u.name)}
		}
	}
	return nil
}

// processGone tells whether a process is no more, or only waits to be reaped.
// The last thread of process 1 of a namespace ends after all others in there.
func processGone(pid int) bool {
	fields := statFields(pid)
	if fields == nil {
		return true
	}
	state, threads := fields[0], fields[17]
	return state == "Z" && threads == "1"
}

// statFields are the fields of /proc/PID/stat from the third on (state, parent,
// …): the second, the name, may itself hold spaces and parentheses. It is nil
// when the process is gone.
func statFields(pid int) []string {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return nil
	}
	fields := strings.Fields(string(data[strings.LastIndexByte(string(data), ')')+1:]))
	if len(fields) < 18 {
		return nil
	}
	return fields
}

// descendants lists a process and all below it.
func descendants(root int, children map[int][]int) []int {
	list := []int{root}
	for i := 0; i < len(list); i++ {
		list = append(list, children[list[i]]...)
	}
	return list
}

// processChildren maps each process to those it is the parent of.
func processChildren() (map[int][]int, error) {
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return nil, err
	}
	children := map[int][]int{}
	for _, path := range stats {
		pid, _ := strconv.Atoi(strings.Split(path, "/")[2])
		if fields := statFields(pid); fields != nil {
			parent, _ := strconv.Atoi(fields[1])
			children[parent] = append(children[parent], pid)
		}
	}
	return children, nil
}
