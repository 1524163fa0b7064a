package pipeline

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gauntlet/internal/config"
	"gauntlet/internal/release"
)

// asks are values that ask for a notebook tag and a worker image.
func asks(tag any, worker string) release.Values {
	v := release.Values{"single": map[string]any{"image": map[string]any{"name": "registry/notebook", "tag": tag}}}
	if worker != "" {
		v["worker"] = map[string]any{"image": worker}
	}
	return v
}

var slots = map[string]config.ImageSlot{
	"notebook": {Name: "single.image.name", Tag: "single.image.tag"},
	"worker":   {Name: "worker.image"},
}

func TestRequestsAreWhatAllHubsAskFor(t *testing.T) {
	for name, tt := range map[string]struct {
		a, b release.Values
		want map[string]string
		err  string
	}{
		"the same tag":             {a: asks("c1", ""), b: asks("c1", ""), want: map[string]string{"notebook": "c1", "worker": ""}},
		"none":                     {a: asks("", ""), b: asks("", ""), want: map[string]string{"notebook": "", "worker": ""}},
		"no values at all":         {a: release.Values{}, b: nil, want: map[string]string{"notebook": "", "worker": ""}},
		"a slot for name and tag":  {a: asks("c1", "registry/worker:c1"), b: asks("c1", "registry/worker:c1"), want: map[string]string{"notebook": "c1", "worker": "c1"}},
		"different tags":           {a: asks("c1", ""), b: asks("c2", ""), err: `hubs a and b ask for different notebook images (single.image.tag: "c1" and "c2")`},
		"a tag and none":           {a: asks("c1", ""), b: asks("", ""), err: `"c1" and ""`},
		"different workers":        {a: asks("c1", "registry/worker:c1"), b: asks("c1", "registry/worker:c2"), err: `different worker images (worker.image: "c1" and "c2")`},
		"a mapping where a tag is": {a: asks("c1", ""), b: asks(map[string]any{}, ""), err: "values of hub b"},
	} {
		t.Run(name, func(t *testing.T) {
			w := &Workspace{Platform: &config.Platform{Chart: config.Chart{Images: slots}, Hubs: map[string]config.Hub{"a": {}, "b": {}}}}
			got, err := w.requests(map[string]release.Values{"a": tt.a, "b": tt.b})
			if tt.err == "" {
				if err != nil {
					t.Fatal(err)
				}
				if d := cmp.Diff(tt.want, got); d != "" {
					t.Error(d)
				}
				return
			}
			var input *InputError
			if !errors.As(err, &input) || !strings.Contains(err.Error(), tt.err) {
				t.Errorf("got %v, expected wrong input with %q", err, tt.err)
			}
		})
	}
}

func TestARequestIsMetByABuildOfAllItsImages(t *testing.T) {
	b := buildOf("c1")
	for name, tt := range map[string]struct {
		asked map[string]release.Digest
		want  bool
	}{
		"one of its images":     {map[string]release.Digest{"notebook": digest("notebook c1")}, true},
		"all of its images":     {map[string]release.Digest{"notebook": digest("notebook c1"), "worker": digest("worker c1")}, true},
		"one of another build":  {map[string]release.Digest{"notebook": digest("notebook c1"), "worker": digest("worker c2")}, false},
		"an image it lacks":     {map[string]release.Digest{"octave": digest("octave c1")}, false},
		"another build's image": {map[string]release.Digest{"notebook": digest("notebook c2")}, false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := holds(b, tt.asked); got != tt.want {
				t.Errorf("got %v", got)
			}
		})
	}
}

func TestSourcesAreFoldersAndTheFilesOutside(t *testing.T) {
	w := &Workspace{Dir: "/team", Platform: &config.Platform{
		Chart: config.Chart{Path: "../charts/hub"},
		Hubs: map[string]config.Hub{
			"a": {Values: []string{"a.yml", "../common.yml"}, Secrets: []string{"/vault/a.enc.yml"}},
			"b": {Values: []string{"sub/b.yml", "../common.yml"}},
		},
	}}
	want := []string{"/charts/hub", "/common.yml", "/team", "/vault/a.enc.yml"}
	if d := cmp.Diff(want, w.sources()); d != "" {
		t.Error(d)
	}
}
