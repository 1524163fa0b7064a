package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"gauntlet/internal/kube"
	"gauntlet/lab"
)

// limit bounds one command.
const limit = 10 * time.Minute

// A command is a program to run in a folder; env is added to the environment that
// all commands share.
type command struct {
	dir  string
	env  []string
	argv []string
}

// An outcome is what a command left behind. Its code is -1 when a signal ended it.
type outcome struct {
	command     command
	took        time.Duration // from before it was started until it was gone
	code        int
	out, errout string
}

// run runs a command. Its exit code is not an error.
func (b *bench) run(ctx context.Context, c command) (outcome, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, c.argv[0], c.argv[1:]...)
	cmd.Dir, cmd.Env = c.dir, append(b.environment(), c.env...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 30 * time.Second
	var out, errout bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errout
	start := time.Now()
	err := cmd.Run()
	o := outcome{command: c, took: time.Since(start), out: out.String(), errout: errout.String()}
	var exited *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return o, fmt.Errorf("%s: %w", c, ctx.Err())
	case err != nil && !errors.As(err, &exited):
		return o, fmt.Errorf("run %s: %w", c, err)
	}
	o.code = cmd.ProcessState.ExitCode()
	return o, nil
}

// ok runs a command that must end with exit code 0.
func (b *bench) ok(ctx context.Context, c command) (outcome, error) {
	return succeeded(b.run(ctx, c))
}

// succeeded makes an exit code other than 0 an error.
func succeeded(o outcome, err error) (outcome, error) {
	if err == nil && o.code != 0 {
		err = fmt.Errorf("%s: exit code %d: %s", o.command, o.code, tail(o.out+o.errout))
	}
	return o, err
}

// tail is the end of what a command printed, for people.
func tail(s string) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	return kube.OneLine(strings.Join(lines[max(0, len(lines)-3):], " "))
}

// String is the command for people.
func (c command) String() string {
	words := append([]string{filepath.Base(c.argv[0])}, c.argv[1:]...)
	return strings.Join(words, " ")
}

// environment is that of a person at the lab with the demonstration's keys and
// caches of their own.
func (b *bench) environment() []string {
	return append(os.Environ(),
		"KUBECONFIG="+lab.Kubeconfig(),
		"BUILDKIT_HOST="+lab.BuildkitAddr(),
		"XDG_CONFIG_HOME="+filepath.Join(demoDir(), "config"),
		"XDG_CACHE_HOME="+filepath.Join(b.work, "cache"),
		"HELM_CONFIG_HOME="+filepath.Join(b.work, "helm"),
		"HELM_DATA_HOME="+filepath.Join(b.work, "helm"),
		"HELM_CACHE_HOME="+filepath.Join(b.work, "cache", "helm"),
		"TMPDIR="+b.work,
		"GAUNTLET_KEY=ci",
	)
}

// demoDir is where the demonstration keeps its team.
func demoDir() string { return filepath.Join(lab.Dir(), "demo") }

// kubectl is a kubectl command against the cluster that is measured on.
func (b *bench) kubectl(args ...string) command {
	return command{argv: append([]string{filepath.Join(lab.BinDir(), "kubectl"), "--context", cluster}, args...)}
}

// helm is a helm command against it.
func (b *bench) helm(namespace string, args ...string) command {
	return command{argv: append([]string{b.program("helm"), "--kube-context", cluster, "--namespace", namespace}, args...)}
}

// gauntlet is a gauntlet command in a platform's folder.
func (b *bench) gauntlet(p *platform, args ...string) command {
	return command{dir: p.dir, argv: append([]string{b.program("gauntlet")}, args...)}
}
