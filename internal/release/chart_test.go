package release

import (
	"bytes"
	"compress/gzip"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
)

func chartFiles() map[string][]byte {
	return map[string][]byte{
		"Chart.yaml":              []byte("apiVersion: v2\nname: hub\nversion: 0.1.0\n"),
		"values.yaml":             []byte("a: 1\n"),
		"templates/hub.yaml":      []byte("kind: ConfigMap\n"),
		"templates/_helpers.tpl":  []byte(""),
		"templates/.hub.yaml.swp": []byte("x"),
		"notes/todo.txt":          []byte("x"),
		"keep.bak":                []byte("x"),
		".helmignore":             []byte("# comment\nnotes/\n*.bak\n"),
		"charts/sub/Chart.yaml":   []byte("apiVersion: v2\nname: sub\nversion: 0.2.0\n"),
		"files/" + strings.Repeat("long/", 30) + "x": []byte("deep"),
	}
}

func TestPackedChartIsWhatHelmLoads(t *testing.T) {
	tgz, err := PackChart(chartFiles(), "hub", "0.1.0")
	if err != nil {
		t.Fatal(err)
	}
	c, err := loader.LoadArchive(bytes.NewReader(tgz))
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]bool{}
	for _, f := range c.Raw {
		got[f.Name] = true
	}
	want := map[string]bool{
		"Chart.yaml": true, "values.yaml": true, "templates/hub.yaml": true, "templates/_helpers.tpl": true,
		".helmignore": true, "charts/sub/Chart.yaml": true, "files/" + strings.Repeat("long/", 30) + "x": true,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	if c.Name() != "hub" || len(c.Dependencies()) != 1 {
		t.Errorf("loaded chart %s with %d dependencies", c.Name(), len(c.Dependencies()))
	}
}

func TestPackedChartNeverChanges(t *testing.T) {
	const want = "sha256:dc54cda62cca45442956fac44b7addb9a78c8b0e9be4eea44167efb7a286e609"
	for range 5 {
		tgz, err := PackChart(chartFiles(), "", "")
		if err != nil {
			t.Fatal(err)
		}
		if got := DigestOf(tgz); got != want {
			t.Fatalf("digest %s, want %s: a new form of the archive voids all evidence", got, want)
		}
	}
}

func TestPackChartRefuses(t *testing.T) {
	meta := []byte("name: hub\nversion: 0.1.0\n")
	for name, c := range map[string]struct {
		files         map[string][]byte
		name, version string
	}{
		"no Chart.yaml":   {map[string][]byte{"values.yaml": nil}, "", ""},
		"another name":    {map[string][]byte{"Chart.yaml": meta}, "other", "0.1.0"},
		"another version": {map[string][]byte{"Chart.yaml": meta}, "hub", "0.2.0"},
		"no version":      {map[string][]byte{"Chart.yaml": []byte("name: hub\n")}, "", ""},
		"a path outside":  {map[string][]byte{"Chart.yaml": meta, "../x": nil}, "", ""},
		"name is a path":  {map[string][]byte{"Chart.yaml": []byte("name: ../x\nversion: 1.0.0\n")}, "", ""},
		"bad ignore file": {map[string][]byte{"Chart.yaml": meta, ".helmignore": []byte("a/**\n")}, "", ""},
	} {
		if _, err := PackChart(c.files, c.name, c.version); err == nil {
			t.Errorf("%s: packed", name)
		}
	}
}

func TestStoredGzipUnpacks(t *testing.T) {
	for _, n := range []int{0, 1, 65534, 65535, 65536, 131070, 200000} {
		data := make([]byte, n)
		r := rand.New(rand.NewPCG(1, uint64(n)))
		for i := range data {
			data[i] = byte(r.Uint32())
		}
		zr, err := gzip.NewReader(bytes.NewReader(storedGzip(data)))
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(zr)
		if err != nil || !bytes.Equal(got, data) {
			t.Errorf("%d bytes: got %d, %v", n, len(got), err)
		}
	}
}
