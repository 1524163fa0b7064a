// Package git asks the git program about a repository: commits, trees, what is
// not committed, who wrote what. Nothing it is given is ever read as an option.
package git

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"gauntlet/internal/evidence"
)

// A Repo is a repository at one revision.
type Repo struct {
	Root string // top folder of the working tree, absolute, links resolved
	Rev  string // what is looked at: "HEAD", or the id of a commit
}

// A Commit is one commit.
type Commit struct {
	ID   string // 40 (or 64) hexadecimal digits
	Time time.Time
}

// Label is the seven digits people know a commit by; it does not depend on how
// many commits the clone holds, as git's own abbreviation does.
func (c Commit) Label() string { return c.ID[:7] }

// ErrNoCommit is wrapped by errors about a path or revision that no commit holds.
var ErrNoCommit = errors.New("not in any commit")

// Open finds the repository that dir is in.
func Open(ctx context.Context, dir string) (*Repo, error) {
	out, err := run(ctx, dir, nil, "rev-parse", "--show-toplevel")
	if err != nil && strings.Contains(err.Error(), "not a git repository") {
		return nil, fmt.Errorf("%s is not inside a git repository: name a folder that is, or git init and commit there", dir)
	}
	if err != nil {
		return nil, fmt.Errorf("find the git repository of %s: %w", dir, err)
	}
	return &Repo{Root: strings.TrimSuffix(out, "\n"), Rev: "HEAD"}, nil
}

// Head is the commit that is looked at.
func (r *Repo) Head(ctx context.Context) (Commit, error) {
	return r.log1(ctx, r.Rev, "")
}

// LastCommit is the newest commit reachable from Rev that changed something in
// path: a path relative to Root or absolute, "" or "." for all.
func (r *Repo) LastCommit(ctx context.Context, path string) (Commit, error) {
	return r.log1(ctx, r.Rev, path)
}

func (r *Repo) log1(ctx context.Context, rev, path string) (Commit, error) {
	args := []string{"log", "-1", "--format=%H %ct", "--end-of-options", rev, "--"}
	if path != "" {
		rel, err := r.Rel(path)
		if err != nil {
			return Commit{}, err
		}
		args = append(args, rel)
	}
	out, err := run(ctx, r.Root, nil, args...)
	if err != nil {
		return Commit{}, fmt.Errorf("find the newest commit of %s: %w", r.Root, err)
	}
	id, at, ok := strings.Cut(strings.TrimSpace(out), " ")
	if !ok {
		return Commit{}, fmt.Errorf("%s in %s: %w (git add and commit it)", path, r.Root, ErrNoCommit)
	}
	sec, err := strconv.ParseInt(at, 10, 64)
	if err != nil {
		return Commit{}, fmt.Errorf("read the time of commit %s: %w", id, err)
	}
	return Commit{ID: id, Time: time.Unix(sec, 0).UTC()}, nil
}

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

// Dirty lists the files under path that differ from HEAD or are not in it, not
// counting ignored ones, as paths relative to Root.
func (r *Repo) Dirty(ctx context.Context, path string) ([]string, error) {
	rel, err := r.Rel(path)
	if err != nil {
		return nil, err
	}
	out, err := run(ctx, r.Root, nil, "status", "--porcelain=v1", "-z", "--no-renames", "--untracked-files=all", "--", rel)
	if err != nil {
		return nil, fmt.Errorf("look for changes in %s: %w", path, err)
	}
	var files []string
	for entry := range strings.SplitSeq(out, "\x00") {
		if len(entry) > 3 {
			files = append(files, entry[3:])
		}
	}
	return files, nil
}

