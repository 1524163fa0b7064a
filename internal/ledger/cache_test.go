package ledger

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"

	"gauntlet/internal/release"
)

// hiding is a store whose list lacks one statement.
type hiding struct {
	Store
	id release.Digest
}

func (h hiding) List(ctx context.Context) ([]release.Digest, error) {
	ids, err := h.Store.List(ctx)
	return slices.DeleteFunc(ids, func(d release.Digest) bool { return d == h.id }), err
}

// counting counts what is fetched.
type counting struct {
	Store
	n atomic.Int64
}

func (c *counting) Get(ctx context.Context, id release.Digest) (Item, error) {
	c.n.Add(1)
	return c.Store.Get(ctx, id)
}

func TestCacheFetchesEachStatementOnce(t *testing.T) {
	m := NewMemoryForTests()
	p := newPlatform(t, m, 1)
	d := p.put(artifact("R"))
	id := p.veto("ada", d, "why").ID
	count := &counting{Store: m}
	dir := filepath.Join(t.TempDir(), "deep", "folder")
	p.Ledger = Open(Cached(count, dir))
	before := p.read()
	if count.n.Load() != 2 {
		t.Fatalf("fetched %d statements, want 2", count.n.Load())
	}
	after := p.read()
	if count.n.Load() != 2 || !slices.Equal(recordIDs(before), recordIDs(after)) {
		t.Errorf("fetched %d statements, want no more than 2", count.n.Load())
	}

	// A file that was tampered with is fetched again.
	file := filepath.Join(dir, id.Hex())
	if err := os.WriteFile(file, []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	if v := p.read(); count.n.Load() != 3 || len(v.Records) != 2 {
		t.Errorf("after tampering with the cache: %d fetches, %d records", count.n.Load(), len(v.Records))
	}

	// What is deleted from the ledger is gone, whatever the cache holds.
	delete(m.(*memory).items, id)
	if v := p.read(); len(v.Records) != 1 || !slices.Equal(v.Missing(before.Heads), before.Heads) {
		t.Errorf("a deleted statement is still read: %v, missing %v", recordIDs(v), v.Missing(before.Heads))
	}
}

func TestCacheInAFolderThatCannotBeMade(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	p := newPlatform(t, Cached(NewMemoryForTests(), filepath.Join(file, "cache")), 1)
	if v := p.read(); len(v.Records) != 1 {
		t.Errorf("%d records", len(v.Records))
	}
}
