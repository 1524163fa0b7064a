package faultyregistry

import (
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// begin starts a registry with one image and a proxy in front of it.
func begin(t *testing.T, size int64) (*Proxy, name.Reference, v1.Image) {
	t.Helper()
	behind := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	t.Cleanup(behind.Close)
	p, err := Start("127.0.0.1:0", strings.TrimPrefix(behind.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	ref, err := name.ParseReference(p.Addr() + "/team/image:1")
	if err != nil {
		t.Fatal(err)
	}
	img, err := random.Image(size, 1)
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(ref, img, remote.WithContext(t.Context())); err != nil {
		t.Fatalf("a proxy without a fault must pass a push on: %v", err)
	}
	return p, ref, img
}

func status(t *testing.T, p *Proxy, path string) int {
	t.Helper()
	resp, err := http.Get("http://" + p.Addr() + path)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode
}

func TestAFaultIsOfItsRepositoryAlone(t *testing.T) {
	p, _, _ := begin(t, 100)
	for _, want := range []int{401, 403, 404, 503} {
		p.Set("team/image", Fault{Status: want})
		if got := status(t, p, "/v2/team/image/manifests/1"); got != want {
			t.Errorf("status %d, want %d", got, want)
		}
		if got := status(t, p, "/v2/"); got != 200 {
			t.Errorf("the registry itself answers %d, want 200", got)
		}
	}
	p.Heal("team/image")
	if got := status(t, p, "/v2/team/image/manifests/1"); got != 200 {
		t.Errorf("status %d after it was healed, want 200", got)
	}
	if got := p.Requests("team/image"); got < 5 {
		t.Errorf("counted %d requests, want at least 5", got)
	}
}

func TestAFaultMayBeForNodesAlone(t *testing.T) {
	p, _, _ := begin(t, 100)
	p.Set("team/image", Fault{Status: 403, Agent: "containerd"})
	if got := status(t, p, "/v2/team/image/manifests/1"); got != 200 {
		t.Errorf("status %d for a person, want 200", got)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+p.Addr()+"/v2/team/image/manifests/1", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("User-Agent", "containerd/1.6.20")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != 403 {
		t.Errorf("status %d for a node, want 403", resp.StatusCode)
	}
}

func TestAFaultEndsAfterItsTimes(t *testing.T) {
	p, _, _ := begin(t, 100)
	p.Set("team/image", Fault{Status: 503, Times: 2})
	for i, want := range []int{503, 503, 200} {
		if got := status(t, p, "/v2/team/image/manifests/1"); got != want {
			t.Errorf("request %d: status %d, want %d", i+1, got, want)
		}
	}
}

func TestBlobsArriveAsSlowlyAsAsked(t *testing.T) {
	p, _, img := begin(t, 20_000)
	layers, err := img.Layers()
	if err != nil {
		t.Fatal(err)
	}
	digest, err := layers[0].Digest()
	if err != nil {
		t.Fatal(err)
	}
	p.Set("team/image", Fault{Rate: 40_000})
	began := time.Now()
	if got := status(t, p, "/v2/team/image/blobs/"+digest.String()); got != 200 {
		t.Fatalf("status %d", got)
	}
	if took := time.Since(began); took < 300*time.Millisecond {
		t.Errorf("20 kB at 40 kB/s arrived after %s", took)
	}
}

func TestAConnectionBreaksInTheMiddle(t *testing.T) {
	p, _, img := begin(t, 200_000)
	layers, err := img.Layers()
	if err != nil {
		t.Fatal(err)
	}
	digest, err := layers[0].Digest()
	if err != nil {
		t.Fatal(err)
	}
	p.Set("team/image", Fault{DropAfter: 40_000})
	resp, err := http.Get("http://" + p.Addr() + "/v2/team/image/blobs/" + digest.String())
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if n, err := io.Copy(io.Discard, resp.Body); err == nil || n > 40_000 {
		t.Errorf("read %d bytes, error %v; want a broken connection before 40000", n, err)
	}
}

func TestDownRefusesConnectionsAndUpServesAgain(t *testing.T) {
	p, ref, _ := begin(t, 100)
	if err := p.Down(); err != nil {
		t.Fatal(err)
	}
	if _, err := remote.Head(ref, remote.WithContext(t.Context())); err == nil {
		t.Fatal("a registry that is down answered")
	}
	if err := p.Up(); err != nil {
		t.Fatal(err)
	}
	if _, err := remote.Head(ref, remote.WithContext(t.Context())); err != nil {
		t.Fatalf("up again, it must answer at the same address: %v", err)
	}
}

func TestRepositoryOf(t *testing.T) {
	for path, want := range map[string]string{
		"/v2/":                          "",
		"/v2/a/manifests/1":             "a",
		"/v2/a/b/blobs/sha256:1":        "a/b",
		"/v2/a/blobs/blobs/sha256:1":    "a/blobs",
		"/v2/a/b/tags/list":             "a/b",
		"/v2/a/b/referrers/sha256:1":    "a/b",
		"/v2/manifests/1":               "",
		"/other":                        "",
		"/v2/a/b/blobs/uploads/some-id": "a/b",
	} {
		if got, _ := repositoryOf(path); got != want {
			t.Errorf("repositoryOf(%q) = %q, want %q", path, got, want)
		}
	}
}
