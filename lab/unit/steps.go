//go:build linux

package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"log"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"time"

	"gauntlet/lab/internal/spec"
)

// Bounds of the waits, per step.
const (
	runTimeout  = time.Minute
	waitTimeout = 2 * time.Minute
)

func (u *unit) do(steps []spec.Step) error {
	for _, s := range steps {
		if err := u.step(s); err != nil {
			return err
		}
	}
	return nil
}

func (u *unit) step(s spec.Step) error {
	switch {
	case s.Mount != nil:
		return mount(*s.Mount)
	case s.Write != nil:
		err := os.WriteFile(s.Write.Path, []byte(s.Write.Content), 0o644)
		if s.Write.Optional && errors.Is(err, fs.ErrNotExist) {
			log.Printf("skipped: %v", err)
			return nil
		}
		return err
	case len(s.Run) > 0:
		return u.runProgram(s.Run)
	case s.Wait != "":
		return wait(s.Wait)
	case s.Daemon != nil:
		return u.keep(*s.Daemon)
	case s.With != nil:
		return u.with(*s.With)
	}
	return errors.New("empty step")
}

func mount(m spec.Mount) error {
	var flags uintptr
	if m.Type == "" {
		flags = syscall.MS_BIND
	}
	if err := syscall.Mount(m.Source, m.Target, m.Type, flags, ""); err != nil {
		return fmt.Errorf("mount %s on %s: %w", m.Source, m.Target, err)
	}
	if err := syscall.Mount("", m.Target, "", syscall.MS_SHARED, ""); err != nil {
		return fmt.Errorf("share the mount %s: %w", m.Target, err)
	}
	return nil
}

// runProgram runs a program to its end, its output going to the unit's log.
func (u *unit) runProgram(args []string) error {
	p, err := u.start(args, nil, os.Stdout)
	if err != nil {
		return err
	}
	select {
	case status := <-p.exited:
		if status.ExitStatus() != 0 {
			return fmt.Errorf("%s: %s", strings.Join(args, " "), describe(status))
		}
		return nil
	case <-time.After(runTimeout):
		p.signal(syscall.SIGKILL)
		return fmt.Errorf("%s: not done after %s", strings.Join(args, " "), runTimeout)
	}
}

// with runs steps beside a daemon, then stops it.
func (u *unit) with(w spec.With) error {
	logFile, err := openLog(w.Daemon.Log)
	if err != nil {
		return err
	}
	p, err := u.start(w.Daemon.Args, w.Daemon.Env, logFile)
	logFile.Close()
	if err != nil {
		return err
	}
	stepErr := u.do(w.Steps)
	p.signal(syscall.SIGTERM)
	select {
	case <-p.exited:
	case <-time.After(10 * time.Second):
		p.signal(syscall.SIGKILL)
		<-p.exited
	}
	return stepErr
}

// wait waits until something answers: see spec.Step.Wait.
func wait(what string) error {
	kind, addr, _ := strings.Cut(what, ":")
	// Our own processes on this machine: who answers is not in question.
	client := &http.Client{Timeout: 2 * time.Second, Transport: &http.Transport{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true}}
	try := func() error {
		if kind == "https" {
			resp, err := client.Get(what)
			if err != nil {
				return err
			}
			resp.Body.Close()
			if resp.StatusCode != http.StatusOK {
				return errors.New(resp.Status)
			}
			return nil
		}
		conn, err := net.DialTimeout(kind, addr, time.Second)
		if err != nil {
			return err
		}
		return conn.Close()
	}
	ctx, cancel := context.WithTimeout(context.Background(), waitTimeout)
	defer cancel()
	for {
		err := try()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for %s: %w", what, err)
		case <-time.After(100 * time.Millisecond):
		}
	}
}
