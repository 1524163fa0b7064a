package ledger

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"gauntlet/internal/release"
)

// A cache keeps contents of statements in a folder under their digests, so that
// each is fetched once on this machine. It changes nothing that is seen: which
// statements there are, and which content each has, is asked of the registry every
// time, and a file that is not what its name says counts for nothing.
//
// The folder is $XDG_CACHE_HOME/gauntlet/ledger, by default ~/.cache/gauntlet/ledger.
// One that cannot be written only makes reading slower.
type cache struct{ dir string }

// userCache is the cache of this user; of none, when they have no folder for it.
func userCache() cache {
	dir, err := os.UserCacheDir()
	if err != nil {
		return cache{}
	}
	return cache{filepath.Join(dir, "gauntlet", "ledger")}
}

func (c cache) load(d release.Digest) ([]byte, bool) {
	if c.dir == "" {
		return nil, false
	}
	data, err := os.ReadFile(c.path(d))
	return data, err == nil && release.DigestOf(data) == d
}

// keep writes a content so that a reader finds all of it or nothing.
func (c cache) keep(d release.Digest, data []byte) {
	if c.dir == "" || os.MkdirAll(c.dir, 0o700) != nil {
		return
	}
	f, err := os.CreateTemp(c.dir, "new-*")
	if err != nil {
		return
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), c.path(d))
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		_ = os.Remove(f.Name())
	}
}

func (c cache) path(d release.Digest) string { return filepath.Join(c.dir, d.Hex()) }
