package image

import (
	"context"
	"encoding/json"
	"maps"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/name"

	"gauntlet/internal/config"
	"gauntlet/internal/kube"
	"gauntlet/internal/packages"
)

// what the running image says itself: what Python finds, and dpkg.
const says = `
import importlib.metadata, json, re, subprocess
python = {}
for found in importlib.metadata.distributions():
    if found.metadata["Name"]:
        python.setdefault(re.sub("[-_.]+", "-", found.metadata["Name"]).lower(), found.version)
out = subprocess.run(["dpkg-query", "-W", "-f", "${db:Status-Status} ${Package} ${Version}\n"], capture_output=True, text=True, check=True).stdout
debian = dict(l.split()[1:] for l in out.splitlines() if l.startswith("installed "))
print(json.dumps({"python": python, "debian": debian}))
`

func TestLabPackagesAreWhatTheRunningImageFinds(t *testing.T) {
	cluster, ref := os.Getenv("GAUNTLET_TEST_CONTEXT"), os.Getenv("GAUNTLET_TEST_NOTEBOOK")
	if cluster == "" || ref == "" {
		t.Skip("needs the lab: make test-lab")
	}
	ctx := t.Context()
	tag, err := name.NewTag(ref)
	if err != nil {
		t.Fatal(err)
	}
	d, err := Resolve(ctx, tag.Repository.Name(), tag.TagStr())
	if err != nil {
		t.Fatal(err)
	}
	ref = tag.Repository.Name() + "@" + string(d)
	client, err := kube.Connect(cluster)
	if err != nil {
		t.Fatal(err)
	}
	bench, err := kube.OpenWorkbench(ctx, client, config.Workbench{Context: cluster, Namespace: "gauntlet-workbench"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := bench.Close(context.WithoutCancel(ctx)); err != nil {
			t.Error(err)
		}
	})
	idle, err := scripts.ReadFile("scripts/idle.py")
	if err != nil {
		t.Fatal(err)
	}
	pod, err := client.CreatePod(ctx, bench.Pod(kube.Job{Name: "packages", Image: ref, Args: []string{"python3", "-c", string(idle)}}))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.WaitReady(ctx, bench.Namespace, pod.Name); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := client.Exec(ctx, kube.Exec{Namespace: bench.Namespace, Pod: pod.Name, Command: []string{"python3", "-c", says}, Stdout: &out}); err != nil {
		t.Fatal(err)
	}
	var want struct{ Python, Debian map[string]string }
	if err := json.Unmarshal([]byte(out.String()), &want); err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	list, err := new(Inspector).Packages(ctx, ref)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("read %s in %s", ref, time.Since(start).Round(time.Millisecond))
	got := map[string]map[string]string{}
	for _, e := range list {
		if got[e.Kind] == nil {
			got[e.Kind] = map[string]string{}
		}
		maps.Copy(got[e.Kind], e.Packages)
	}
	if len(want.Python) < 50 || len(want.Debian) < 50 {
		t.Fatalf("the image has %d and %d packages", len(want.Python), len(want.Debian))
	}
	for kind, w := range map[string]map[string]string{packages.Python: want.Python, packages.Debian: want.Debian} {
		if d := cmp.Diff(w, got[kind]); d != "" {
			t.Errorf("%s: the running image / the registry:\n%s", kind, d)
		}
	}
}
