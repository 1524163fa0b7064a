//go:build linux

package main

import (
	"fmt"
	"log"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"

	"gauntlet/lab/internal/spec"
)

// unit holds the processes this unit started. Only reap waits for processes, of
// ours and orphans alike, so that no two waits steal each other's.
type unit struct {
	mu       sync.Mutex
	children map[int]*process
	stopping bool
	started  chan struct{} // tells reap that there is a child again
}

type process struct {
	pid    int
	exited chan syscall.WaitStatus // receives once
}

func newUnit() *unit {
	return &unit{children: map[int]*process{}, started: make(chan struct{}, 1)}
}

// environment of daemons: ours, less the mark by which the lab finds units.
func environment() []string {
	var env []string
	for _, kv := range os.Environ() {
		if !strings.HasPrefix(kv, spec.UnitEnv+"=") {
			env = append(env, kv)
		}
	}
	return env
}

func (u *unit) start(args, env []string, output *os.File) (*process, error) {
	path, err := exec.LookPath(args[0])
	if err != nil {
		return nil, err
	}
	null, err := os.Open(os.DevNull)
	if err != nil {
		return nil, err
	}
	defer null.Close()
	u.mu.Lock() // a child that ends at once must find its entry
	defer u.mu.Unlock()
	if u.stopping {
		return nil, fmt.Errorf("start %s: the unit is stopping", args[0])
	}
	pid, err := syscall.ForkExec(path, args, &syscall.ProcAttr{
		Env:   append(environment(), env...),
		Files: []uintptr{null.Fd(), output.Fd(), output.Fd()},
		Sys:   &syscall.SysProcAttr{Setsid: true},
	})
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", path, err)
	}
	p := &process{pid: pid, exited: make(chan syscall.WaitStatus, 1)}
	u.children[pid] = p
	select {
	case u.started <- struct{}{}:
	default:
	}
	return p, nil
}

func (p *process) signal(s syscall.Signal) { _ = syscall.Kill(p.pid, s) } // gone is what we want

// reap collects every process that ends, for the life of the unit.
func (u *unit) reap() {
	for {
		var status syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &status, 0, nil)
		if err == syscall.EINTR {
			continue
		}
		if err != nil { // no children
			<-u.started
			continue
		}
		u.mu.Lock()
		if p := u.children[pid]; p != nil {
			delete(u.children, pid)
			p.exited <- status
		}
		u.mu.Unlock()
	}
}

// keep starts a daemon and starts it again, a second later, whenever it ends.
func (u *unit) keep(d spec.Daemon) error {
	logFile, err := openLog(d.Log)
	if err != nil {
		return err
	}
	p, err := u.start(d.Args, d.Env, logFile)
	if err != nil {
		logFile.Close()
		return err
	}
	log.Printf("%s: process %d", d.Name, p.pid)
	go func() {
		defer logFile.Close()
		for {
			log.Printf("%s ended: %s; %s", d.Name, describe(<-p.exited), spec.StartingAgain)
			for {
				time.Sleep(time.Second)
				if p, err = u.start(d.Args, d.Env, logFile); err == nil {
					break
				}
				log.Print(err)
			}
		}
	}()
	return nil
}

// stopAll asks every child to end and waits at most for the given time.
func (u *unit) stopAll(limit time.Duration) {
	u.mu.Lock()
	u.stopping = true
	for _, p := range u.children {
		p.signal(syscall.SIGTERM)
	}
	u.mu.Unlock()
	deadline := time.Now().Add(limit)
	for time.Now().Before(deadline) {
		u.mu.Lock()
		left := len(u.children)
		u.mu.Unlock()
		if left == 0 {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func openLog(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
}

func describe(s syscall.WaitStatus) string {
	if s.Signaled() {
		return "killed by signal " + s.Signal().String()
	}
	return fmt.Sprintf("exit code %d", s.ExitStatus())
}
