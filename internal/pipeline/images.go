package pipeline

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"gauntlet/internal/evidence"
	"gauntlet/internal/image"
	"gauntlet/internal/kill"
	"gauntlet/internal/ledger"
	"gauntlet/internal/release"
)

// build gives the image set the checkout asks for: the one already built from the
// same source, or a new one. Nothing is tested yet and no tag appears.
func (w *Workspace) build(ctx context.Context, s *sight, c *checkout) (evidence.Build, error) {
	if want, err := w.requested(ctx, s, c); err != nil || want != nil {
		if err != nil {
			return evidence.Build{}, &StepError{Step: "build", Cause: err}
		}
		tag := c.request[slices.Min(slices.Collect(maps.Keys(c.request)))]
		w.tell("build", "", Reused, "", fmt.Sprintf("the values ask for images %s, built from commit %s", tag, shortCommit(want.Commit)))
		return *want, nil
	}
	b := w.unbuilt(c.images)
	if old, ok, err := w.built(ctx, s, b); err != nil || ok {
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
	if err := c.images.repo.Export(ctx, c.images.tree, dir); err != nil {
		return b, err
	}
	said, err := w.declared(dir)
	if err != nil {
		return b, err
	}
	b.Started = w.opts.Now().UTC().Truncate(time.Second)
	built, err := w.buildIn(ctx, dir)
	if err != nil {
		return b, &StepError{Step: "build", Cause: err}
	}
	set := built.Set
	b.Images, b.Resolved = set.Images, built.Resolved
	b.Builder = map[string]string{"buildkit": built.BuildKit, "gauntlet": w.opts.Version}
	b.Finished = w.opts.Now().UTC().Truncate(time.Second)
	kill.At("build:pushed")
	sizes, err := image.Measure(ctx, w.Platform.Registry, set)
	if err != nil {
		return b, &StepError{Step: "build", Cause: err}
	}
	b.Sizes, b.Total, b.Shared = sizes.Images, sizes.Total, sizes.Shared
	if b.Packages, err = w.keepPackages(ctx, set, said); err != nil {
		return b, &StepError{Step: "build", Cause: err}
	}
	if err := w.ledger.PutArtifact(ctx, set.Artifact()); err != nil {
		return b, fmt.Errorf("keep the image set: %w", err)
	}
	err = w.record(ctx, s, ledger.Statement{Type: evidence.BuildType, Subjects: b.Subjects(w.Platform.Registry), Predicate: b})
	if err != nil {
		return b, err
	}
	w.tell("build", "", Passed, "", fmt.Sprintf("image set %s, %s, of which %s are shared by several images", set.Digest().Short(), image.Megabytes(b.Total), image.Megabytes(b.Shared)))
	return b, nil
}

// buildIn builds the images of a folder with the BuildKit that BUILDKIT_HOST names, or
// with one in a pod of the workbench.
func (w *Workspace) buildIn(ctx context.Context, dir string) (set image.Built, err error) {
	tell := func(name, text string) { w.tell("build", "", Progress, name, text) }
	o := image.Options{
		Source:   dir, // what the commit holds, whatever the working tree does
		Images:   w.Platform.Images,
		Dir:      w.Dir,
		Registry: w.Platform.Registry,
		Observe:  tell,
	}
	if w.Platform.Workbench.Builder == nil || os.Getenv("BUILDKIT_HOST") != "" {
		return image.Build(ctx, o)
	}
	c, err := w.workbench()
	if err != nil {
		return set, err
	}
	tell("", "starting BuildKit in the workbench")
	pod, err := image.StartBuilder(ctx, c, w.Platform.Workbench, func(text string) { tell("", text) })
	if err != nil {
		return set, err
	}
	defer func() { err = errors.Join(err, pod.Close(ctx)) }()
	o.Dial = pod.Dial
	return image.Build(ctx, o)
}

// built looks for a build of the same source whose images the registry still holds. One
// of a tree that no commit held is none of a commit, though the files are the same: its
// name says otherwise.
func (w *Workspace) built(ctx context.Context, s *sight, want evidence.Build) (evidence.Build, bool, error) {
	for _, b := range s.builds() {
		if b.Source != want.Source || b.Dirty && !want.Dirty {
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

// tagAll gives all images of a set a tag, or none: a tag that another image bears
// (*image.TagTakenError) and an image that is gone (*image.NotFoundError) are found before
// any is written. Run again after it was cut short it writes those that are
// missing. step names the points at which a test may end it.
func (w *Workspace) tagAll(ctx context.Context, set release.ImageSet, tag, step string) error {
	names := slices.Sorted(maps.Keys(set.Images))
	for _, name := range names {
		ref := w.ref(name, set.Images[name])
		if _, err := image.Tagged(ctx, ref, tag); err != nil {
			return err
		}
		switch ok, err := image.Exists(ctx, ref); {
		case err != nil:
			return err
		case !ok:
			return &image.NotFoundError{Ref: ref}
		}
	}
	for i, name := range names {
		kill.At(fmt.Sprintf("%s:%d", step, i))
		if err := image.Tag(ctx, w.ref(name, set.Images[name]), tag); err != nil {
			return err
		}
	}
	kill.At(fmt.Sprintf("%s:%d", step, len(names)))
	return nil
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
			named(asked))
	}
	for _, b := range s.builds() {
		if holds(b, asked) {
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

// named are the names of images for people.
func named(images map[string]release.Digest) string {
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

// shortCommit is a commit as people write it.
func shortCommit(id string) string {
	if len(id) > 7 {
		return id[:7]
	}
	return id
}
