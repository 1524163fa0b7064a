package image

import (
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gauntlet/internal/config"
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
