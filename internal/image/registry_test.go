package image

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"io"
	"log"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"gauntlet/internal/release"
)

const template = `# A worker.
kind: Pod
spec:
  containers:
    - name: dask-worker # the only one
      image: WORKER_IMAGE
      args: [dask, worker]
`

// entry is one file of a layer.
type entry struct {
	name, text string
	kind       byte
}

func server(t *testing.T) string {
	t.Helper()
	s := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	t.Cleanup(s.Close)
	return strings.TrimPrefix(s.URL, "http://") + "/platform"
}

// push puts an image with these layers into the registry and gives its reference.
func push(t *testing.T, repo string, mt types.MediaType, layers ...[]entry) string {
	t.Helper()
	img := mutate.MediaType(empty.Image, mt)
	for _, l := range layers {
		var b bytes.Buffer
		w := tar.NewWriter(&b)
		for _, e := range l {
			h := &tar.Header{Name: e.name, Size: int64(len(e.text)), Mode: 0o640, Uid: 1000, Gid: 100, ModTime: time.Unix(1700000000, 0), Typeflag: tar.TypeReg}
			if e.kind != 0 {
				h.Typeflag, h.Linkname, h.Size = e.kind, e.text, 0
			}
			if err := w.WriteHeader(h); err != nil {
				t.Fatal(err)
			}
			if h.Typeflag == tar.TypeReg {
				if _, err := io.WriteString(w, e.text); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b.Bytes())), nil })
		if err != nil {
			t.Fatal(err)
		}
		if img, err = mutate.AppendLayers(img, layer); err != nil {
			t.Fatal(err)
		}
	}
	h, err := img.Digest()
	if err != nil {
		t.Fatal(err)
	}
	ref, err := name.NewDigest(repo + "@" + h.String())
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(ref, img); err != nil {
		t.Fatal(err)
	}
	return ref.String()
}

var someWorker = "r.example.org/worker@sha256:" + strings.Repeat("a", 64)

func TestSetWorkerAddsOneLayerAndKeepsTheRest(t *testing.T) {
	for _, mt := range []types.MediaType{types.OCIManifestSchema1, types.DockerManifestSchema2} {
		t.Run(string(mt), func(t *testing.T) {
			ctx, reg := context.Background(), server(t)
			old := push(t, reg+"/notebook", mt,
				[]entry{{name: "pre-home/worker.yml", text: "old"}, {name: "etc/x", text: "x"}},
				[]entry{{name: "./pre-home/worker.yml", text: template}})
			d, err := SetWorker(ctx, old, "/pre-home/worker.yml", someWorker)
			if err != nil {
				t.Fatal(err)
			}
			got := Ref(reg, "notebook", d)
			list, err := TemplateImages(ctx, got, "pre-home/worker.yml")
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]string{someWorker}, list); diff != "" {
				t.Error(diff)
			}

			_, before, _ := open(ctx, old)
			_, after, err := open(ctx, got)
			if err != nil {
				t.Fatal(err)
			}
			b, a := manifest(t, before), manifest(t, after)
			if len(a.Layers) != 3 || a.Layers[0].Digest != b.Layers[0].Digest || a.Layers[1].Digest != b.Layers[1].Digest {
				t.Errorf("layers %v became %v", b.Layers, a.Layers)
			}
			if a.MediaType != mt {
				t.Errorf("media type %s became %s", mt, a.MediaType)
			}
			f, err := find(after, "/pre-home/worker.yml")
			if err != nil {
				t.Fatal(err)
			}
			if h := f.header; h.Uid != 1000 || h.Gid != 100 || h.Mode != 0o640 || h.ModTime.Unix() != 1700000000 {
				t.Errorf("owner, mode or time changed: %+v", h)
			}
			if !strings.Contains(string(f.data), "# A worker.") || !strings.Contains(string(f.data), "# the only one") {
				t.Errorf("comments are gone:\n%s", f.data)
			}

			again, err := SetWorker(ctx, old, "/pre-home/worker.yml", someWorker)
			if err != nil || again != d {
				t.Errorf("the same build gave %s, then %s (%v)", d, again, err)
			}
			same, err := SetWorker(ctx, got, "/pre-home/worker.yml", someWorker)
			if err != nil || same != d {
				t.Errorf("a template that names the worker already: %s, want %s (%v)", same, d, err)
			}
		})
	}
}

