package image

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
)

func TestACachedLayerIsTheOneThatWasRead(t *testing.T) {
	c := layerCache(filepath.Join(t.TempDir(), "layers"))
	h := v1.Hash{Algorithm: "sha256", Hex: "ab"}
	if _, ok := c.get(h); ok {
		t.Fatal("a layer that nobody kept")
	}
	want := &layerFiles{
		Files:  map[string][]byte{"var/lib/dpkg/status": []byte("Package: a\n"), "opt/env/lib/python3.11/site-packages/a-1.dist-info": nil},
		Hidden: map[string]bool{"opt/old": true}, Opaque: map[string]bool{"srv": true},
	}
	c.put(h, want)
	got, ok := c.get(h)
	if !ok {
		t.Fatal("it is not kept")
	}
	if d := cmp.Diff(stack([]*layerFiles{want}), stack([]*layerFiles{got})); d != "" {
		t.Error(d)
	}
	if !got.hides("opt/old/x") || !got.hides("srv/x") || got.hides("usr/x") {
		t.Errorf("it hides something else: %+v", got)
	}
	// A file that was cut off, or is of another form, has the layer read again.
	data, err := os.ReadFile(c.file(h))
	must(t, err)
	for _, broken := range [][]byte{data[:len(data)/2], []byte("{}"), nil} {
		must(t, os.WriteFile(c.file(h), broken, 0o600))
		if l, ok := c.get(h); ok {
			t.Errorf("%d broken bytes were read as %+v", len(broken), l)
		}
	}
	left, err := os.ReadDir(string(c))
	must(t, err)
	if len(left) != 1 {
		t.Errorf("%d files for one layer", len(left))
	}
}
