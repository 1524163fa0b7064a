// Package pair tests that a notebook image and a worker image work together: the
// client runs in the notebook image, the scheduler beside it or in a pod of its own,
// the worker image joins from pods of its own, and real Dask work crosses between
// them.
package pair

import (
	"context"
	"embed"
	"fmt"
	"slices"
	"time"

	"gauntlet/internal/check"
	"gauntlet/internal/config"
	"gauntlet/internal/image"
	"gauntlet/internal/kube"
	"gauntlet/internal/usertest"
)

//go:embed scripts
var scripts embed.FS

// workersExpected is how many workers join; one is enough to go on.
const workersExpected = 2

// Options is what the pairing test needs.
type Options struct {
	Client    *kube.Client // of the workbench's cluster
	Workbench config.Workbench
	Images    config.Images
	Refs      map[string]string // image of the set to its reference by digest
	Tests     []usertest.Set    // of each pair, the files of its tests
	Inspector *image.Inspector  // tells what the images hold; nil reads it from the registry
}

// Suite is the pairing test, named "pairing", of every pair of the images. Names
// of checks begin with the pair: "notebook+worker: workers join". Nothing happens
// until a check runs, and Cleanup removes every pod.
//
// What needs a library that not every platform has is tried when notebook or worker
// promises it (imports in gauntlet.yaml): pandas for Dask data frames, pyarrow,
// xarray, zarr, sparse and geopandas.
func Suite(o Options) check.Suite {
	if o.Inspector == nil {
		o.Inspector = new(image.Inspector)
	}
	r := &run{Options: o}
	s := check.Suite{Name: "pairing", Cleanup: &check.Check{
		Name: "nothing is left behind", Timeout: time.Minute, Run: r.close,
	}}
	type setting struct {
		Pair   config.Pair
		Checks []string
		Tests  []string
	}
	var settings []setting
	for i, p := range o.Images.Pairs {
		if i == 0 {
			s.Checks = append(s.Checks, check.Check{Name: opens, Timeout: time.Minute, Run: r.open})
		}
		start := len(s.Checks)
		var tests usertest.Set
		if i < len(o.Tests) {
			tests = o.Tests[i]
		}
		r.pair(p, tests, &s)
		set := setting{Pair: p, Tests: tests.Digests()}
		for _, c := range s.Checks[start:] {
			set.Checks = append(set.Checks, fmt.Sprint(c.Name, c.Timeout))
		}
		settings = append(settings, set)
	}
	s.Digest = image.Digest(scripts, struct {
		Rules     string // changes when the checks around the scripts do
		Alignment config.Alignment
		Pairs     []setting
	}{"3", o.Images.Alignment, settings})
	return s
}

// pair adds the checks of one pair.
func (r *run) pair(p config.Pair, tests usertest.Set, s *check.Suite) {
	m := &match{run: r, Pair: p}
	r.matches = append(r.matches, m)
	label := p.Notebook + "+" + p.Worker + ": "
	add := func(name string, timeout time.Duration, f func(context.Context) (string, error), needs string) {
		s.Checks = append(s.Checks, check.Check{Name: label + name, Timeout: timeout, Run: f, Needs: []string{needs}})
	}
	if p.Template != "" || p.Environment != "" {
		add("the notebook names this worker", 2*time.Minute, func(ctx context.Context) (string, error) {
			return image.NamesWorker(ctx, r.Refs[p.Notebook], p, r.Refs[p.Worker])
		}, opens)
	}
	add(aligned, 5*time.Minute, m.align, opens)
	add(scheduler, 10*time.Minute, m.startScheduler, label+aligned)
	add(canStart, 10*time.Minute, m.startWorkers, label+scheduler)
	add(agree, time.Minute, m.packagesAgree, label+canStart)
	for _, pr := range probes {
		if pr.module != "" && !r.promises(p.Notebook, pr.module) && !r.promises(p.Worker, pr.module) {
			continue
		}
		c := check.Check{
			Name: label + pr.name, Timeout: pr.timeout + answerGrace, Needs: []string{label + pr.needs},
			Run: func(ctx context.Context) (string, error) { return m.probe(ctx, pr) },
		}
		if pr.needs == "" {
			c.Needs, c.Retries = []string{label + aLambda}, 1
		}
		s.Checks = append(s.Checks, c)
	}
	for _, f := range tests.Runs() {
		s.Checks = append(s.Checks, check.Check{
			Name: label + f.Name + " passes", Timeout: usertest.Timeout, Needs: []string{label + aLambda}, Retries: 1,
			Run: func(ctx context.Context) (string, error) { return m.test(ctx, tests, f) },
		})
	}
}

func (r *run) promises(name, module string) bool {
	return slices.Contains(r.Images.Build[name].Imports, module)
}

// A run is one run of the suite. Its checks run one after another.
type run struct {
	Options
	bench   *kube.Workbench
	matches []*match
}

func (r *run) open(ctx context.Context) (string, error) {
	for _, p := range r.Images.Pairs {
		for _, name := range []string{p.Notebook, p.Worker, p.Scheduler} {
			if name != "" && r.Refs[name] == "" {
				return "", fmt.Errorf("the image set has no image %s", name)
			}
		}
	}
	bench, err := kube.OpenWorkbench(ctx, r.Client, r.Workbench)
	if err != nil {
		return "", err
	}
	r.bench = bench
	return "namespace " + bench.Namespace, nil
}

func (r *run) close(ctx context.Context) (string, error) {
	if r.bench == nil {
		return "nothing was made", nil
	}
	pods := 0
	for _, m := range r.matches {
		m.end()
		pods += len(m.pods())
	}
	if err := r.bench.Close(ctx); err != nil {
		return "", err
	}
	return fmt.Sprintf("%d pods are gone", pods), nil
}
