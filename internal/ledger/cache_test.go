package ledger

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
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

// counted is a registry that counts how often contents are fetched from it.
func counted(t *testing.T) (repository string, fetched *atomic.Int64) {
	t.Helper()
	behind, err := url.Parse("http://" + strings.TrimSuffix(newRegistry(t, true), "/platform-ledger"))
	if err != nil {
		t.Fatal(err)
	}
	fetched = &atomic.Int64{}
	proxy := httputil.NewSingleHostReverseProxy(behind)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet && strings.Contains(r.URL.Path, "/blobs/") {
			fetched.Add(1)
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(srv.Close)
	return strings.TrimPrefix(srv.URL, "http://") + "/platform-ledger", fetched
}

func TestEachContentIsFetchedOnce(t *testing.T) {
	repository, fetched := counted(t)
	store := openRegistry(t, repository)
	dir := store.(*registry).cache.dir
	p := newPlatform(t, store, 1)
	d := p.put(artifact("R"))
	id := p.veto("ada", d, "why").ID
	p.read()
	start := fetched.Load()
	before := p.read()
	if n := fetched.Load() - start; n != 0 || len(before.Records) != 2 {
		t.Errorf("read again: %d contents fetched, %d records", n, len(before.Records))
	}

	// A file that was tampered with is fetched again.
	if err := os.WriteFile(filepath.Join(dir, id.Hex()), []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	if v := p.read(); fetched.Load()-start != 1 || len(v.Records) != 2 {
		t.Errorf("after tampering with the cache: %d contents fetched, %d records", fetched.Load()-start, len(v.Records))
	}

	// So is everything, where nothing can be kept.
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	store.(*registry).cache = cache{filepath.Join(file, "cache")}
	if v := p.read(); fetched.Load()-start != 3 || len(v.Records) != 2 {
		t.Errorf("without a cache: %d contents fetched, %d records", fetched.Load()-start, len(v.Records))
	}
}
