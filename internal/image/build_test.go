package image

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/moby/buildkit/client"
	"github.com/opencontainers/go-digest"

	"gauntlet/internal/config"
)

func set() config.Images {
	return config.Images{
		Source: "images",
		Args:   map[string]string{"A": "1"},
		Build: map[string]config.Build{
			"notebook": {Dockerfile: "notebook/Dockerfile", Imports: []string{"dask"}},
			"worker":   {Dockerfile: "worker/Dockerfile"},
		},
		Pairs: []config.Pair{{Notebook: "notebook", Worker: "worker", Template: "/t.yml"}},
	}
}

func TestSourceDigestChangesWithWhatIsBuiltOnly(t *testing.T) {
	base := SourceDigest("tree", "r/p", set())
	if base != SourceDigest("tree", "r/p", set()) {
		t.Fatal("the same source has two digests")
	}
	change := func(f func(*config.Images)) string {
		s := set()
		f(&s)
		return string(SourceDigest("tree", "r/p", s))
	}
	edit := func(name string, f func(*config.Build)) func(*config.Images) {
		return func(i *config.Images) { b := i.Build[name]; f(&b); i.Build[name] = b }
	}
	others := map[string]string{
		"tree":         string(SourceDigest("tree2", "r/p", set())),
		"registry":     string(SourceDigest("tree", "r/q", set())),
		"argument":     change(func(i *config.Images) { i.Args["A"] = "2" }),
		"base":         change(func(i *config.Images) { i.Base = "debian" }),
		"secret":       change(func(i *config.Images) { i.Secrets = []config.BuildSecret{{ID: "ca", File: "x"}} }),
		"dockerfile":   change(edit("worker", func(b *config.Build) { b.Dockerfile = "other" })),
		"prepare":      change(edit("worker", func(b *config.Build) { b.Prepare = []string{"x"} })),
		"own argument": change(edit("worker", func(b *config.Build) { b.Args = map[string]string{"A": "3"} })),
		"from":         change(edit("notebook", func(b *config.Build) { b.From = "worker" })),
		"pair":         change(func(i *config.Images) { i.Pairs = nil }),
	}
	seen := map[string]string{string(base): "nothing"}
	for what, d := range others {
		if was, ok := seen[d]; ok {
			t.Errorf("changing %s and %s gives one digest", what, was)
		}
		seen[d] = what
	}
	same := map[string]string{
		"imports":     change(edit("notebook", func(b *config.Build) { b.Imports = nil })),
		"source path": change(func(i *config.Images) { i.Source = "elsewhere" }),
		"secret file": change(func(*config.Images) {}),
	}
	for what, d := range same {
		if d != string(base) {
			t.Errorf("changing %s changed the digest", what)
		}
	}
}

