package git

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Tree is the id of the tree that Rev holds at path: equal ids, equal files.
func (r *Repo) Tree(ctx context.Context, path string) (string, error) {
	rel, err := r.Rel(path)
	if err != nil {
		return "", err
	}
	spec := r.Rev + ":" + rel
	if rel == "." {
		spec = r.Rev + "^{tree}"
	}
	out, err := run(ctx, r.Root, nil, "rev-parse", "--verify", "--quiet", "--end-of-options", spec)
	if err != nil {
		return "", fmt.Errorf("%s in %s: %w (git add and commit it)", path, r.Root, ErrNoCommit)
	}
	id := strings.TrimSpace(out)
	kind, err := run(ctx, r.Root, nil, "cat-file", "-t", id)
	if err != nil {
		return "", fmt.Errorf("read what %s is in commit %s of %s: %w", path, r.Rev, r.Root, err)
	}
	if strings.TrimSpace(kind) != "tree" {
		return "", fmt.Errorf("%s in %s is no folder in its newest commit but a %s", path, r.Root, strings.TrimSpace(kind))
	}
	return id, nil
}

// Export writes the files of a tree (as Tree or WorkingTree names it) into the folder
// dest, which must be empty or missing: what the tree holds, whatever else is there.
func (r *Repo) Export(ctx context.Context, tree, dest string) error {
	dest, err := filepath.Abs(dest)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dest, 0o755); err != nil {
		return fmt.Errorf("make a folder for the files of tree %s: %w", tree, err)
	}
	env, remove, err := ownIndex()
	if err != nil {
		return err
	}
	defer remove()
	if _, err := run(ctx, r.Root, env, "read-tree", tree); err != nil {
		return fmt.Errorf("read the files of tree %s: %w", tree, err)
	}
	if _, err := run(ctx, r.Root, env, "checkout-index", "--all", "--prefix="+dest+"/"); err != nil {
		return fmt.Errorf("write the files of tree %s: %w", tree, err)
	}
	return nil
}

// WorkingTree is the id of a tree with the files under path as they lie in the working
// tree, ignored ones left out. It is kept in the repository, where nothing names it;
// the index stays as it is.
func (r *Repo) WorkingTree(ctx context.Context, path string) (string, error) {
	rel, err := r.Rel(path)
	if err != nil {
		return "", err
	}
	env, remove, err := ownIndex()
	if err != nil {
		return "", err
	}
	defer remove()
	if _, err := run(ctx, r.Root, env, "read-tree", r.Rev); err != nil {
		return "", fmt.Errorf("read commit %s of %s: %w", r.Rev, r.Root, err)
	}
	if _, err := run(ctx, r.Root, env, "add", "--all", "--", rel); err != nil {
		return "", fmt.Errorf("read the files of %s: %w", path, err)
	}
	args := []string{"write-tree"}
	if rel != "." {
		args = append(args, "--prefix="+rel+"/")
	}
	id, err := run(ctx, r.Root, env, args...)
	if err != nil {
		return "", fmt.Errorf("%s in %s holds no file: %w", path, r.Root, err)
	}
	return strings.TrimSpace(id), nil
}

// ownIndex is the environment of an index beside the user's, which is not touched.
func ownIndex() (env []string, remove func(), err error) {
	dir, err := os.MkdirTemp("", "gauntlet-index-")
	if err != nil {
		return nil, nil, fmt.Errorf("make an index for git: %w", err)
	}
	return []string{"GIT_INDEX_FILE=" + filepath.Join(dir, "index")}, func() { _ = os.RemoveAll(dir) }, nil
}

// Branch makes a branch with one commit on top of HEAD that gives files new contents:
// path, absolute or relative to Root, to bytes. Neither the branch that is checked out
// nor the working tree nor the index changes; modes of the files stay. A branch of that
// name that exists is ErrBranch, and nothing is left of what was begun.
func (r *Repo) Branch(ctx context.Context, name, message string, files map[string][]byte) (Commit, error) {
	ref := "refs/heads/" + name
	if _, err := run(ctx, r.Root, nil, "check-ref-format", "--branch", name); err != nil {
		return Commit{}, fmt.Errorf("%q is %w", name, ErrBranchName)
	}
	if _, err := run(ctx, r.Root, nil, "rev-parse", "--verify", "--quiet", ref); err == nil {
		return Commit{}, fmt.Errorf("branch %s: %w", name, ErrBranch)
	}
	dir, err := os.MkdirTemp("", "gauntlet-branch-")
	if err != nil {
		return Commit{}, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	env, remove, err := ownIndex()
	if err != nil {
		return Commit{}, err
	}
	defer remove()
	if _, err := run(ctx, r.Root, env, "read-tree", "HEAD"); err != nil {
		return Commit{}, err
	}
	for i, path := range slices.Sorted(maps.Keys(files)) {
		rel, err := r.Rel(path)
		if err != nil {
			return Commit{}, err
		}
		listed, err := run(ctx, r.Root, nil, "ls-tree", "HEAD", "--", rel)
		mode, _, ok := strings.Cut(listed, " ")
		if err != nil || !ok {
			return Commit{}, fmt.Errorf("%s is %w", path, ErrNoCommit)
		}
		text := filepath.Join(dir, fmt.Sprint(i))
		if err := os.WriteFile(text, files[path], 0o600); err != nil {
			return Commit{}, err
		}
		blob, err := run(ctx, r.Root, nil, "hash-object", "-w", "--no-filters", "--", text)
		if err != nil {
			return Commit{}, err
		}
		if _, err := run(ctx, r.Root, env, "update-index", "--cacheinfo", mode+","+strings.TrimSpace(blob)+","+rel); err != nil {
			return Commit{}, err
		}
	}
	tree, err := run(ctx, r.Root, env, "write-tree")
	if err != nil {
		return Commit{}, err
	}
	id, err := run(ctx, r.Root, nil, "commit-tree", "-p", "HEAD", "-m", message, strings.TrimSpace(tree))
	if err != nil && strings.Contains(err.Error(), "identity unknown") {
		return Commit{}, errors.New("git knows no author for the commit: git config user.name \"YOUR NAME\" and git config user.email YOU@EXAMPLE.ORG")
	}
	if err != nil {
		return Commit{}, fmt.Errorf("commit: %w", err)
	}
	// The branch last: until it is there nothing has happened that anybody sees.
	if _, err := run(ctx, r.Root, nil, "update-ref", "-m", "gauntlet: "+message, ref, strings.TrimSpace(id), ""); err != nil {
		return Commit{}, err
	}
	return r.log1(ctx, strings.TrimSpace(id), "")
}

// Wrapped by errors about a branch to be made.
var (
	ErrBranch     = errors.New("it exists already")
	ErrBranchName = errors.New("no name for a branch")
)
