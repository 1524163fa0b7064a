package pipeline

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/registry"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"gauntlet/internal/chart"
	"gauntlet/internal/deploy/helm"
	"gauntlet/internal/evidence"
	"gauntlet/internal/kube"
	"gauntlet/internal/release"
)

const adoptNS = "h-adopt-pipeline"

// toolsEnv names a folder that holds sops and age-keygen.
const toolsEnv = "GAUNTLET_TEST_TOOLS"

// encrypts lets sops encrypt, in a platform's folder, files below adopted/ and no others.
func encrypts(t *testing.T, dir string) {
	t.Helper()
	tools := os.Getenv(toolsEnv)
	if tools == "" {
		t.Skipf("needs sops and age-keygen: set %s", toolsEnv)
	}
	key := filepath.Join(t.TempDir(), "keys.txt")
	if out, err := exec.CommandContext(t.Context(), filepath.Join(tools, "age-keygen"), "-o", key).CombinedOutput(); err != nil {
		t.Fatalf("make a key: %v\n%s", err, out)
	}
	public, err := exec.CommandContext(t.Context(), filepath.Join(tools, "age-keygen"), "-y", key).Output()
	if err != nil {
		t.Fatal(err)
	}
	rules := fmt.Sprintf("creation_rules: [{path_regex: '^adopted/', age: %s}]\n", strings.TrimSpace(string(public)))
	if err := os.WriteFile(filepath.Join(dir, ".sops.yaml"), []byte(rules), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", tools+":"+os.Getenv("PATH"))
	t.Setenv("SOPS_AGE_KEY_FILE", key)
}

// adoptive is a platform of one hub, which plain helm has installed with values that no
// file holds, in a repository.
func adoptive(t *testing.T, c *kube.Client) (dir string, who func(key string) *Workspace) {
	t.Helper()
	srv := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	t.Cleanup(srv.Close)
	who = small(t, c, strings.TrimPrefix(srv.URL, "http://"))
	dir = who("").Dir
	encrypts(t, dir)
	for file, text := range map[string]string{
		"chart/Chart.yaml": "apiVersion: v2\nname: small\nversion: 1.0.0\n",
		"chart/templates/all.yaml": `apiVersion: v1
kind: ConfigMap
metadata: {name: one}
data: {name: {{ .Values.name }}, site: {{ .Values.site | default "none" }}}
---
apiVersion: v1
kind: Secret
metadata: {name: two}
stringData: {word: {{ .Values.hub.word | default "none" }}}
`,
		"chart/values.yaml": "hub: {}\n",
	} {
		path := filepath.Join(dir, file)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	edit(t, filepath.Join(dir, "gauntlet.yaml"), rollbackNS, adoptNS)
	edit(t, filepath.Join(dir, "gauntlet.yaml"), "values: [values.yml]", "values: [values.yml] # of all hubs")
	commitAll(t, dir)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		for _, ns := range []string{adoptNS, adoptNS + "-workbench"} {
			if err := c.CoreV1().Namespaces().Delete(ctx, ns, metav1.DeleteOptions{}); err != nil && !apierrors.IsNotFound(err) {
				t.Error(err)
			}
		}
	})
	if _, err := who("ada").PolicyInit(t.Context()); err != nil {
		t.Fatal(err)
	}
	packed, err := chart.Fetcher{}.Pack(t.Context(), filepath.Join(dir, "chart"))
	if err != nil {
		t.Fatal(err)
	}
	values := release.Values{"name": "none", "site": "here", "image": map[string]any{"tag": "old"},
		"hub": map[string]any{"cookieSecret": "crumbs", "word": "sesame"}}
	if _, err := helm.New(c, adoptNS, nil).InstallOrUpgrade(helm.Apply{Name: "small", Chart: packed, Values: values, Timeout: time.Minute}, nil); err != nil {
		t.Fatal(err)
	}
	return dir, who
}

func edit(t *testing.T, file, from, to string) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(data), from) {
		t.Fatalf("%s holds no %q", file, from)
	}
	if err := os.WriteFile(file, []byte(strings.ReplaceAll(string(data), from, to)), 0o600); err != nil {
		t.Fatal(err)
	}
}

func commitAll(t *testing.T, dir string) {
	t.Helper()
	for _, args := range [][]string{
		{"init", "--quiet", "--initial-branch=main"}, {"add", "--all"},
		{"-c", "user.name=margaret", "-c", "user.email=margaret@example.org", "commit", "--quiet", "--message", "Change"},
	} {
		cmd := exec.CommandContext(t.Context(), "git", args...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("git %v: %s", args, out)
		}
	}
}

