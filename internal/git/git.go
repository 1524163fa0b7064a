// Package git asks the git program about a repository: commits, trees, what is
// not committed, who wrote what. Nothing it is given is ever read as an option.
package git

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
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

// Origin is the address that the repository was cloned from, without user name and
// password; "" when it has none, or one that is a folder of this machine.
func (r *Repo) Origin(ctx context.Context) string {
	out, err := run(ctx, r.Root, nil, "remote", "get-url", "origin")
	if err != nil {
		return ""
	}
	return public(strings.TrimSpace(out))
}

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
