// Package demo walks a release of the example platform through every step to
// production on the lab, by running the commands a team would run. What is shown is
// what happened: each command is a process of its own whose exit code is checked.
package demo

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"gauntlet/lab"
)

// Options say where the demonstration runs.
type Options struct {
	Gauntlet string    // this program
	Example  string    // folder examples/pangeo of a checkout
	Dir      string    // where the team's repository and keys are kept; default beside the lab's state
	Out      io.Writer // told what happens
}

// A Demo is one demonstration.
type Demo struct {
	opts  Options
	start time.Time
	env   []string
}

// Run walks the example to production. It may be run again: what is done is not
// done again, and a change to the example becomes a new release.
func Run(ctx context.Context, opts Options) error {
	if opts.Dir == "" {
		opts.Dir = filepath.Join(lab.Dir(), "demo")
	}
	if _, err := os.Stat(filepath.Join(opts.Example, "gauntlet.yaml")); err != nil {
		return fmt.Errorf("the example platform is not at %s: run the demonstration in a checkout of gauntlet, or name it with --example", opts.Example)
	}
	d := &Demo{opts: opts, start: time.Now()}
	d.env = append(os.Environ(),
		"KUBECONFIG="+lab.Kubeconfig(),
		"BUILDKIT_HOST="+lab.BuildkitAddr(),
		"XDG_CONFIG_HOME="+filepath.Join(opts.Dir, "config"),
		"XDG_CACHE_HOME="+filepath.Join(opts.Dir, "cache"),
	)
	// What runs in this process finds the clusters as its children do.
	if err := os.Setenv("KUBECONFIG", lab.Kubeconfig()); err != nil {
		return err
	}
	for _, step := range []func(context.Context) error{d.prepareImages, d.installOperator, d.prepareTeam, d.walk} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// Team is the folder of the team's repository.
func (d *Demo) team() string { return filepath.Join(d.opts.Dir, "platform") }

// title prints what comes next.
func (d *Demo) title(format string, args ...any) {
	fmt.Fprintf(d.opts.Out, "\n==> [%s] %s\n", time.Since(d.start).Round(time.Second), fmt.Sprintf(format, args...))
}
