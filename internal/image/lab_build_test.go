package image

import (
	"context"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"gauntlet/internal/config"
	"gauntlet/internal/kube"
	"gauntlet/lab"
)

// bytesOf are the files of a folder, by path.
func bytesOf(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	must(t, fs.WalkDir(os.DirFS(dir), ".", func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(filepath.Join(dir, p))
		files[p] = string(data)
		return err
	}))
	return files
}

func TestLabTheRunbooksLayoutBuildsWithoutEdits(t *testing.T) {
	registry, base := os.Getenv("GAUNTLET_TEST_REGISTRY"), os.Getenv("GAUNTLET_TEST_IMAGE")
	if registry == "" || base == "" {
		t.Skip("needs the lab: make test-lab")
	}
	ctx, source := t.Context(), "testdata/runbook"
	before := bytesOf(t, source)
	shared := []string{"base_environment.yml", "common.sh"}
	images := config.Images{
		Source: source, Base: base,
		Build: map[string]config.Build{
			"notebook":      {Dockerfile: "notebook/Dockerfile", Prepare: shared},
			"worker":        {Dockerfile: "worker/Dockerfile", Prepare: shared},
			"octave-worker": {Dockerfile: "octave-worker/Dockerfile", From: "worker"},
		},
		Pairs: []config.Pair{{Notebook: "notebook", Worker: "worker", Template: "/pre-home/worker-template.yml"}},
	}
	registry += "/runbook"
	built, err := Build(ctx, Options{Registry: registry, Images: images, Source: source, Observe: func(image, text string) { t.Log(image, text) }})
	must(t, err)
	if !maps.Equal(before, bytesOf(t, source)) {
		t.Error("the build changed its source")
	}
	ref := func(name string) string { return Ref(registry, name, built.Set.Images[name]) }
	said, err := NamesWorker(ctx, ref("notebook"), images.Pairs[0], ref("worker"))
	if err != nil {
		t.Errorf("%s %v", said, err)
	}
	must(t, builtOn(ctx, ref("octave-worker"), ref("worker")))
	for name, steps := range map[string]string{"notebook": "common\nnotebook\n", "worker": "common\nworker\n", "octave-worker": "common\nworker\noctave\n"} {
		_, img, err := open(ctx, ref(name))
		must(t, err)
		f, err := find(img, "/srv/environment/steps")
		must(t, err)
		if string(f.data) != steps {
			t.Errorf("%s: steps %q", name, f.data)
		}
		if f, err = find(img, "/srv/environment/base_environment.yml"); err != nil || string(f.data) != before["base_environment.yml"] {
			t.Errorf("%s: base_environment.yml: %v", name, err)
		}
	}
	_, img, err := open(ctx, ref("notebook"))
	must(t, err)
	f, err := find(img, "/pre-home/worker-template.yml")
	if err != nil || !strings.Contains(string(f.data), "# the paired one") || f.header.Uid != 1000 {
		t.Errorf("the template lost its comment or its owner: %v, %+v\n%s", err, f.header, f.data)
	}
}

func TestLabImagesAreBuiltInAPodOfTheWorkbench(t *testing.T) {
	registry, base, kubecontext := os.Getenv("GAUNTLET_TEST_REGISTRY"), os.Getenv("GAUNTLET_TEST_IMAGE"), os.Getenv("GAUNTLET_TEST_CONTEXT")
	if registry == "" || base == "" || kubecontext == "" {
		t.Skip("needs the lab: make test-lab")
	}
	ctx := t.Context()
	c, err := kube.Connect(kubecontext)
	must(t, err)
	// BuildKit's own image is not to be had here: one of the lab's programs.
	source := t.TempDir()
	for file, from := range map[string]string{
		"buildkitd": filepath.Join(lab.Dir(), "bin", "buildkitd"), "buildctl": filepath.Join(lab.Dir(), "bin", "buildctl"),
		"runc": "/usr/sbin/runc", "libseccomp.so.2": "/usr/lib/x86_64-linux-gnu/libseccomp.so.2",
	} {
		must(t, copyFile(from, filepath.Join(source, file)))
	}
	must(t, os.WriteFile(filepath.Join(source, "buildkitd.toml"), []byte(fmt.Sprintf(
		"[worker.oci]\n  enabled = true\n  binary = \"runc\"\n[worker.containerd]\n  enabled = false\n[registry.%q]\n  http = true\n", strings.Split(registry, "/")[0])), 0o644))
	must(t, os.WriteFile(filepath.Join(source, "Dockerfile"), []byte("ARG BASE\nFROM $BASE\nUSER root\n"+
		"COPY buildkitd buildctl runc /usr/local/bin/\nCOPY libseccomp.so.2 /usr/lib/x86_64-linux-gnu/\nCOPY buildkitd.toml /etc/buildkit/\n"+
		"ENTRYPOINT [\"buildkitd\"]\n"), 0o644))
	tools, err := Build(ctx, Options{
		Registry: registry + "/builder", Source: source,
		Images: config.Images{Base: base, Build: map[string]config.Build{"buildkit": {Dockerfile: "Dockerfile"}}},
	})
	must(t, err)

	bench := config.Workbench{Context: kubecontext, Namespace: "gauntlet-builder-test", Builder: &config.Builder{
		Image: Ref(registry+"/builder", "buildkit", tools.Set.Images["buildkit"]), SecurityContext: map[string]any{"privileged": true, "runAsUser": 0},
	}}
	t.Cleanup(func() {
		_ = c.CoreV1().Namespaces().Delete(context.Background(), bench.Namespace, metav1.DeleteOptions{})
	})
	start := time.Now()
	pod, err := StartBuilder(ctx, c, bench, func(text string) { t.Log(text) })
	must(t, err)
	t.Logf("started in %s", time.Since(start).Round(100*time.Millisecond))
	small := t.TempDir()
	must(t, os.WriteFile(filepath.Join(small, "Dockerfile"), []byte("ARG BASE\nFROM $BASE\nRUN echo built in a pod > /tmp/where\n"), 0o644))
	built, err := Build(ctx, Options{
		Registry: registry + "/builder", Source: small, Dial: pod.Dial,
		Images:  config.Images{Base: base, Build: map[string]config.Build{"small": {Dockerfile: "Dockerfile"}}},
		Observe: func(image, text string) { t.Log(image, text) },
	})
	if err := pod.Close(ctx); err != nil {
		t.Error(err)
	}
	must(t, err)
	_, img, err := open(ctx, Ref(registry+"/builder", "small", built.Set.Images["small"]))
	must(t, err)
	f, err := find(img, "/tmp/where")
	if err != nil || string(f.data) != "built in a pod\n" {
		t.Errorf("%q %v", f.data, err)
	}
	if len(built.Resolved["small"]) == 0 {
		t.Error("BuildKit does not say what it was built from")
	}
	left, err := c.CoreV1().Pods(bench.Namespace).List(ctx, metav1.ListOptions{})
	must(t, err)
	for _, p := range left.Items {
		t.Errorf("pod %s is left", p.Name)
	}
}
