package pipeline

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/Masterminds/semver/v3"

	"gauntlet/internal/check"
	"gauntlet/internal/declared"
	"gauntlet/internal/deploy/helm"
	"gauntlet/internal/evidence"
	"gauntlet/internal/image"
	"gauntlet/internal/kill"
	"gauntlet/internal/kube"
	"gauntlet/internal/pair"
	"gauntlet/internal/preflight"
	"gauntlet/internal/release"
	"gauntlet/internal/usertest"
)

// errImages is why a pairing is cut short: its images are of no use.
var errImages = errors.New("the image test failed")

// test runs the image suite and the pairing suite side by side, each unless its verdict
// holds already or it is to be made again. Images get their commit's tag once their own suite has passed; when it
// fails, nobody needs to know whether they pair.
func (w *Workspace) test(ctx context.Context, s *sight, c *checkout, b evidence.Build, again bool) error {
	set := release.ImageSet{Images: b.Images}
	about := evidence.Subject{Kind: evidence.ImageSet, Digest: set.Digest()}
	bench, err := w.workbench()
	if err != nil {
		return err
	}
	said, err := w.inspect(ctx, s, set)
	if err != nil {
		return err
	}
	images, err := w.imageSuite(s, c, bench, set, said)
	if err != nil {
		return err
	}
	pairs, err := w.pairSuite(bench, set)
	if err != nil {
		return err
	}
	pairing, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var paired check.Result
	var side sync.WaitGroup
	known := !again && w.known(s, pairs, about, "")
	if !known {
		side.Go(func() { paired = w.check(pairing, pairs, "") })
	}
	// Results are recorded one after the other: the image test's first.
	judge := w.suite
	if again {
		judge = w.try
	}
	if err := judge(ctx, s, images, about, ""); err != nil {
		stop(errImages)
		side.Wait()
		return err
	}
	kill.At("build:tested")
	if err := w.tagAll(ctx, set, b.Label, "build-tag"); err != nil {
		stop(errImages)
		side.Wait()
		return &StepError{Step: "image test", Cause: err}
	}
	side.Wait()
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case known:
		return nil
	}
	return w.conclude(ctx, s, paired, about, "")
}

func (w *Workspace) imageSuite(s *sight, c *checkout, bench *kube.Client, set release.ImageSet, said map[string][]declared.Package) (check.Suite, error) {
	hubs, err := w.hubVersions(c)
	if err != nil {
		return check.Suite{}, err
	}
	tests := map[string]usertest.Set{}
	for name, b := range w.Platform.Images.Build {
		if tests[name], err = w.tests(b.Tests, "test of image "+name); err != nil {
			return check.Suite{}, err
		}
	}
	return image.Suite(image.SuiteOptions{
		Client: bench, Workbench: w.Platform.Workbench,
		Images: w.Platform.Images, Registry: w.Platform.Registry, Refs: w.refs(set), Tests: tests,
		Hubs: hubs, Production: w.productionSet(s), Declared: said, Inspector: &w.inspector,
	}), nil
}

// hubVersions are the versions of JupyterHub that the checkout's hubs are of, as far as
// the chart says.
func (w *Workspace) hubVersions(c *checkout) ([]string, error) {
	var all []*semver.Version
	for _, name := range w.hubNames("") {
		charts, values, err := helm.Charts(c.chart, c.values[name])
		if err != nil {
			return nil, inputf("hub %s: %w", name, err)
		}
		var list []preflight.Chart
		for _, ch := range charts {
			list = append(list, preflight.Chart(ch))
		}
		all = append(all, preflight.HubVersions(list, values)...)
	}
	return image.MajorMinor(all), nil
}

// productionSet tells the image set that production runs, an empty one when it runs none.
func (w *Workspace) productionSet(s *sight) func(context.Context) (release.ImageSet, error) {
	return func(ctx context.Context) (release.ImageSet, error) {
		id := w.production(s, w.states(ctx))
		if id == "" {
			return release.ImageSet{}, nil
		}
		contents, err := w.open(ctx, id)
		if err != nil {
			return release.ImageSet{}, err
		}
		return contents.Set, nil
	}
}

func (w *Workspace) pairSuite(bench *kube.Client, set release.ImageSet) (check.Suite, error) {
	var tests []usertest.Set
	for _, p := range w.Platform.Images.Pairs {
		files, err := w.tests(p.Tests, fmt.Sprintf("test of the pair %s+%s", p.Notebook, p.Worker))
		if err != nil {
			return check.Suite{}, err
		}
		tests = append(tests, files)
	}
	return pair.Suite(pair.Options{
		Client: bench, Workbench: w.Platform.Workbench,
		Images: w.Platform.Images, Refs: w.refs(set), Tests: tests, Inspector: &w.inspector,
	}), nil
}

// tests reads the files that people give as tests.
func (w *Workspace) tests(files []string, what string) (usertest.Set, error) {
	set, err := usertest.Load(files, func(file string) ([]byte, error) { return w.read(file, what) })
	if err != nil {
		return nil, err
	}
	if len(files) > 0 && len(set.Runs()) == 0 {
		return nil, inputf("%s: none of %s can be run: name a test_*.py, an .ipynb or a script", what, strings.Join(files, ", "))
	}
	return set, nil
}
