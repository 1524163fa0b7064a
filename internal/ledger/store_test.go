package ledger

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	ggcr "github.com/google/go-containerregistry/pkg/registry"

	"gauntlet/internal/evidence"
	"gauntlet/internal/release"
)

// registryEnv names a real registry to run the suite on as well, such as
// 172.29.0.1:5000.
const registryEnv = "GAUNTLET_TEST_REGISTRY"

// newRegistry is a registry in this process, and a repository of it.
func newRegistry(t *testing.T, referrers bool) string {
	t.Helper()
	srv := httptest.NewServer(ggcr.New(ggcr.Logger(log.New(io.Discard, "", 0)), ggcr.WithReferrersSupport(referrers)))
	t.Cleanup(srv.Close)
	return strings.TrimPrefix(srv.URL, "http://") + "/platform-ledger"
}

// onRegistries runs a test on a repository of every kind of registry there is.
func onRegistries(t *testing.T, test func(t *testing.T, repository string)) {
	t.Run("with referrers API", func(t *testing.T) { test(t, newRegistry(t, true)) })
	t.Run("without referrers API", func(t *testing.T) { test(t, newRegistry(t, false)) })
	t.Run("real", func(t *testing.T) {
		host := os.Getenv(registryEnv)
		if host == "" {
			t.Skipf("set %s to the address of a registry, such as the lab's, to test on it too", registryEnv)
		}
		test(t, fmt.Sprintf("%s/ledger-test/%d-%d", host, os.Getpid(), time.Now().UnixNano()))
	})
}

func openRegistry(t *testing.T, repository string) Store {
	t.Helper()
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	s, err := OpenRegistry(repository)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// onStores runs a test on every implementation of Store.
func onStores(t *testing.T, test func(t *testing.T, s Store)) {
	t.Run("memory", func(t *testing.T) { test(t, NewMemoryForTests()) })
	onRegistries(t, func(t *testing.T, repository string) { test(t, openRegistry(t, repository)) })
}

func artifact(content string) release.Artifact {
	return release.Artifact{
		Type: release.TypeRelease, Config: []byte(`{"is":"` + content + `"}`),
		Layers: []release.Blob{
			{MediaType: "application/gzip", Title: "chart.tgz", Data: []byte("chart of " + content)},
			{MediaType: "application/json", Title: "values/a.json", Data: []byte("{}")},
			{MediaType: "application/json", Title: "values/b.json", Data: []byte("{}")},
		},
	}
}

func mustKey(t testing.TB, name string) *Key {
	t.Helper()
	k, err := NewKey(name)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// item is a signed statement about an artifact.
func item(t testing.TB, a release.Artifact, note string) Item {
	t.Helper()
	it, err := seal(t.Context(), mustKey(t, "ada"), Statement{
		Type:      evidence.VetoType,
		Subjects:  []evidence.Subject{{Kind: evidence.Release, Digest: a.Digest()}},
		Predicate: evidence.Veto{Reason: note},
	}, meta{Time: time.Now().UTC()})
	if err != nil {
		t.Fatal(err)
	}
	return it
}

func TestStoreKeepsStatements(t *testing.T) {
	onStores(t, func(t *testing.T, s Store) {
		ctx := t.Context()
		if ids, err := s.List(ctx); err != nil || len(ids) != 0 {
			t.Fatalf("a new store lists %v, %v", ids, err)
		}
		if _, err := s.Get(ctx, release.DigestOf(nil)); !errors.Is(err, ErrNotFound) {
			t.Errorf("get of what is not there: %v", err)
		}
		a := artifact("one")
		if err := s.PutArtifact(ctx, a); err != nil {
			t.Fatal(err)
		}
		var want []release.Digest
		for i := range 3 {
			it := item(t, a, fmt.Sprint(i))
			for range 2 { // the same again changes nothing
				if err := s.Append(ctx, it); err != nil {
					t.Fatal(err)
				}
			}
			want = append(want, it.ID)
			for range 2 {
				got, err := s.Get(ctx, it.ID)
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(it, got); diff != "" {
					t.Errorf("read back differently (-put +got):\n%s", diff)
				}
			}
		}
		slices.Sort(want)
		got, err := s.List(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("list (-want +got):\n%s", diff)
		}
	})
}

func TestStoreKeepsArtifacts(t *testing.T) {
	onStores(t, func(t *testing.T, s Store) {
		ctx := t.Context()
		a := artifact("one")
		if ok, err := s.HasArtifact(ctx, a.Digest()); ok || err != nil {
			t.Errorf("a new store has it: %v, %v", ok, err)
		}
		if _, err := s.GetArtifact(ctx, a.Digest()); !errors.Is(err, ErrNotFound) {
			t.Errorf("get of what is not there: %v", err)
		}
		for range 2 {
			if err := s.PutArtifact(ctx, a); err != nil {
				t.Fatal(err)
			}
		}
		if ok, err := s.HasArtifact(ctx, a.Digest()); !ok || err != nil {
			t.Errorf("has what was put: %v, %v", ok, err)
		}
		got, err := s.GetArtifact(ctx, a.Digest())
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(a, got); diff != "" {
			t.Errorf("read back differently (-put +got):\n%s", diff)
		}
		policy := evidence.PolicyArtifact([]byte("apiVersion: gauntlet/v1\n"))
		if err := s.PutArtifact(ctx, policy); err != nil {
			t.Fatal(err)
		}
		if got, err := s.GetArtifact(ctx, policy.Digest()); err != nil || !bytes.Equal(got.Config, policy.Config) {
			t.Errorf("policy read back as %q, %v", got.Config, err)
		}
		if ids, err := s.List(ctx); err != nil || len(ids) != 0 {
			t.Errorf("artifacts are listed as statements: %v, %v", ids, err)
		}
	})
}

func TestStoreNamesARegistryThatDoesNotAnswer(t *testing.T) {
	srv := httptest.NewServer(nil)
	host := strings.TrimPrefix(srv.URL, "http://")
	srv.Close()
	ctx, cancel := context.WithCancel(t.Context())
	s := openRegistry(t, host+"/ledger")
	cancel() // no retries
	if _, err := s.List(ctx); err == nil || errors.Is(err, ErrNotFound) {
		t.Errorf("list of a registry that is away: %v", err)
	}
}
