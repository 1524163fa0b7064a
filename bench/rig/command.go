package rig

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"gauntlet/internal/kube"
	"gauntlet/lab"
)

// limit bounds one command that has no limit of its own.
const limit = 10 * time.Minute

// A Command is a program to run in a folder; Env is added to the environment that
// all commands share.
type Command struct {
	Dir   string
	Env   []string
	Argv  []string
	Limit time.Duration // ten minutes when 0
}

// An Outcome is what a command left behind. Its Code is -1 when a signal ended it.
type Outcome struct {
	Command  Command
	Took     time.Duration // from before it was started until it was gone
	Memory   int64         // most resident memory at a time, in bytes
	Code     int
	Out, Err string
}

// Run runs a command. Its exit code is not an error.
func (r *Rig) Run(ctx context.Context, c Command) (Outcome, error) {
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(c.Limit, limit))
	defer cancel()
	cmd := exec.CommandContext(ctx, c.Argv[0], c.Argv[1:]...)
	cmd.Dir, cmd.Env = c.Dir, append(r.environment(), c.Env...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 30 * time.Second
	var out, errout bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errout
	start := time.Now()
	err := cmd.Run()
	o := Outcome{Command: c, Took: time.Since(start), Out: out.String(), Err: errout.String()}
	var exited *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return o, fmt.Errorf("%s: %w", c, ctx.Err())
	case err != nil && !errors.As(err, &exited):
		return o, fmt.Errorf("run %s: %w", c, err)
	}
	o.Code = cmd.ProcessState.ExitCode()
	if u, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		o.Memory = u.Maxrss << 10
	}
	return o, nil
}

// OK runs a command that must end with exit code 0.
func (r *Rig) OK(ctx context.Context, c Command) (Outcome, error) {
	return Succeeded(r.Run(ctx, c))
}

// Succeeded makes an exit code other than 0 an error.
func Succeeded(o Outcome, err error) (Outcome, error) {
	if err == nil && o.Code != 0 {
		err = fmt.Errorf("%s: exit code %d: %s", o.Command, o.Code, Tail(o.Out+o.Err))
	}
	return o, err
}

// Tail is the end of what a command printed, for people.
func Tail(s string) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	return kube.OneLine(strings.Join(lines[max(0, len(lines)-3):], " "))
}

// String is the command for people.
func (c Command) String() string {
	words := append([]string{filepath.Base(c.Argv[0])}, c.Argv[1:]...)
	return strings.Join(words, " ")
}

// environment is that of a person at the lab with the demonstration's keys and
// caches of their own.
func (r *Rig) environment() []string {
	return append(os.Environ(),
		"KUBECONFIG="+lab.Kubeconfig(),
		"BUILDKIT_HOST="+lab.BuildkitAddr(),
		"XDG_CONFIG_HOME="+filepath.Join(demoDir(), "config"),
		"XDG_CACHE_HOME="+filepath.Join(r.Work, "cache"),
		"HELM_CONFIG_HOME="+filepath.Join(r.Work, "helm"),
		"HELM_DATA_HOME="+filepath.Join(r.Work, "helm"),
		"HELM_CACHE_HOME="+filepath.Join(r.Work, "cache", "helm"),
		"TMPDIR="+r.Work,
		"GAUNTLET_KEY=ci",
	)
}

// demoDir is where the demonstration keeps its team.
func demoDir() string { return filepath.Join(lab.Dir(), "demo") }

// Kubectl is a kubectl command against the cluster that is measured on.
func (r *Rig) Kubectl(args ...string) Command {
	return Command{Argv: append([]string{filepath.Join(lab.BinDir(), "kubectl"), "--context", Cluster}, args...)}
}

// Helm is a helm command against it.
func (r *Rig) Helm(namespace string, args ...string) Command {
	return Command{Argv: append([]string{r.Program("helm"), "--kube-context", Cluster, "--namespace", namespace}, args...)}
}

// Gauntlet is a gauntlet command in a platform's folder.
func (r *Rig) Gauntlet(p *Platform, args ...string) Command {
	return Command{Dir: p.Dir, Argv: append([]string{r.Program("gauntlet")}, args...)}
}

// Shell is any command in the checkout's folder.
func (r *Rig) Shell(argv ...string) Command { return Command{Dir: r.Root, Argv: argv} }