// Log is the commits reachable from head but not from base (all of head's when
// base is ""), newest first. A commit with co-authors ("Co-authored-by" lines)
// comes once for each of its authors: each of them wrote it. Addresses are as
// committed, in lower case: .mailmap is part of what is judged, so it has no say.
func (r *Repo) Log(ctx context.Context, base, head string) ([]evidence.Commit, error) {
	for _, rev := range []string{base, head} {
		if rev != "" {
			if _, err := run(ctx, r.Root, nil, "rev-parse", "--verify", "--quiet", "--end-of-options", rev+"^{commit}"); err != nil {
				return nil, fmt.Errorf("commit %q of %s: %w (a shallow clone? git fetch --unshallow)", rev, r.Root, ErrNoCommit)
			}
		}
	}
	args := []string{"log", "-z", "--no-mailmap", "--format=%H%n%ae%n%(trailers:key=Co-authored-by,valueonly,only,unfold)", "--end-of-options", head}
	if base != "" {
		args = append(args, "^"+base)
	}
	out, err := run(ctx, r.Root, nil, append(args, "--")...)
	if err != nil {
		return nil, fmt.Errorf("list the commits from %s to %s: %w", base, head, err)
	}
	var commits []evidence.Commit
	for entry := range strings.SplitSeq(strings.TrimSuffix(out, "\x00"), "\x00") {
		lines := strings.Split(entry, "\n")
		if len(lines) < 2 {
			continue
		}
		seen := map[string]bool{}
		for i, who := range lines[1:] {
			if i > 0 {
				who = address(who)
			}
			who = strings.ToLower(strings.TrimSpace(who))
			if (who == "" && i > 0) || seen[who] {
				continue
			}
			seen[who] = true
			commits = append(commits, evidence.Commit{ID: lines[0], Author: who})
		}
	}
	return commits, nil
}

// address is what stands between the last angle brackets of "Name <address>".
func address(s string) string {
	open, end := strings.LastIndexByte(s, '<'), strings.LastIndexByte(s, '>')
	if open < 0 || end < open {
		return ""
	}
	return s[open+1 : end]
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

// Origin is the address that the repository was cloned from, without user name and
// password; "" when it has none, or one that is a folder of this machine.
func (r *Repo) Origin(ctx context.Context) string {
	out, err := run(ctx, r.Root, nil, "remote", "get-url", "origin")
	if err != nil {
		return ""
	}
	return public(strings.TrimSpace(out))
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

// Rel is path, absolute or relative to Root, as git wants it: relative to Root,
// with slashes. A path outside the repository is an error.
func (r *Repo) Rel(path string) (string, error) {
	rel := path
	if filepath.IsAbs(path) {
		real, err := filepath.EvalSymlinks(path)
		if err != nil {
			return "", err
		}
		if rel, err = filepath.Rel(r.Root, real); err != nil {
			return "", err
		}
	}
	rel = filepath.ToSlash(filepath.Clean(rel))
	if rel == ".." || strings.HasPrefix(rel, "../") {
		return "", fmt.Errorf("%s is outside the git repository %s", path, r.Root)
	}
	return rel, nil
}

// run runs git in dir and returns its output. What it says on standard error is
// part of the error.
func run(ctx context.Context, dir string, env []string, args ...string) (string, error) {
	// Pathspecs are plain paths, never patterns; objects are what their ids say;
	// and no lock is taken just to look.
	cmd := exec.CommandContext(ctx, "git", append([]string{"--literal-pathspecs", "--no-replace-objects", "--no-optional-locks", "-C", dir}, args...)...)
	// Inside a git hook GIT_DIR and its kin point to that hook's repository.
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "GIT_DIR=") && !strings.HasPrefix(v, "GIT_WORK_TREE=") && !strings.HasPrefix(v, "GIT_INDEX_FILE=") && !strings.HasPrefix(v, "GIT_PREFIX=") {
			cmd.Env = append(cmd.Env, v)
		}
	}
	cmd.Env = append(append(cmd.Env, "LC_ALL=C", "GIT_TERMINAL_PROMPT=0"), env...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		if errors.Is(err, exec.ErrNotFound) {
			return "", errors.New("the program git is not installed")
		}
		if m := strings.TrimSpace(errs.String()); m != "" {
			first, _, _ := strings.Cut(m, "\n")
			return "", fmt.Errorf("git %s: %s", args[0], first)
		}
		return "", fmt.Errorf("git %s: %w", args[0], err)
	}
	return out.String(), nil
}
