package git

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
)

// Fetch brings what a ref (branch, tag or commit) of a repository elsewhere names into a
// repository that is kept in dir for all refs of that address, with its whole history:
// who wrote it is asked later. Any number of processes may do so at once. The address
// stands in errors: config.ParseSource refuses one with a password.
func Fetch(ctx context.Context, dir, address, ref string) (*Repo, error) {
	root, err := keep(ctx, dir, address)
	if err != nil {
		return nil, fmt.Errorf("make a repository to fetch %s into: %w", address, err)
	}
	// A ref of its own a fetch: of two that fetch at once neither sees the other's.
	mark, err := os.MkdirTemp(root, "fetch-")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(mark) }()
	own := "refs/gauntlet/" + filepath.Base(mark)
	if _, err := run(ctx, root, nil, "fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--no-auto-gc", "--", address, "+"+ref+":"+own); err != nil {
		return nil, fmt.Errorf("fetch %s from %s: %w", ref, address, err)
	}
	id, err := run(ctx, root, nil, "rev-parse", "--verify", "--quiet", own+"^{commit}")
	if err != nil {
		return nil, fmt.Errorf("%s of %s names no commit: %w", ref, address, err)
	}
	// What was fetched must stay, under a name that the same ref has each time.
	kept := sha256.Sum256([]byte(ref))
	if _, err := run(ctx, root, nil, "update-ref", "refs/gauntlet/kept-"+hex.EncodeToString(kept[:8]), strings.TrimSpace(id)); err != nil {
		return nil, err
	}
	if _, err := run(ctx, root, nil, "update-ref", "-d", own); err != nil {
		return nil, err
	}
	return &Repo{Root: root, Rev: strings.TrimSpace(id)}, nil
}

// keep is the repository in dir that an address is fetched into. It is made whole before
// it bears its name: another process may look for it just now.
func keep(ctx context.Context, dir, address string) (string, error) {
	sum := sha256.Sum256([]byte(address))
	root := filepath.Join(dir, hex.EncodeToString(sum[:8]))
	if _, err := os.Stat(root); err != nil {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return "", err
		}
		fresh, err := os.MkdirTemp(dir, "new-")
		if err != nil {
			return "", err
		}
		defer func() { _ = os.RemoveAll(fresh) }()
		if _, err := run(ctx, fresh, nil, "init", "--quiet"); err != nil {
			return "", err
		}
		if err := os.Rename(fresh, root); err != nil && !errors.Is(err, fs.ErrExist) {
			return "", err
		}
	}
	return filepath.EvalSymlinks(root)
}

// public is an address without what only its owner may see.
func public(address string) string {
	if u, err := url.Parse(address); err == nil && u.Scheme != "" {
		if u.Scheme == "file" {
			return ""
		}
		u.User = nil
		return u.String()
	}
	_, rest, user := strings.Cut(address, "@")
	if host, p, ok := strings.Cut(rest, ":"); user && ok { // git's short form, USER@HOST:PATH
		return "ssh://" + host + "/" + strings.TrimPrefix(p, "/")
	}
	return "" // a folder of this machine
}
