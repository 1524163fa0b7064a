package pipeline

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"gauntlet/internal/check"
	"gauntlet/internal/config"
	"gauntlet/internal/evidence"
	"gauntlet/internal/image"
	"gauntlet/internal/kill"
	"gauntlet/internal/ledger"
	"gauntlet/internal/pair"
	"gauntlet/internal/release"
	"gauntlet/internal/usertest"
)

// build gives the image set the checkout asks for: the one already built from the
// same source, or a new one. Nothing is tested yet and no tag appears.
func (w *Workspace) build(ctx context.Context, s *sight, c *checkout) (evidence.Build, error) {
	if want, err := w.requested(ctx, s, c); err != nil || want != nil {
		if err != nil {
			return evidence.Build{}, &StepError{Step: "build", Cause: err}
		}
		return *want, nil
	}
	b, err := w.source(ctx, c)
	if err != nil {
		return b, err
	}
	if old, ok, err := w.built(ctx, s, b.Source); err != nil || ok {
		if ok {
			w.tell("build", "", Reused, "", fmt.Sprintf("images %s are built already", old.Label))
		}
		return old, err
	}
	w.tell("build", "", Started, "", fmt.Sprintf("building %s from commit %s", strings.Join(slices.Sorted(maps.Keys(w.Platform.Images.Build)), " and "), b.Label))
	dir, err := os.MkdirTemp("", "gauntlet-source-")
	if err != nil {
		return b, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if err := c.images.Export(ctx, c.source, dir); err != nil {
		return b, err
	}
	set, err := image.Build(ctx, image.Options{
		Source:   dir, // what the commit holds, whatever the working tree does
		Images:   w.Platform.Images,
		Dir:      w.Dir,
		Registry: w.Platform.Registry,
		Observe:  func(name, text string) { w.tell("build", "", Progress, name, text) },
	})
	if err != nil {
		return b, &StepError{Step: "build", Cause: err}
	}
	b.Images = set.Images
	kill.At("build:pushed")
	if err := w.ledger.PutArtifact(ctx, set.Artifact()); err != nil {
		return b, fmt.Errorf("keep the image set: %w", err)
	}
	err = w.record(ctx, s, ledger.Statement{
		Type:      evidence.BuildType,
		Subjects:  []evidence.Subject{{Kind: evidence.ImageSet, Digest: set.Digest()}},
		Predicate: b,
	})
	if err != nil {
		return b, err
	}
	w.tell("build", "", Passed, "", "image set "+set.Digest().Short())
	return b, nil
}

// source names what would be built, before building it.
func (w *Workspace) source(ctx context.Context, c *checkout) (evidence.Build, error) {
	tree, err := c.images.Tree(ctx, c.source)
	if err != nil {
		return evidence.Build{}, err
	}
	commit, err := c.images.LastCommit(ctx, c.source)
	if err != nil {
		return evidence.Build{}, err
	}
	return evidence.Build{
		Source: string(image.SourceDigest(tree, w.Platform.Registry, w.Platform.Images)),
		Commit: commit.ID,
		Label:  commit.Label(),
	}, nil
}

// built looks for a build of the same source whose images the registry still holds.
func (w *Workspace) built(ctx context.Context, s *sight, source string) (evidence.Build, bool, error) {
	for i := len(s.view.Records) - 1; i >= 0; i-- {
		r := s.view.Records[i]
		if r.Type != evidence.BuildType || !s.is(r.Signer, config.RoleBuilder) {
			continue
		}
		b, err := evidence.Decode[evidence.Build](r)
		if err != nil || b.Source != source {
			continue
		}
		ok, err := w.present(ctx, b)
		if err != nil {
			return b, false, err
		}
		if ok {
			return b, true, nil
		}
	}
	return evidence.Build{}, false, nil
}

// present says whether the registry holds all images of a build.
func (w *Workspace) present(ctx context.Context, b evidence.Build) (bool, error) {
	for _, name := range slices.Sorted(maps.Keys(b.Images)) {
		ok, err := image.Exists(ctx, w.ref(name, b.Images[name]))
		if err != nil || !ok {
			return false, err
		}
	}
	return len(b.Images) > 0, nil
}

// requested resolves the tags that the values ask for to the one build they name;
// nil when the values leave the tag to the images of this commit.
func (w *Workspace) requested(ctx context.Context, s *sight, c *checkout) (*evidence.Build, error) {
	asked := map[string]release.Digest{}
	for _, name := range slices.Sorted(maps.Keys(c.request)) {
		if tag := c.request[name]; tag != "" {
			digest, err := image.Resolve(ctx, w.Platform.Registry+"/"+name, tag)
			if err != nil {
				return nil, err
			}
			asked[name] = digest
		}
	}
	if len(asked) == 0 {
		return nil, nil
	}
	if len(asked) < len(c.request) {
		return nil, inputf("the values ask for %s by tag and leave the others to this commit: a release holds the images of one build; ask for all by tag or for none",
			listed(asked))
	}
	first := slices.Min(slices.Collect(maps.Keys(asked)))
	for _, r := range slices.Backward(s.view.Records) {
		if r.Type != evidence.BuildType || !s.is(r.Signer, config.RoleBuilder) {
			continue
		}
		if b, err := evidence.Decode[evidence.Build](r); err == nil && holds(b, asked) {
			w.tell("build", "", Reused, "", fmt.Sprintf("the values ask for images %s, built from commit %s", c.request[first], shortCommit(b.Commit)))
			return &b, nil
		}
	}
	var found []string
	for _, name := range slices.Sorted(maps.Keys(asked)) {
		found = append(found, fmt.Sprintf("%s/%s:%s (%s)", w.Platform.Registry, name, c.request[name], asked[name].Short()))
	}
	if len(found) > 1 {
		return nil, inputf("no builder of the policy built %s together: ask for tags of one build, or make one with `gauntlet build`", strings.Join(found, " and "))
	}
	return nil, inputf("%s exists, but no builder of the policy built it: build it with `gauntlet build`, or ask for a tag that was", found[0])
}

// holds says whether a build made all of these images.
func holds(b evidence.Build, images map[string]release.Digest) bool {
	for name, d := range images {
		if b.Images[name] != d {
			return false
		}
	}
	return true
}

// listed are the names of images for people.
func listed(images map[string]release.Digest) string {
	return strings.Join(slices.Sorted(maps.Keys(images)), ", ")
}

// ref is where an image of the set is.
func (w *Workspace) ref(name string, d release.Digest) string {
	return w.Platform.Registry + "/" + name + "@" + string(d)
}

func (w *Workspace) refs(set release.ImageSet) map[string]string {
	refs := map[string]string{}
	for n, d := range set.Images {
		refs[n] = w.ref(n, d)
	}
	return refs
}

// imageTest runs the image suite unless it holds already, and lets the commit's tag
// appear once it has passed.
func (w *Workspace) imageTest(ctx context.Context, s *sight, b evidence.Build) error {
	set := release.ImageSet{Images: b.Images}
	bench, err := w.workbench()
	if err != nil {
		return err
	}
	tests := map[string]usertest.Set{}
	for name, b := range w.Platform.Images.Build {
		if tests[name], err = w.tests(b.Tests, "test of image "+name); err != nil {
			return err
		}
	}
	suite := image.Suite(image.SuiteOptions{
		Client: bench, Workbench: w.Platform.Workbench,
		Images: w.Platform.Images, Refs: w.refs(set), Tests: tests,
	})
	if err := w.suite(ctx, s, suite, evidence.Subject{Kind: evidence.ImageSet, Digest: set.Digest()}, ""); err != nil {
		return err
	}
	kill.At("build:tested")
	for _, name := range slices.Sorted(maps.Keys(b.Images)) {
		if err := image.Tag(ctx, w.ref(name, b.Images[name]), b.Label); err != nil {
			return &StepError{Step: "image test", Cause: err}
		}
	}
	return nil
}

// tests reads the files that people give as tests.
func (w *Workspace) tests(files []string, what string) (usertest.Set, error) {
	var set usertest.Set
	for _, f := range files {
		data, err := w.read(f, what)
		if err != nil {
			return nil, err
		}
		set = append(set, usertest.File{Name: f, Data: data})
	}
	if len(files) > 0 && len(set.Runs()) == 0 {
		return nil, inputf("%s: none of %s can be run: name a test_*.py, an .ipynb or a script", what, strings.Join(files, ", "))
	}
	return set, nil
}

// pairing runs the pairing suite of every pair unless it holds already.
func (w *Workspace) pairing(ctx context.Context, s *sight, b evidence.Build) error {
	set := release.ImageSet{Images: b.Images}
	bench, err := w.workbench()
	if err != nil {
		return err
	}
	var tests []usertest.Set
	for _, p := range w.Platform.Images.Pairs {
		files, err := w.tests(p.Tests, fmt.Sprintf("test of the pair %s+%s", p.Notebook, p.Worker))
		if err != nil {
			return err
		}
		tests = append(tests, files)
	}
	suite := pair.Suite(pair.Options{
		Client: bench, Workbench: w.Platform.Workbench,
		Images: w.Platform.Images, Refs: w.refs(set), Tests: tests,
	})
	return w.suite(ctx, s, suite, evidence.Subject{Kind: evidence.ImageSet, Digest: set.Digest()}, "")
}

// suite runs a suite on a subject and records its result, unless the ledger holds a
// passing result of the very same suite on it: that verdict is reused, and said so.
func (w *Workspace) suite(ctx context.Context, s *sight, suite check.Suite, about evidence.Subject, hubName string) error {
	step := suite.Name
	if r, ok := s.result(suite, about, hubName); ok {
		w.tell(step, hubName, Reused, "", fmt.Sprintf("passed on %s for the same %s", r.Finished.Local().Format("2 Jan 15:04:05"), called(about.Kind)))
		return nil
	}
	return w.try(ctx, s, suite, about, hubName)
}

// try runs a suite on a subject and records its result.
func (w *Workspace) try(ctx context.Context, s *sight, suite check.Suite, about evidence.Subject, hubName string) error {
	step := suite.Name
	w.tell(step, hubName, Started, "", count(len(suite.Checks), "check", "checks"))
	result := check.Run(ctx, suite, func(o check.Outcome) {
		w.tell(step, hubName, strings.ToLower(string(o.State)), o.Name, o.Message)
		kill.At(step + ":" + o.Name)
	})
	if ctx.Err() != nil {
		return context.Cause(ctx) // cut short by its caller: says nothing about the subject
	}
	if err := w.record(ctx, s, ledger.Statement{
		Type:      evidence.TestResultType,
		Subjects:  []evidence.Subject{about},
		Predicate: result.Evidence(hubName),
	}); err != nil {
		return err
	}
	if result.State == check.Failed {
		return &StepError{Step: step, Hub: hubName, Cause: firstFailure(result)}
	}
	w.tell(step, hubName, Passed, "", fmt.Sprintf("%s in %s", count(len(result.Outcomes), "check", "checks"), result.Finished.Sub(result.Started).Round(100e6)))
	return nil
}

// result is the newest result of a suite on a subject, when it passed, was made by
// a checker, and the suite has not changed since. One that rests on no check is none.
func (s *sight) result(suite check.Suite, about evidence.Subject, hubName string) (evidence.TestResult, bool) {
	for i := len(s.view.Records) - 1; i >= 0; i-- {
		r := s.view.Records[i]
		if hubName != "" && s.freshly(r, hubName) {
			return evidence.TestResult{}, false // what was seen before this deployment says nothing about it
		}
		if r.Type != evidence.TestResultType || !r.About(about.Kind, about.Digest) {
			continue
		}
		if !s.is(r.Signer, config.RoleChecker) {
			continue
		}
		t, err := evidence.Decode[evidence.TestResult](r)
		if err != nil || t.Suite != suite.Name || t.Hub != hubName {
			continue
		}
		same := len(t.Configuration) > 0 && t.Configuration[0].Digest["sha256"] == suite.Digest
		return t, same && len(t.Checks) > 0 && (t.Result == evidence.Passed || t.Result == evidence.Warned)
	}
	return evidence.TestResult{}, false
}

// freshly says whether a record is of a deployment that changed the hub.
func (s *sight) freshly(r evidence.Record, hubName string) bool {
	d, ok := s.deployed(r)
	return ok && d.Hub == hubName && !d.Reused
}

// called is a kind of subject as people write it.
func called(kind string) string {
	if kind == evidence.ImageSet {
		return "image set"
	}
	return kind
}

// firstFailure is the cause of a failed suite in one line.
func firstFailure(r check.Result) error {
	for _, o := range r.Outcomes {
		if o.State == check.Failed {
			return fmt.Errorf("%s: %s", o.Name, o.Message)
		}
	}
	return fmt.Errorf("no check ran")
}

// shortCommit is a commit as people write it.
func shortCommit(id string) string {
	if len(id) > 7 {
		return id[:7]
	}
	return id
}
