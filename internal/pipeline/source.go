package pipeline

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"gauntlet/internal/config"
	"gauntlet/internal/evidence"
	"gauntlet/internal/git"
	"gauntlet/internal/image"
)

// A source is what images are built from: a folder of a repository as a commit holds
// it, or as it lies in the working tree.
type source struct {
	repo   *git.Repo
	path   string // of the folder, as repo takes it
	origin string // address of the repository, "" when it has none
	commit git.Commit
	tree   string // id of what the folder holds
	dirty  bool   // no commit holds it
}

// imageSource finds the source of the images: a folder of a repository on this
// machine, or of one that is fetched. dirty allows changes that no commit holds.
func (w *Workspace) imageSource(ctx context.Context, dirty bool) (source, error) {
	given := w.Platform.Images.Source
	m, remote, err := config.ParseSource(given)
	if err != nil {
		return source{}, inputf("images.source: %w", err)
	}
	s := source{path: w.path(given)}
	if remote {
		s.path = m.Path
		if s.repo, err = w.fetch(ctx, m); err != nil {
			return source{}, err
		}
		s.origin = m.URL
	} else {
		if s.repo, err = git.Open(ctx, s.path); err != nil {
			return source{}, inputf("the image source: %w", err)
		}
		s.origin = s.repo.Origin(ctx)
		if s.dirty, err = isDirty(ctx, s.path, dirty); err != nil {
			return source{}, err
		}
	}
	if s.commit, err = s.repo.LastCommit(ctx, s.path); err != nil {
		return source{}, ofSource(err)
	}
	if s.dirty {
		s.tree, err = s.repo.WorkingTree(ctx, s.path)
	} else {
		s.tree, err = s.repo.Tree(ctx, s.path)
	}
	return s, ofSource(err)
}

// ofSource takes a folder that no commit holds for a mistake of the configuration.
func ofSource(err error) error {
	if errors.Is(err, git.ErrNoCommit) {
		return inputf("images.source: %w", err)
	}
	return err
}

// fetch brings a repository of images here. It is kept between runs.
func (w *Workspace) fetch(ctx context.Context, m config.Remote) (*git.Repo, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return nil, fmt.Errorf("find a folder to fetch %s into: %w", m.URL, err)
	}
	defer w.waiting("config", "", fmt.Sprintf("fetching %s of %s", m.Ref, m.URL))()
	repo, err := git.Fetch(ctx, filepath.Join(cache, "gauntlet", "git"), m.URL, m.Ref)
	if err != nil {
		return nil, inputf("images.source: %w", err)
	}
	return repo, nil
}

// unbuilt describes what would be built of a source, before it is built.
func (w *Workspace) unbuilt(s source) evidence.Build {
	b := evidence.Build{
		Source:     string(image.SourceDigest(s.tree, w.Platform.Registry, w.Platform.Images)),
		Repository: s.origin,
		Commit:     s.commit.ID,
		Dirty:      s.dirty,
		Label:      s.commit.Label(),
		Recipes:    map[string]evidence.Recipe{},
	}
	if b.Dirty {
		b.Label += dirtyMark + "-" + s.tree[:7]
	}
	if rel, err := s.repo.Rel(s.path); err == nil && rel != "." {
		b.Path = rel
	}
	for name, i := range w.Platform.Images.Build {
		b.Recipes[name] = evidence.Recipe{Dockerfile: i.Dockerfile, Prepare: i.Prepare, From: i.From, Args: i.Args}
	}
	return b
}

// dirtyMark follows the commit in the label of what no commit holds.
const dirtyMark = "-dirty"