func TestLabAHubIsTakenOverIntoFiles(t *testing.T) {
	if os.Getenv(contextEnv) == "" {
		t.Skipf("needs a cluster: set %s", contextEnv)
	}
	c, err := kube.Connect(os.Getenv(contextEnv))
	if err != nil {
		t.Fatal(err)
	}
	dir, who := adoptive(t, c)
	was, err := os.ReadFile(filepath.Join(dir, "gauntlet.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	plain, hidden := []string{"site"}, []string{"hub.cookieSecret", "hub.word"}

	got, err := who("").Adopt(t.Context(), "only", AdoptOptions{DryRun: true})
	if err != nil || !slices.Equal(got.Values, plain) || !slices.Equal(got.Secrets, hidden) || got.Same != 1 {
		t.Fatalf("%+v, %v", got, err)
	}
	unchanged := func(when string) {
		t.Helper()
		now, err := os.ReadFile(filepath.Join(dir, "gauntlet.yaml"))
		if err != nil || string(now) != string(was) {
			t.Errorf("%s, gauntlet.yaml was changed: %s, %v", when, now, err)
		}
		if _, err := os.Stat(filepath.Join(dir, "adopted")); !os.IsNotExist(err) {
			t.Errorf("%s, something was written: %v", when, err)
		}
	}
	unchanged("when only asked")
	if _, err := who("linus").Adopt(t.Context(), "only", AdoptOptions{}); err == nil {
		t.Error("a user took over a hub")
	}
	if _, err := who("ci").Adopt(t.Context(), "only", AdoptOptions{Folder: "elsewhere"}); err == nil || !strings.Contains(err.Error(), "creation rules") {
		t.Errorf("sops refuses: %v", err)
	}
	unchanged("when sops refuses")
	edit(t, filepath.Join(dir, "gauntlet.yaml"), "# of all hubs", "# of every hub")
	if _, err := who("ci").Adopt(t.Context(), "only", AdoptOptions{}); err == nil || !strings.Contains(err.Error(), "has changes that no commit holds") {
		t.Errorf("gauntlet.yaml has changes: %v", err)
	}
	edit(t, filepath.Join(dir, "gauntlet.yaml"), "# of every hub", "# of all hubs")

	got, err = who("ci").Adopt(t.Context(), "only", AdoptOptions{})
	if err != nil || got.Revision != 1 || got.Reused {
		t.Fatalf("%+v, %v", got, err)
	}
	now, err := os.ReadFile(filepath.Join(dir, "gauntlet.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	want := strings.Replace(string(was), "values: [values.yml] # of all hubs",
		"values: [values.yml, adopted/only.yaml] # of all hubs\n    secrets: [adopted/only.enc.yaml]", 1)
	if d := cmp.Diff(want, string(now)); d != "" {
		t.Error(d)
	}
	for file, holds := range map[string]string{"only.yaml": "site: here\n", "only.enc.yaml": "cookieSecret: ENC["} {
		data, err := os.ReadFile(filepath.Join(dir, "adopted", file))
		if err != nil || !strings.Contains(string(data), holds) || strings.Contains(string(data), "crumbs") || strings.Contains(string(data), "sesame") {
			t.Errorf("%s: %s, %v", file, data, err)
		}
	}
	list, err := os.ReadDir(filepath.Join(dir, "adopted"))
	if err != nil || len(list) != 2 {
		t.Errorf("%v, %v", list, err)
	}

	// Run again, it finds all in the files; killed before it recorded, it would record now.
	again, err := who("ci").Adopt(t.Context(), "only", AdoptOptions{})
	if err != nil || !again.Reused || len(again.Values)+len(again.Secrets) != 0 || again.Same != 4 {
		t.Errorf("%+v, %v", again, err)
	}
	entries, _, err := who("").Log(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	said := 0
	for _, e := range entries {
		if e.Type == evidence.AdoptionType {
			said++
			if strings.Contains(e.Text, "crumbs") || !strings.Contains(e.Text, "took over") {
				t.Error(e.Text)
			}
		}
	}
	if said != 1 {
		t.Errorf("%d adoptions in the ledger, want 1", said)
	}

	// What the next deployment gives Helm is what the hub was given.
	w := who("ci")
	co := &checkout{values: map[string]release.Values{}, secrets: map[string][]release.File{}}
	if err := w.readValues(co); err != nil {
		t.Fatal(err)
	}
	if v, _ := co.values["only"].Get("site"); v != "here" || len(co.secrets["only"]) != 1 {
		t.Errorf("%v", co.values["only"])
	}
	st := w.states(t.Context())["only"]
	if !st.Adopted || st.Revision != 1 {
		t.Errorf("%+v", st)
	}
}