func TestBuildRefusesWhatCannotBeBuilt(t *testing.T) {
	dir := t.TempDir()
	for _, f := range []string{"notebook", "worker"} {
		must(t, os.MkdirAll(filepath.Join(dir, f), 0o755))
		must(t, os.WriteFile(filepath.Join(dir, f, "Dockerfile"), []byte("FROM scratch\n"), 0o644))
	}
	edit := func(name string, f func(*config.Build)) func(*config.Images) {
		return func(i *config.Images) { b := i.Build[name]; f(&b); i.Build[name] = b }
	}
	cases := map[string]struct {
		change func(*config.Images)
		want   string
	}{
		"no images":    {func(i *config.Images) { i.Build = nil }, "nothing to build"},
		"outside":      {edit("worker", func(b *config.Build) { b.Dockerfile = "../x" }), "not inside"},
		"missing file": {edit("worker", func(b *config.Build) { b.Prepare = []string{"nope"} }), "not in the source folder"},
		"unknown from": {edit("worker", func(b *config.Build) { b.From = "nope" }), "no image of images.build"},
		"circle": {func(i *config.Images) {
			edit("worker", func(b *config.Build) { b.From = "notebook" })(i)
			edit("notebook", func(b *config.Build) { b.From = "worker" })(i)
		}, "built on itself"},
		"unknown pair":     {func(i *config.Images) { i.Pairs[0].Worker = "nope" }, "no image of images.build"},
		"holds its digest": {func(i *config.Images) { i.Pairs[0].Worker = "notebook" }, "its own digest"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			s := set()
			c.change(&s)
			err := (&Options{Images: s, Source: dir}).check()
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
	ok := set()
	edit("notebook", func(b *config.Build) { b.From = "worker" })(&ok)
	must(t, (&Options{Images: ok, Source: dir}).check())
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestPreparedFilesStandBesideTheDockerfile(t *testing.T) {
	dir := t.TempDir()
	must(t, os.MkdirAll(filepath.Join(dir, "worker", "sub"), 0o755))
	must(t, os.WriteFile(filepath.Join(dir, "worker", "Dockerfile"), []byte("FROM scratch\n"), 0o644))
	must(t, os.WriteFile(filepath.Join(dir, "worker", "sub", "own"), nil, 0o644))
	must(t, os.WriteFile(filepath.Join(dir, "common.sh"), []byte("#!"), 0o755))
	must(t, os.WriteFile(filepath.Join(dir, "unrelated"), nil, 0o644))

	ctx, file, cleanup, err := buildContext(dir, config.Build{Dockerfile: "worker/Dockerfile", Prepare: []string{"common.sh"}})
	must(t, err)
	if file != "Dockerfile" {
		t.Errorf("Dockerfile is %q", file)
	}
	if info, err := os.Stat(filepath.Join(ctx, "common.sh")); err != nil || info.Mode().Perm() != 0o755 {
		t.Errorf("common.sh: %v %v", info, err)
	}
	if _, err := os.Stat(filepath.Join(ctx, "sub", "own")); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(ctx, "unrelated")); err == nil {
		t.Error("the context holds what was not named")
	}
	cleanup()
	if _, err := os.Stat(ctx); err == nil {
		t.Error("the context was left behind")
	}

	ctx, file, cleanup, err = buildContext(dir, config.Build{Dockerfile: "worker/Dockerfile"})
	must(t, err)
	defer cleanup()
	if ctx != dir || file != "worker/Dockerfile" {
		t.Errorf("without prepare: %s, %s", ctx, file)
	}
}

func TestABuildErrorNamesInstructionAndOutput(t *testing.T) {
	var told []string
	p := newProgress("worker", func(image, text string) { told = append(told, image+": "+text) })
	at := time.Now()
	later := at.Add(1500 * time.Millisecond)
	v := func(d, name string) *client.Vertex { return &client.Vertex{Digest: digest.Digest(d), Name: name} }
	internal, run, other := v("a", "[internal] load build definition"), v("b", "[2/3] RUN ./install.sh"), v("c", "[1/3] FROM base")
	internal.Started, run.Started = &at, &at
	other.Started, other.Completed, other.Cached = &at, &at, true
	p.update(&client.SolveStatus{Vertexes: []*client.Vertex{internal, other, run}})
	p.update(&client.SolveStatus{Vertexes: []*client.Vertex{run}, Logs: []*client.VertexLog{
		{Vertex: "b", Data: []byte("10%\r20%\rfetched\nERROR: No matching dis")}, {Vertex: "b", Data: []byte("tribution found for dask==0\nsee above")},
	}})
	done := *run
	done.Completed, done.Error = &later, "process did not complete"
	p.update(&client.SolveStatus{Vertexes: []*client.Vertex{&done, &done}})
	err := p.failure("worker/Dockerfile", errors.New(`failed to solve: process "/bin/sh -c ./install.sh" did not complete successfully: exit code: 1`))

	want := `image worker, worker/Dockerfile: [2/3] RUN ./install.sh: exit code: 1: ERROR: No matching distribution found for dask==0
    fetched
    ERROR: No matching distribution found for dask==0
    see above`
	if err.Error() != want {
		t.Errorf("got:\n%s\nwant:\n%s", err, want)
	}
	wantTold := []string{"worker: [1/3] FROM base: cached", "worker: [2/3] RUN ./install.sh", "worker: [2/3] RUN ./install.sh: failed"}
	if strings.Join(told, "\n") != strings.Join(wantTold, "\n") {
		t.Errorf("told:\n%s", strings.Join(told, "\n"))
	}
}

func TestAScriptsAnswerIsReadOrRefused(t *testing.T) {
	if m, err := answer(`{"ok": true, "message": "fine\nreally"}` + "\n"); err != nil || m != "fine really" {
		t.Errorf("%q %v", m, err)
	}
	if _, err := answer(`{"ok": false, "message": "bad"}`); err == nil || err.Error() != "bad" {
		t.Errorf("%v", err)
	}
	for _, out := range []string{"", "hello", "{}", `{"message":"no verdict"}`, `{"ok":true}{"ok":true}`} {
		if _, err := answer(out); err == nil {
			t.Errorf("%q passed for an answer", out)
		}
	}
}

func TestTheSuiteChecksEveryImageByItsRole(t *testing.T) {
	images := set()
	images.Build["extra"] = config.Build{Dockerfile: "x"}
	s := Suite(SuiteOptions{Images: images})
	names := map[string]bool{}
	for _, c := range s.Checks {
		names[c.Name] = true
		if c.Timeout <= 0 || c.Run == nil {
			t.Errorf("%s has no timeout or nothing to run", c.Name)
		}
		for _, n := range c.Needs {
			if !names[n] {
				t.Errorf("%s needs %q, which is not before it", c.Name, n)
			}
		}
	}
	for _, want := range []string{"extra starts", "notebook starts", "worker starts", "notebook runs every kernel", "notebook is a single-user server",
		"notebook imports what it promises", "worker has a Dask worker", "notebook names worker by digest"} {
		if !names[want] {
			t.Errorf("no check %q", want)
		}
	}
	if names["worker runs every kernel"] || names["worker imports what it promises"] {
		t.Error("a worker is asked for what only notebooks have, or for nothing")
	}
	if s.Cleanup == nil || s.Digest == "" {
		t.Error("no cleanup or no digest")
	}
	images.Build["worker"] = config.Build{Dockerfile: "x", Imports: []string{"numpy"}}
	if Suite(SuiteOptions{Images: images}).Digest == s.Digest {
		t.Error("another promise did not change the suite's digest")
	}
}
