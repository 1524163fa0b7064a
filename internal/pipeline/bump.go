package pipeline

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"gauntlet/internal/config"
	"gauntlet/internal/evidence"
	"gauntlet/internal/git"
	"gauntlet/internal/image"
	"gauntlet/internal/release"
)

// A Bumped is what asks for other images.
type Bumped struct {
	Tag    string   `json:"tag"`
	Branch string   `json:"branch,omitempty"` // "" when nothing had to change
	Commit string   `json:"commit,omitempty"` // on the branch
	Files  []string `json:"files,omitempty"`  // that it changes
}

// Bump makes a branch with one commit by which every values file that asks for an image
// by tag asks for this one: "" for the newest that was built and bears its tag. In the
// files all but the tags stays byte for byte; the working tree stays as it is. The tag
// must name images of one build. branch "" is bump-TAG.
func (w *Workspace) Bump(ctx context.Context, tag, branch string) (Bumped, error) {
	s, err := w.look(ctx, "")
	if err != nil {
		return Bumped{}, err
	}
	if tag == "" {
		if tag, err = w.newestTag(ctx, s); err != nil {
			return Bumped{}, err
		}
	}
	asked := &checkout{request: map[string]string{}}
	for name := range w.Platform.Chart.Images {
		asked.request[name] = tag
	}
	var missing *image.NotFoundError
	switch _, err := w.requested(ctx, s, asked); {
	case errors.As(err, &missing):
		return Bumped{}, inputf("no image bears the tag %s: %w", tag, err)
	case err != nil:
		return Bumped{}, err
	}
	files, err := w.tagged(tag)
	if err != nil {
		return Bumped{}, err
	}
	b := Bumped{Tag: tag, Files: slices.Sorted(maps.Keys(files))}
	if len(files) == 0 {
		return b, nil
	}
	repo, err := git.Open(ctx, w.Dir)
	if err != nil {
		return Bumped{}, &InputError{err}
	}
	paths := map[string][]byte{}
	for name, data := range files {
		if err := committed(ctx, w.path(name)); err != nil {
			return Bumped{}, err
		}
		paths[w.path(name)] = data
	}
	if b.Branch = branch; branch == "" {
		b.Branch = "bump-" + tag
	}
	made, err := repo.Branch(ctx, b.Branch, "Ask for images "+tag, paths)
	if errors.Is(err, git.ErrBranch) {
		return Bumped{}, inputf("%w: look at it with git show %s, delete it with git branch -D %[2]s, or name another with --branch", err, b.Branch)
	}
	if errors.Is(err, git.ErrBranchName) {
		return Bumped{}, &InputError{err}
	}
	if err != nil {
		return Bumped{}, fmt.Errorf("make branch %s: %w", b.Branch, err)
	}
	b.Commit = made.ID
	return b, nil
}

// newestTag is the tag of the newest build whose images bear it: they have passed their
// test.
func (w *Workspace) newestTag(ctx context.Context, s *sight) (string, error) {
	for _, b := range s.builds() {
		if b.Dirty {
			continue
		}
		if ok, err := w.bears(ctx, b); err != nil || ok {
			return b.Label, err
		}
	}
	return "", inputf("no images of this platform have been built and tested: gauntlet build does that")
}

// bears says whether all images of a build bear its tag.
func (w *Workspace) bears(ctx context.Context, b evidence.Build) (bool, error) {
	for name, want := range b.Images {
		got, err := image.Resolve(ctx, w.Platform.Registry+"/"+name, b.Label)
		var missing *image.NotFoundError
		if errors.As(err, &missing) || err == nil && got != want {
			return false, nil
		}
		if err != nil {
			return false, err
		}
	}
	return len(b.Images) > 0, nil
}

// tagged are the values files that ask for an image by another tag, as they are when
// they ask for this one. Files that leave the tag to others are not among them.
func (w *Workspace) tagged(tag string) (map[string][]byte, error) {
	changed := map[string][]byte{}
	for _, h := range w.Platform.Hubs {
		for _, file := range h.Values {
			data, err := w.read(file, "to write the tag into it")
			if err != nil {
				return nil, err
			}
			v, err := release.ParseValues(file, data)
			if err != nil {
				return nil, &InputError{err}
			}
			edits := map[string]any{}
			for _, slot := range w.Platform.Chart.Images {
				if old, ok := v.Get(slot.Tag); slot.Tag != "" && ok && old != tag {
					edits[slot.Tag] = tag
				}
			}
			if len(edits) == 0 {
				continue
			}
			if changed[file], err = config.SetPaths(data, edits); err != nil {
				return nil, inputf("%s: %w", file, err)
			}
		}
	}
	return changed, nil
}

// Line is the outcome for people.
func (b Bumped) Line() string {
	if b.Branch == "" {
		return "no values file has to change: they ask for " + b.Tag + " already, or leave it to the commit"
	}
	return fmt.Sprintf("branch %s asks for images %s in %s (commit %s): git push --set-upstream origin %[1]s", b.Branch, b.Tag, strings.Join(b.Files, ", "), shortCommit(b.Commit))
}