func manifest(t *testing.T, img v1.Image) *v1.Manifest {
	t.Helper()
	m, err := img.Manifest()
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestFindFollowsTheRulesOfLayers(t *testing.T) {
	file := entry{name: "a/b/f", text: "low"}
	cases := map[string]struct {
		layers [][]entry
		want   string // text, or part of the error
		fails  bool
	}{
		"topmost wins":              {[][]entry{{file}, {{name: "a/b/f", text: "high"}}}, "high", false},
		"other names are no match":  {[][]entry{{file}, {{name: "a/b/f2", text: "x"}, {name: "b/f", text: "x"}}}, "low", false},
		"whiteout of the file":      {[][]entry{{file}, {{name: "a/b/.wh.f"}}}, "no such file", true},
		"whiteout of a folder":      {[][]entry{{file}, {{name: "a/.wh.b"}}}, "no such file", true},
		"whiteout of a namesake":    {[][]entry{{file}, {{name: "a/.wh.bb"}}}, "low", false},
		"opaque folder":             {[][]entry{{file}, {{name: "a/.wh..wh..opq"}}}, "no such file", true},
		"opaque folder and anew":    {[][]entry{{file}, {{name: "a/b/.wh..wh..opq"}, {name: "a/b/f", text: "new"}}}, "new", false},
		"written again after it":    {[][]entry{{file}, {{name: "a/.wh.b"}}, {{name: "a/b/f", text: "third"}}}, "third", false},
		"a link is not followed":    {[][]entry{{{name: "a/b/f", text: "elsewhere", kind: tar.TypeSymlink}}}, "name the real path", true},
		"nor a linked folder":       {[][]entry{{file}, {{name: "a", text: "/opt", kind: tar.TypeSymlink}}}, "name the real path", true},
		"missing":                   {[][]entry{{{name: "x", text: "x"}}}, "no such file", true},
		"no template is that large": {[][]entry{{{name: "a/b/f", text: strings.Repeat("x", templateLimit+1)}}}, "limit", true},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			ctx, reg := context.Background(), server(t)
			_, img, err := open(ctx, push(t, reg+"/x", types.OCIManifestSchema1, c.layers...))
			if err != nil {
				t.Fatal(err)
			}
			f, err := find(img, "/a/b/f")
			switch {
			case c.fails && (err == nil || !strings.Contains(err.Error(), c.want)):
				t.Errorf("got %q, %v; want an error with %q", f.data, err, c.want)
			case !c.fails && (err != nil || string(f.data) != c.want):
				t.Errorf("got %q, %v; want %q", f.data, err, c.want)
			}
		})
	}
}

func TestSetWorkerRefusesWhatIsNoTemplate(t *testing.T) {
	ctx, reg := context.Background(), server(t)
	ref := push(t, reg+"/notebook", types.OCIManifestSchema1, []entry{{name: "t", text: "a: 1"}, {name: "u", text: "a: [}"}})
	for path, want := range map[string]string{"/t": "spec", "/u": "no YAML", "/v": "no such file"} {
		if _, err := SetWorker(ctx, ref, path, someWorker); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", path, err, want)
		}
	}
	if _, err := SetWorker(ctx, ref, "/t", "r.example.org/worker:latest"); err == nil {
		t.Error("a worker by tag was taken")
	}
}

func TestTagsNeverMove(t *testing.T) {
	ctx, reg := context.Background(), server(t)
	one := push(t, reg+"/notebook", types.OCIManifestSchema1, []entry{{name: "1"}})
	two := push(t, reg+"/notebook", types.OCIManifestSchema1, []entry{{name: "2"}})

	_, err := Resolve(ctx, reg+"/notebook", "abc1234")
	var missing *NotFoundError
	if !errors.As(err, &missing) || !strings.Contains(err.Error(), "gauntlet build") {
		t.Errorf("a tag that is not there: %v", err)
	}
	for range 2 { // the second time it is there already
		if err := Tag(ctx, one, "abc1234"); err != nil {
			t.Fatal(err)
		}
	}
	d, err := Resolve(ctx, reg+"/notebook", "abc1234")
	if err != nil || Ref(reg, "notebook", d) != one {
		t.Errorf("resolved to %s, %v", d, err)
	}
	var taken *TagTakenError
	if err := Tag(ctx, two, "abc1234"); !errors.As(err, &taken) {
		t.Errorf("a tag was moved: %v", err)
	}
	if still, _ := Resolve(ctx, reg+"/notebook", "abc1234"); still != d {
		t.Errorf("the tag names %s now", still)
	}
	gone := Ref(reg, "notebook", release.DigestOf([]byte("nothing")))
	if err := Tag(ctx, gone, "x"); !errors.As(err, &missing) {
		t.Errorf("an image that is not there got a tag: %v", err)
	}
	if ok, err := Exists(ctx, one); !ok || err != nil {
		t.Errorf("Exists: %v %v", ok, err)
	}
	if ok, err := Exists(ctx, gone); ok || err != nil {
		t.Errorf("Exists of what is not there: %v %v", ok, err)
	}
	if _, err := Resolve(ctx, reg+"/notebook", "a@b"); err == nil {
		t.Error("a tag of forbidden characters was taken")
	}
}
