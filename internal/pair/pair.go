// Package pair tests that a notebook image and a worker image work together: the
// notebook image runs the scheduler and the client, the worker image joins from
// pods of its own, and real Dask work crosses between them.
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
)

//go:embed scripts/*.py
var scripts embed.FS

// workersExpected is how many workers join; one is enough to go on.
const workersExpected = 2

// Options is what the pairing test needs.
type Options struct {
	Client    *kube.Client // of the workbench's cluster
	Workbench config.Workbench
	Images    config.Images
	Refs      map[string]string // image of the set to its reference by digest
}

// A probe is a check that the client script makes.
type probe struct {
	key     string // its name in client.py
	name    string
	timeout time.Duration // for the script; the check has answerGrace more
	module  string        // asked only when notebook or worker promises to import it; "": always
	needs   string
}

const (
	isThere   = "the client connects"
	workers   = "workers join"
	versions  = "versions agree"
	aBuiltin  = "a builtin runs on every worker"
	aLambda   = "a lambda runs on every worker"
	canStart  = "the worker starts"
	samePys   = "both have the same Python"
	aligned   = "packages align before a pod starts"
	scheduler = "the notebook starts and runs the scheduler"
)

// answerGrace is what a check may take beyond the time its script has: for the
// way there and back on a busy cluster.
const answerGrace = 15 * time.Second

// probes are in order: each rests on those before it. Between other versions work
// mostly hangs, so it is not begun. A builtin crosses between Pythons that cannot
// exchange a function, so what follows needs the lambda.
var probes = []probe{
	{key: "connect", name: isThere, timeout: 60 * time.Second, needs: canStart},
	{key: "join", name: workers, timeout: 90 * time.Second, needs: isThere},
	{key: "versions", name: versions, timeout: 30 * time.Second, needs: workers},
	{key: "builtin", name: aBuiltin, timeout: 30 * time.Second, needs: versions},
	{key: "lambda", name: aLambda, timeout: 60 * time.Second, needs: aBuiltin},
	{key: "map", name: "a map over 500 tasks", timeout: 60 * time.Second, needs: aLambda},
	{key: "numpy", name: "numpy arrays go both ways", timeout: 60 * time.Second, needs: aLambda},
	{key: "pandas", name: "pandas data frames go both ways", timeout: 60 * time.Second, needs: aLambda},
	{key: "dask-array", name: "a Dask array computes", timeout: 60 * time.Second, needs: aLambda},
	{key: "dask-dataframe", name: "a Dask data frame computes", timeout: 60 * time.Second, module: "pandas", needs: aLambda},
	{key: "geopandas", name: "a geopandas task", timeout: 60 * time.Second, module: "geopandas", needs: aLambda},
	{key: "xarray", name: "an xarray computation", timeout: 60 * time.Second, module: "xarray", needs: aLambda},
	{key: "exceptions", name: "exceptions come back", timeout: 30 * time.Second, needs: aLambda},
	{key: "cancelling", name: "tasks can be cancelled", timeout: 30 * time.Second, needs: aLambda},
	{key: "large", name: "20 MB go both ways", timeout: 90 * time.Second, needs: aLambda},
}

// Suite is the pairing test, named "pairing", of every pair of the images. Names
// of checks begin with the pair: "notebook+worker: workers join". Nothing happens
// until a check runs, and Cleanup removes every pod.
//
// geopandas, xarray and Dask data frames are tried when notebook or worker
// promises (imports in gauntlet.yaml) geopandas, xarray and pandas.
func Suite(o Options) check.Suite {
	r := &run{Options: o}
	s := check.Suite{Name: "pairing", Cleanup: &check.Check{
		Name: "nothing is left behind", Timeout: time.Minute, Run: r.close,
	}}
	type setting struct {
		Pair   config.Pair
		Checks []string
	}
	var settings []setting
	const opens = "the workbench opens"
	for i, p := range o.Images.Pairs {
		if i == 0 {
			s.Checks = append(s.Checks, check.Check{Name: opens, Timeout: time.Minute, Run: r.open})
		}
		start := len(s.Checks)
		r.pair(p, opens, &s)
		set := setting{Pair: p}
		for _, c := range s.Checks[start:] {
			set.Checks = append(set.Checks, fmt.Sprint(c.Name, c.Timeout))
		}
		settings = append(settings, set)
	}
	s.Digest = image.Digest(scripts, struct {
		Rules string // changes when the checks around the scripts do
		Pairs []setting
	}{"2", settings})
	return s
}

// pair adds the checks of one pair.
func (r *run) pair(p config.Pair, opens string, s *check.Suite) {
	m := &match{run: r, Pair: p}
	r.matches = append(r.matches, m)
	label := p.Notebook + "+" + p.Worker + ": "
	add := func(name string, timeout time.Duration, f func(context.Context) (string, error), needs string) {
		s.Checks = append(s.Checks, check.Check{Name: label + name, Timeout: timeout, Run: f, Needs: []string{needs}})
	}
	if p.Template != "" {
		add("the notebook names this worker", 2*time.Minute, func(ctx context.Context) (string, error) {
			return image.NamesWorker(ctx, r.Refs[p.Notebook], p.Template, r.Refs[p.Worker])
		}, opens)
	}
	add(aligned, 5*time.Minute, m.align, opens)
	add(scheduler, 10*time.Minute, m.startScheduler, label+aligned)
	add(canStart, 10*time.Minute, m.startWorkers, label+scheduler)
	add(samePys, time.Minute, m.samePython, label+canStart)
	add("packages agree", time.Minute, m.packagesAgree, label+canStart)
	for _, pr := range probes {
		if pr.module != "" && !r.promises(p.Notebook, pr.module) && !r.promises(p.Worker, pr.module) {
			continue
		}
		needs := []string{label + pr.needs}
		if pr.key == "connect" {
			// Two Pythons never pair; without this the wait for workers would last
			// its whole time before it said the same.
			needs = append(needs, label+samePys)
		}
		s.Checks = append(s.Checks, check.Check{
			Name: label + pr.name, Timeout: pr.timeout + answerGrace, Needs: needs,
			Run: func(ctx context.Context) (string, error) { return m.probe(ctx, pr) },
		})
	}
}

func (r *run) promises(name, module string) bool {
	return slices.Contains(r.Images.Build[name].Imports, module)
}

// A run is one run of the suite. Its checks run one after another.
type run struct {
	Options
	bench     *kube.Workbench
	inspector image.Inspector // of all pairs: images of a set share layers
	matches   []*match
}

func (r *run) open(ctx context.Context) (string, error) {
	for _, p := range r.Images.Pairs {
		for _, name := range []string{p.Notebook, p.Worker} {
			if r.Refs[name] == "" {
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
