package image

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestEveryShapeOfTemplateIsSet(t *testing.T) {
	cases := map[string]struct {
		text string
		want []string
	}{
		"pod":              {"spec: {containers: [{name: a, image: x}, {name: b}]}", []string{"W", "W"}},
		"pod in an object": {"spec:\n  template:\n    spec:\n      containers:\n      - image: x\n", []string{"W"}},
		"DaskCluster": {`
kind: DaskCluster
spec:
  worker: {replicas: 2, spec: {containers: [{name: worker, image: x}]}}
  scheduler: {spec: {containers: [{name: scheduler, image: y}]}}
`, []string{"W", "W"}},
		"dask's configuration": {"kubernetes:\n  worker-template:\n    spec:\n      containers:\n        - {image: x}\n", []string{"W"}},
		"several documents":    {"a: 1\n---\nspec: {containers: [{image: x}]}\n", []string{"W"}},
		"init containers stay": {"spec:\n  initContainers: [{image: mine}]\n  containers: [{image: x}]\n", []string{"W"}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			out, changed, err := setImages([]byte(c.text), "W")
			if err != nil || !changed {
				t.Fatal(changed, err)
			}
			got, err := images(out)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(c.want, got); d != "" {
				t.Errorf("%s\n%s", d, out)
			}
			if strings.Contains(c.text, "mine") && !strings.Contains(string(out), "image: mine") {
				t.Errorf("an init container was changed:\n%s", out)
			}
			again, changed, err := setImages(out, "W")
			if err != nil || changed || string(again) != string(out) {
				t.Errorf("setting it twice changed it: %v %v", changed, err)
			}
		})
	}
}

func TestWhatIsNoTemplateIsAnError(t *testing.T) {
	for _, text := range []string{"", "[]", "spec: {}", "spec: {containers: []}", "containers: [{image: x}]", "spec: {containers: x}",
		"spec: {containers: [x]}", "x: &c {image: y}\nspec: {containers: [*c]}", "{"} {
		if _, _, err := setImages([]byte(text), "W"); err == nil {
			t.Errorf("%q was taken for a template", text)
		}
	}
}

func FuzzSetImages(f *testing.F) {
	f.Add(template)
	f.Add("spec: {containers: [{image: x}]}\n---\na: &a {spec: *a}")
	f.Fuzz(func(t *testing.T, text string) {
		out, _, err := setImages([]byte(text), someWorker)
		if err != nil {
			return
		}
		list, err := images(out)
		if err != nil {
			t.Fatalf("what was written cannot be read: %v\n%s", err, out)
		}
		for _, got := range list {
			if got != someWorker {
				t.Fatalf("a container has image %q\n%s", got, out)
			}
		}
	})
}
