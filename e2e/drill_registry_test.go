package e2e

import (
	"io"
	stdlog "log"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"gauntlet/lab"
	"gauntlet/lab/faultyregistry"
)

// hubImage is the repository of the hub's image; nodes begin their requests so.
const (
	hubImage = "platform/hub"
	ofNodes  = "containerd"
)

// registryDrills are faults of the registry that the images come from.
func registryDrills(t *testing.T) {
	l := newLine(t, "drill-registry", 30300)
	own := ownRegistry(t)
	slow := own.push("drill/slow", 3<<20)
	l.drills(
		drill{
			name: "the registry denies an image to everybody",
			fault: func(l *line) {
				l.hubFrom(faultyregistry.Fault{Status: 403})
			},
			shows: ofHub("403"),
			says:  []string{"platform/hub", "den"},
		},
		drill{
			name: "the registry denies an image to the nodes alone",
			fault: func(l *line) {
				l.hubFrom(faultyregistry.Fault{Status: 401, Agent: ofNodes})
			},
			shows: ofHub("401"),
			says:  []string{"platform/hub", "denies", "401"},
		},
		drill{
			name: "a slow registry",
			fault: func(l *line) {
				own.set(l, "drill/slow", faultyregistry.Fault{Rate: 200 << 10, Agent: ofNodes})
				l.pool(map[string]any{"nodeSelector": onNode("bleeding-edge-1"), "images": []any{slow}})
			},
			shows:    event("gauntlet-prepull-", "Pulling", slow),
			says:     []string{"bleeding-edge-1 pulling", "slow"},
			peaceful: true,
		},
		drill{
			name: "an image too large for the disk",
			fault: func(l *line) {
				large := own.push("drill/large", 160<<20)
				node := l.spare("drill-small-disk", 256<<20)
				l.pool(map[string]any{"nodeSelector": map[string]any{lab.SpareKey: node}, "tolerations": tolerate(lab.SpareKey), "images": []any{large}})
				l.graces(map[string]any{"diskFull": "20s"})
			},
			shows: event("gauntlet-prepull-", "no space left on device"),
			says:  []string{"drill-small-disk", "no space left on device"},
		},
	)
}

// A faultyRegistry is one that nodes of the lab pull from.
type faultyRegistry struct {
	*faultyregistry.Proxy
	t *testing.T
}

// faulty stands in front of a registry for the length of a test.
func faulty(t *testing.T, target string) faultyRegistry {
	t.Helper()
	p, err := faultyregistry.Start(lab.HostIP+":0", target)
	if err != nil {
		t.Fatal(err)
	}
	forget, err := lab.TrustRegistry(p.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := forget(); err != nil {
			t.Errorf("forget the registry %s: %v", p.Addr(), err)
		}
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return faultyRegistry{p, t}
}

// ownRegistry is a registry that is gone, with its images, after the test.
func ownRegistry(t *testing.T) faultyRegistry {
	t.Helper()
	behind := httptest.NewServer(registry.New(registry.Logger(stdlog.New(io.Discard, "", 0)),
		registry.WithBlobHandler(registry.NewDiskBlobHandler(t.TempDir()))))
	t.Cleanup(behind.Close)
	return faulty(t, strings.TrimPrefix(behind.URL, "http://"))
}

// set makes a repository faulty until the drill is over.
func (r faultyRegistry) set(l *line, repository string, f faultyregistry.Fault) {
	r.Set(repository, f)
	l.undo(func() { r.Heal(repository) })
}

// push pushes an image that no node has, of so many bytes, and returns its reference.
func (r faultyRegistry) push(repository string, size int64) string {
	r.t.Helper()
	ref, err := name.ParseReference(r.Addr() + "/" + repository + ":1.0")
	if err != nil {
		r.t.Fatal(err)
	}
	img, err := random.Image(size, 1)
	if err != nil {
		r.t.Fatal(err)
	}
	if err := remote.Write(ref, img, remote.WithContext(r.t.Context())); err != nil {
		r.t.Fatalf("push %s: %v", ref, err)
	}
	return ref.String()
}

// hubFrom lets the image of hub and proxy come from a registry that has a fault. It
// is at an address of its own, so that no node has the image.
func (l *line) hubFrom(f faultyregistry.Fault) {
	l.t.Helper()
	r := faulty(l.t, lab.Registry)
	r.set(l, hubImage, f)
	l.set("jupyter-config.yml", map[string]any{"jupyterhub.hub.image.name": r.Addr() + "/" + hubImage})
}

// ofHub is an event with these words about a pod of hub or proxy.
func ofHub(words ...string) func(any) bool {
	return either(event("hub-", words...), event("proxy-", words...))
}
