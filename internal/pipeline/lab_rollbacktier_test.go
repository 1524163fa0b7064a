package pipeline

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/registry"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"gauntlet/internal/evidence"
	"gauntlet/internal/gate"
	"gauntlet/internal/kube"
	"gauntlet/internal/ledger"
	"gauntlet/internal/release"
)

const tierNS = "h-roll-tier"

// tierOfThree is a platform of three hubs in one tier, whose chart is one ConfigMap.
func tierOfThree(t *testing.T, c *kube.Client, reg string) (who func(key string) *Workspace) {
	t.Helper()
	dir := t.TempDir()
	t.Setenv("XDG_CONFIG_HOME", filepath.Join(dir, "config"))
	t.Setenv("XDG_CACHE_HOME", filepath.Join(dir, "cache"))
	people := ""
	for name, roles := range map[string]string{"ci": "builder, checker, deployer", "ada": "board"} {
		k, err := ledger.GenerateKey(name)
		if err != nil {
			t.Fatal(err)
		}
		people += "  " + name + ": {roles: [" + roles + "], key: \"" + k.Public() + "\", email: [" + name + "@example.org]}\n"
	}
	platform := `apiVersion: gauntlet/v1
platform: three
registry: REGISTRY/images
ledger: REGISTRY/ledger
policy: policy.yaml
workbench: {context: CONTEXT, namespace: NS-workbench}
images:
  source: images
  build: {notebook: {dockerfile: Dockerfile}}
chart:
  path: chart
  images: {notebook: {name: image.name, tag: image.tag}}
hubs:
`
	for i, name := range []string{"one", "two", "three"} {
		platform += hubLine(name, "CONTEXT", i+1)
	}
	for file, text := range map[string]string{
		"policy.yaml":   "apiVersion: gauntlet/v1\ntiers:\n  - production: {suites: [hub], order: [one, two]}\npeople:\n" + people,
		"values.yml":    "name: none\n",
		"gauntlet.yaml": strings.NewReplacer("CONTEXT", c.Context, "REGISTRY", reg, "NS", tierNS).Replace(platform),
	} {
		if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return func(key string) *Workspace {
		w, err := Open(Options{File: filepath.Join(dir, "gauntlet.yaml"), Key: key, Observe: func(e Event) { t.Log(e.Step, e.Hub, e.State, e.Item, e.Text) }})
		if err != nil {
			t.Fatal(err)
		}
		return w
	}
}

func hubLine(name, cluster string, port int) string {
	return fmt.Sprintf("  %[1]s: {tier: production, cluster: %[2]s, namespace: "+tierNS+"-%[1]s, release: small, values: [values.yml], url: \"http://127.0.0.1:%[3]d\", apiTokenFrom: {secret: none, key: token}}\n", name, cluster, port)
}

// brought makes a release and brings hubs to it.
func brought(t *testing.T, w *Workspace, name string, hubs ...string) release.Digest {
	t.Helper()
	ctx := t.Context()
	chart, err := release.PackChart(map[string][]byte{
		"Chart.yaml":         []byte("apiVersion: v2\nname: small\nversion: 1.0.0\n"),
		"templates/one.yaml": []byte("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: one}\ndata: {name: {{ .Values.name }}}\n"),
	}, "", "")
	if err != nil {
		t.Fatal(err)
	}
	in := release.Input{
		Set:          release.ImageSet{Images: map[string]release.Digest{"notebook": release.DigestOf([]byte("image"))}},
		ChartArchive: chart, Slots: map[string]release.Slot{"notebook": {Name: "image.name", Tag: "image.tag"}},
		Hubs: map[string]release.HubInput{},
	}
	for n, h := range w.Platform.Hubs {
		in.Hubs[n] = release.HubInput{Values: release.Values{"name": name}, Target: release.Target{
			Tier: h.Tier, Cluster: h.Cluster, Namespace: h.Namespace, Release: h.Release, URL: h.URL}}
	}
	contents, err := release.New(in)
	if err != nil {
		t.Fatal(err)
	}
	s, err := w.look(ctx, "one")
	if err != nil {
		t.Fatal(err)
	}
	artifacts := []release.Artifact{contents.Set.Artifact(), contents.Artifact()}
	for _, d := range contents.Deployables {
		artifacts = append(artifacts, d.Artifact())
	}
	for _, a := range artifacts {
		if err := w.ledger.PutArtifact(ctx, a); err != nil {
			t.Fatal(err)
		}
	}
	id := contents.Digest()
	if err := w.record(ctx, s, ledger.Statement{Type: evidence.ReleaseType, Subjects: []evidence.Subject{{Kind: evidence.Release, Digest: id}},
		Predicate: evidence.Made{Commit: name, Label: name}}); err != nil {
		t.Fatal(err)
	}
	tier, err := s.tier("production")
	if err != nil {
		t.Fatal(err)
	}
	for _, hub := range hubs {
		c, err := w.clients.get(w.Platform.Hubs[hub].Cluster)
		if err != nil {
			t.Fatal(err)
		}
		m := &move{hub: hub, release: id, tier: tier, contents: &contents,
			part: contents.Release.Hubs[hub], client: c, values: release.Values{"name": name}}
		if _, err := w.deployHub(ctx, s, m); err != nil {
			t.Fatal(err)
		}
	}
	return id
}

func TestLabATierGoesBackInReverseOrderPastAHubThatCannot(t *testing.T) {
	if os.Getenv(contextEnv) == "" {
		t.Skipf("needs a cluster: set %s", contextEnv)
	}
	c, err := kube.Connect(os.Getenv(contextEnv))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		for _, n := range []string{"one", "two", "three", "workbench"} {
			if err := c.CoreV1().Namespaces().Delete(ctx, tierNS+"-"+n, metav1.DeleteOptions{}); err != nil && !apierrors.IsNotFound(err) {
				t.Error(err)
			}
		}
	})
	var down atomic.Bool
	reg := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if down.Load() {
			http.Error(w, "down", http.StatusBadGateway)
			return
		}
		reg.ServeHTTP(w, r)
	}))
	defer srv.Close()
	who := tierOfThree(t, c, strings.TrimPrefix(srv.URL, "http://"))
	if _, err := who("ada").PolicyInit(t.Context()); err != nil {
		t.Fatal(err)
	}
	a := brought(t, who("ci"), "a", "one", "two", "three")
	b := brought(t, who("ci"), "b", "one", "two")
	// The cluster of one more hub is not there.
	file := filepath.Join(who("").Dir, "gauntlet.yaml")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(string(text)+hubLine("far", "nowhere", 9)), 0o600); err != nil {
		t.Fatal(err)
	}

	back := func(wantWhy string, want ...string) *TierBack {
		t.Helper()
		got, err := who("ci").RollbackTier(t.Context(), "production", RollbackOptions{Reason: "blank plots"})
		if err == nil || !strings.Contains(err.Error(), wantWhy) {
			t.Errorf("%v", err)
		}
		if got == nil || got.Release != b.Label() {
			t.Fatalf("%+v", got)
		}
		var hubs []string
		for _, h := range got.Hubs {
			hubs = append(hubs, h.Hub+" "+h.State)
		}
		if fmt.Sprint(hubs) != fmt.Sprint(want) {
			t.Errorf("got %v, want %v", hubs, want)
		}
		return got
	}
	down.Store(true)
	// By name, since without the ledger no order is known.
	back("1 of 4 hubs of tier production: far: ", "two back", "three left", "one back", "far failed")
	for _, hub := range []string{"one", "two", "three"} {
		if m, err := c.CoreV1().ConfigMaps(tierNS+"-"+hub).Get(t.Context(), "one", metav1.GetOptions{}); err != nil || m.Data["name"] != "a" {
			t.Errorf("%s: %v, %v", hub, m, err)
		}
	}
	down.Store(false)
	// Now it is recorded. The hubs have no URL that a suite could pass on.
	got := back("3 of 4 hubs", "three left", "far failed", "two failed", "one failed")
	for _, h := range got.Hubs[2:] {
		if r := h.Result; r == nil || !r.Recorded || !r.Reused || r.Revision != 3 || r.FromRelease != b.Label() {
			t.Errorf("%+v", h)
		}
	}
	// What it went back from waits, what runs does not.
	for id, want := range map[release.Digest]gate.Decision{a: gate.Allow, b: gate.Wait} {
		v, err := who("").Ask(t.Context(), id.Hex(), "one")
		if v.Decision == "" {
			t.Fatal(err)
		}
		for _, r := range v.Requirements {
			if r.Name == "not-rolled-back" && r.Decision != want {
				t.Errorf("%s: %+v", id.Short(), r)
			}
		}
	}
}
