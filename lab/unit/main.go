//go:build linux

// Command unit (installed as lab-unit) is process 1 of a unit of the lab: a
// control plane, a node, or the registry and the image builder. It reads what to
// do from its standard input (package spec), does it, restarts daemons that
// end, and reaps orphans. Ending it ends, by the kernel's rules, everything in it.
package main

import (
	"encoding/json"
	"fmt"
	"log"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	"time"

	"gauntlet/lab/internal/spec"
)

func main() {
	log.SetFlags(log.LstdFlags)
	debug.SetGCPercent(20) // eight of these run; none of them allocates much
	if err := run(); err != nil {
		log.Print(err)
		os.Exit(1)
	}
}

func run() error {
	if os.Getpid() != 1 {
		return fmt.Errorf("lab-unit is started by `lab up` only: it must be process 1 of a process namespace of its own")
	}
	// Whoever starts us first wires our network, then sends the spec; when he
	// dies in between, the input ends early and so do we.
	var s spec.Spec
	if err := json.NewDecoder(os.Stdin).Decode(&s); err != nil {
		return fmt.Errorf("read what to do: %w", err)
	}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, syscall.SIGINT)

	if err := ownNamespaces(s.Hostname); err != nil {
		return err
	}
	u := newUnit()
	go u.reap()
	done := make(chan error, 1)
	go func() { done <- u.do(s.Steps) }()
	for {
		select {
		case err := <-done:
			if err != nil {
				return err
			}
			log.Print("started")
		case <-stop:
			u.stopAll(5 * time.Second)
			return nil
		}
	}
}

// ownNamespaces makes mounts private to this unit (what the host mounts or
// unmounts later still arrives; nothing of ours goes back) and shows the unit's
// own processes in /proc.
func ownNamespaces(hostname string) error {
	if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_SLAVE, ""); err != nil {
		return fmt.Errorf("separate the mounts from the host's: %w", err)
	}
	if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_SHARED, ""); err != nil {
		return fmt.Errorf("share mounts inside the unit: %w", err)
	}
	if err := syscall.Mount("proc", "/proc", "proc", syscall.MS_NOSUID|syscall.MS_NODEV|syscall.MS_NOEXEC, ""); err != nil {
		return fmt.Errorf("mount /proc: %w", err)
	}
	if hostname == "" {
		return nil
	}
	if err := syscall.Sethostname([]byte(hostname)); err != nil {
		return fmt.Errorf("set the host name: %w", err)
	}
	return nil
}
