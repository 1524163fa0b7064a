package pipeline

import (
	"context"
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

	"gauntlet/internal/config"
	"gauntlet/internal/evidence"
	"gauntlet/internal/gate"
	"gauntlet/internal/kube"
	"gauntlet/internal/ledger"
	"gauntlet/internal/release"
)

// contextEnv names the kubeconfig context of a real cluster to test on.
const contextEnv = "GAUNTLET_TEST_CONTEXT"

const rollbackNS = "h-roll-pipeline" // its workbench has one of its own

// small is a platform of one hub, whose chart is one ConfigMap.
func small(t *testing.T, c *kube.Client, registry string) (who func(key string) *Workspace) {
	t.Helper()
	dir := t.TempDir()
	t.Setenv("XDG_CONFIG_HOME", filepath.Join(dir, "config"))
	t.Setenv("XDG_CACHE_HOME", filepath.Join(dir, "cache"))
	people := ""
	for name, roles := range map[string]string{"ci": "builder, checker, deployer", "ada": "board", "linus": "user"} {
		k, err := ledger.GenerateKey(name)
		if err != nil {
			t.Fatal(err)
		}
		people += "  " + name + ": {roles: [" + roles + "], key: \"" + k.Public() + "\", email: [" + name + "@example.org]}\n"
	}
	for file, text := range map[string]string{
		"policy.yaml": "apiVersion: gauntlet/v1\ntiers:\n  - production: {suites: [hub]}\npeople:\n" + people,
		"values.yml":  "name: none\n",
		"gauntlet.yaml": strings.NewReplacer("CONTEXT", c.Context, "REGISTRY", registry, "NS", rollbackNS).Replace(`apiVersion: gauntlet/v1
platform: small
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
  only:
    tier: production
    cluster: CONTEXT
    namespace: NS
    release: small
    values: [values.yml]
    url: http://127.0.0.1:1
    apiTokenFrom: {secret: none, key: token}
`),
	} {
		if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return func(key string) *Workspace {
		w, err := Open(Options{File: filepath.Join(dir, "gauntlet.yaml"), Key: key, Observe: func(e Event) { t.Log(e.Step, e.State, e.Item, e.Text) }})
		if err != nil {
			t.Fatal(err)
		}
		return w
	}
}

// deployed makes a release that differs by a value, and brings the hub to it.
func deployed(t *testing.T, w *Workspace, name string) release.Digest {
	t.Helper()
	s, m := moved(t, w, name)
	if _, err := w.deployHub(t.Context(), s, m); err != nil {
		t.Fatal(err)
	}
	return m.release
}

// moved makes a release that differs by a value, and is about to bring the hub to it.
func moved(t *testing.T, w *Workspace, name string) (*sight, *move) {
	t.Helper()
	ctx := t.Context()
	chart, err := release.PackChart(map[string][]byte{
		"Chart.yaml":         []byte("apiVersion: v2\nname: small\nversion: 1.0.0\n"),
		"templates/one.yaml": []byte("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: one}\ndata: {name: {{ .Values.name }}}\n"),
	}, "", "")
	if err != nil {
		t.Fatal(err)
	}
	h := w.Platform.Hubs["only"]
	values := release.Values{"name": name}
	contents, err := release.New(release.Input{
		Set:          release.ImageSet{Images: map[string]release.Digest{"notebook": release.DigestOf([]byte("image"))}},
		ChartArchive: chart, Slots: map[string]release.Slot{"notebook": {Name: "image.name", Tag: "image.tag"}},
		Hubs: map[string]release.HubInput{"only": {Values: values, Target: release.Target{
			Tier: h.Tier, Cluster: h.Cluster, Namespace: h.Namespace, Release: h.Release, URL: h.URL}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	s, err := w.look(ctx, "only")
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range []release.Artifact{contents.Set.Artifact(), contents.Deployables["only"].Artifact(), contents.Artifact()} {
		if err := w.ledger.PutArtifact(ctx, a); err != nil {
			t.Fatal(err)
		}
	}
	id := contents.Digest()
	if err := w.record(ctx, s, ledger.Statement{Type: evidence.ReleaseType, Subjects: []evidence.Subject{{Kind: evidence.Release, Digest: id}},
		Predicate: evidence.Made{Commit: name, Label: name}}); err != nil {
		t.Fatal(err)
	}
	c, err := w.clients.get(h.Cluster)
	if err != nil {
		t.Fatal(err)
	}
	if values, err = w.hubValues(ctx, s, &contents, "only"); err != nil {
		t.Fatal(err)
	}
	return s, &move{hub: "only", release: id, tier: config.Tier{Name: h.Tier}, contents: &contents,
		part: contents.Release.Hubs["only"], client: c, values: values}
}

func TestLabAHubGoesBackWithoutTheRegistryAndIsRecordedLater(t *testing.T) {
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
		for _, ns := range []string{rollbackNS, rollbackNS + "-workbench"} {
			if err := c.CoreV1().Namespaces().Delete(ctx, ns, metav1.DeleteOptions{}); err != nil && !apierrors.IsNotFound(err) {
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
	who := small(t, c, strings.TrimPrefix(srv.URL, "http://"))
	if _, err := who("ada").PolicyInit(t.Context()); err != nil {
		t.Fatal(err)
	}
	a := deployed(t, who("ci"), "a")
	deployed(t, who("ci"), "b")

	if b, err := who("linus").Rollback(t.Context(), "only", RollbackOptions{Reason: "blank plots"}); err == nil {
		t.Errorf("a user rolled back: %+v", b)
	}
	down.Store(true)
	b, err := who("ada").Rollback(t.Context(), "only", RollbackOptions{Reason: "blank plots"})
	if err != nil || b.Revision != 3 || b.To != 1 || b.Recorded || b.Verified || !strings.Contains(b.Problem, "NOT RECORDED") {
		t.Fatalf("%+v, %v", b, err)
	}
	if m, err := c.CoreV1().ConfigMaps(rollbackNS).Get(t.Context(), "one", metav1.GetOptions{}); err != nil || m.Data["name"] != "a" {
		t.Errorf("%v, %v", m, err)
	}
	down.Store(false)
	for range 2 {
		// The hub's suite has no hub to pass on; that is an error, and recorded all the same.
		b, err = who("ci").Rollback(t.Context(), "only", RollbackOptions{Reason: "blank plots"})
		if err == nil || !b.Recorded || !b.Reused || b.Revision != 3 || b.From != 2 || b.Verified {
			t.Fatalf("%+v, %v", b, err)
		}
	}
	entries, _, err := who("").Log(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	said := 0
	for _, e := range entries {
		if e.Type == evidence.RollbackType {
			said++
		}
	}
	if said != 1 {
		t.Errorf("%d rollbacks in the ledger, want 1", said)
	}
	st, err := who("").Status(t.Context(), a.Hex())
	if err != nil {
		t.Fatal(err)
	}
	line := st.Steps[len(st.Steps)-1].Hubs["only"]
	if !strings.Contains(line, "suite hub failed") || strings.Contains(line, "drifted") || st.Steps[len(st.Steps)-1].State != gate.Failed {
		t.Errorf("%s", line)
	}
}
