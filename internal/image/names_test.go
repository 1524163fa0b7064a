package image

import (
	"context"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/v1/types"

	"gauntlet/internal/config"
)

func TestANotebookNamesItsWorkerInAVariable(t *testing.T) {
	for _, mt := range []types.MediaType{types.OCIManifestSchema1, types.DockerManifestSchema2} {
		t.Run(string(mt), func(t *testing.T) {
			ctx, reg := context.Background(), server(t)
			old := push(t, reg+"/notebook", mt, []entry{{name: "etc/x", text: "x"}})
			p := config.Pair{Notebook: "notebook", Worker: "worker", Environment: "DASK_GATEWAY__CLUSTER__OPTIONS__IMAGE"}
			if _, err := NamesWorker(ctx, old, p, someWorker); err == nil || !strings.Contains(err.Error(), "does not set DASK_GATEWAY") {
				t.Errorf("without the variable: %v", err)
			}
			d, err := nameWorker(ctx, old, p, someWorker)
			if err != nil {
				t.Fatal(err)
			}
			got := Ref(reg, "notebook", d)
			if said, err := NamesWorker(ctx, got, p, someWorker); err != nil || !strings.Contains(said, someWorker) {
				t.Errorf("%q, %v", said, err)
			}
			other := strings.ReplaceAll(someWorker, "a", "b")
			if _, err := NamesWorker(ctx, got, p, other); err == nil || !strings.Contains(err.Error(), "other workers") {
				t.Errorf("of another worker: %v", err)
			}
			again, err := nameWorker(ctx, got, p, someWorker)
			if err != nil || again != d {
				t.Errorf("once more: %s, want %s (%v)", again, d, err)
			}
			_, before, _ := open(ctx, old)
			_, after, _ := open(ctx, got)
			if b, a := manifest(t, before), manifest(t, after); len(a.Layers) != len(b.Layers) || a.Layers[0].Digest != b.Layers[0].Digest || a.MediaType != mt {
				t.Errorf("layers %v became %v, type %s", b.Layers, a.Layers, a.MediaType)
			}
			if _, err := nameWorker(ctx, old, p, "r.example.org/worker:latest"); err == nil {
				t.Error("a worker by tag was taken")
			}
		})
	}
}
