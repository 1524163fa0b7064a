package ledger

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"gauntlet/internal/release"
)

// Cached is a store that keeps the statements it has read in a folder, so that each
// is fetched once. What is in the store is still asked of the store: a statement
// that was deleted there is gone here too. One that is altered there later is not
// seen to be by who has read it before; what was signed stays what counts.
//
// A folder that cannot be written only makes reading slower.
func Cached(store Store, dir string) Store { return cached{Store: store, dir: dir} }

// CacheFolder is where statements are kept for all ledgers of a user: their names
// are the digests of their content. $XDG_CACHE_HOME/gauntlet/ledger, by default
// ~/.cache/gauntlet/ledger.
func CacheFolder() (string, error) {
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(dir, "gauntlet", "ledger"), nil
}

type cached struct {
	Store
	dir string
}

func (c cached) Get(ctx context.Context, id release.Digest) (Item, error) {
	if item, ok := c.load(id); ok {
		return item, nil
	}
	item, err := c.Store.Get(ctx, id)
	if err == nil {
		if _, reason := parse(item); reason == "" {
			c.keep(item)
		}
	}
	return item, err
}

// load reads a statement from the folder; one that is not what its name says is
// taken for absent.
func (c cached) load(id release.Digest) (Item, bool) {
	data, err := os.ReadFile(c.path(id))
	if err != nil || release.DigestOf(data) != id {
		return Item{}, false
	}
	item := Item{ID: id, Envelope: data}
	p, _ := parse(item)
	if len(p.record.Subjects) == 0 {
		return Item{}, false
	}
	item.Type, item.Subject = p.record.Type, p.record.Subjects[0].Digest
	return item, true
}

// keep writes a statement so that a reader sees all of it or nothing.
func (c cached) keep(item Item) {
	if err := os.MkdirAll(c.dir, 0o700); err != nil {
		return
	}
	f, err := os.CreateTemp(c.dir, "new-*")
	if err != nil {
		return
	}
	_, err = f.Write(item.Envelope)
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), c.path(item.ID))
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		_ = os.Remove(f.Name())
	}
}

func (c cached) path(id release.Digest) string { return filepath.Join(c.dir, id.Hex()) }
