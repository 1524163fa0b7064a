// Package rig is what the benchmarks share: hubs of the example under gauntlet and
// under plain helm on the lab, the commands that both sides run, and rows of what
// was measured, in turn and side by side.
package rig

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"gauntlet/lab"
)

// A Rig is one run of a benchmark.
type Rig struct {
	Rounds int    // of each measurement
	Root   string // of the checkout
	Work   string // folder of what it makes; Close removes it

	namespaces []string // that the run makes
	start      time.Time
}

// Open readies a run in the checkout that is the current folder: gauntlet and helm
// are compiled, the lab is up and the demonstration has made its images.
func Open(ctx context.Context, rounds int) (*Rig, error) {
	r := &Rig{Rounds: rounds, start: time.Now()}
	var err error
	if r.Root, err = os.Getwd(); err != nil {
		return nil, err
	}
	if err := r.ready(ctx); err != nil {
		return nil, err
	}
	if err := os.Setenv("KUBECONFIG", lab.Kubeconfig()); err != nil { // for clients of this process
		return nil, err
	}
	r.Work, err = os.MkdirTemp("", "gauntlet-bench-")
	return r, err
}

// Close removes what the run has made, also when ctx has ended.
func (r *Rig) Close(ctx context.Context) error {
	r.Say("removing the namespaces")
	after, cancel := context.WithTimeout(context.WithoutCancel(ctx), 3*time.Minute)
	defer cancel()
	return errors.Join(r.remove(after, r.namespaces...), os.RemoveAll(r.Work))
}

// Namespace makes an empty namespace that Close removes.
func (r *Rig) Namespace(ctx context.Context, name string) error {
	r.namespaces = append(r.namespaces, name)
	if err := r.remove(ctx, name); err != nil { // what a killed run left
		return err
	}
	_, err := r.OK(ctx, r.Kubectl("create", "namespace", name))
	return err
}

// ready says what is missing before anything can be measured.
func (r *Rig) ready(ctx context.Context) error {
	for _, p := range []string{"gauntlet", "helm"} {
		if _, err := os.Stat(r.Program(p)); err != nil {
			return fmt.Errorf("bin/%s is not built: run bench/run in the checkout", p)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	st, err := lab.GetStatus(ctx)
	if err != nil {
		return err
	}
	if !st.Up {
		return errors.New("the lab is not up: make demo brings it up and makes the images that are measured with")
	}
	if _, err := os.Stat(filepath.Join(demoDir(), "platform", "gauntlet.yaml")); err != nil {
		return errors.New("the demonstration has not run, and its images are measured with: make demo")
	}
	return nil
}

// Program is the path of a program that bench/run has compiled.
func (r *Rig) Program(name string) string { return filepath.Join(r.Root, "bin", name) }

// Say tells what is being done and since when.
func (r *Rig) Say(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "==> [%s] %s\n", time.Since(r.start).Round(time.Second), strings.TrimSpace(fmt.Sprintf(format, args...)))
}

// Alternate runs both sides in turn, each first in every other round, so that what
// else the machine does hits both.
func (r *Rig) Alternate(ctx context.Context, what string, gauntlet, other func(ctx context.Context, round int) error) error {
	for i := range r.Rounds {
		r.Say("%s: round %d of %d", what, i+1, r.Rounds)
		sides := []func(context.Context, int) error{gauntlet, other}
		if i%2 == 1 {
			sides[0], sides[1] = sides[1], sides[0]
		}
		for _, side := range sides {
			if err := side(ctx, i); err != nil {
				return fmt.Errorf("%s: %w", what, err)
			}
		}
	}
	return nil
}
