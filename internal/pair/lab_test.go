package pair

import (
	"maps"
	"os"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/google/go-containerregistry/pkg/name"

	"gauntlet/internal/check"
	"gauntlet/internal/config"
	"gauntlet/internal/image"
	"gauntlet/internal/kube"
)

// labSet is the demonstration's notebook and the worker that it names.
func labSet(t *testing.T) (cluster string, refs map[string]string) {
	t.Helper()
	cluster, ref := os.Getenv("GAUNTLET_TEST_CONTEXT"), os.Getenv("GAUNTLET_TEST_NOTEBOOK")
	if cluster == "" || ref == "" {
		t.Skip("needs the lab: make test-lab")
	}
	tag, err := name.NewTag(ref)
	if err != nil {
		t.Fatal(err)
	}
	d, err := image.Resolve(t.Context(), tag.Repository.Name(), tag.TagStr())
	if err != nil {
		t.Fatal(err)
	}
	notebook := tag.Repository.Name() + "@" + string(d)
	named, err := image.TemplateImages(t.Context(), notebook, "/pre-home/worker-template.yml")
	if err != nil {
		t.Fatal(err)
	}
	return cluster, map[string]string{"notebook": notebook, "worker": named[0]}
}

func TestLabAGoodPairPassesInEveryShape(t *testing.T) {
	cluster, refs := labSet(t)
	client, err := kube.Connect(cluster)
	if err != nil {
		t.Fatal(err)
	}
	refs["third"] = refs["worker"]
	promised := []string{"geopandas", "pandas", "pyarrow", "xarray", "zarr"}
	for shape, p := range map[string]config.Pair{
		"the scheduler beside the client":   {Notebook: "notebook", Worker: "worker", Template: "/pre-home/worker-template.yml"},
		"the scheduler in a pod of its own": {Notebook: "notebook", Worker: "worker", Scheduler: "worker"},
		"the scheduler in a third image":    {Notebook: "notebook", Worker: "worker", Scheduler: "third"},
		"one image":                         {Notebook: "notebook", Worker: "notebook", Scheduler: "notebook"},
	} {
		t.Run(shape, func(t *testing.T) {
			bench := config.Workbench{Context: cluster, Namespace: "gauntlet-test-pair"}
			s := Suite(Options{Client: client, Workbench: bench, Refs: maps.Clone(refs), Images: config.Images{
				Build: map[string]config.Build{"notebook": {Imports: promised}, "worker": {Imports: promised}, "third": {}},
				Pairs: []config.Pair{p},
			}})
			r := check.Run(t.Context(), s, func(o check.Outcome) {
				t.Logf("%5.1f s %s %s: %s", o.Took.Seconds(), o.State, o.Name, o.Message)
			})
			if len(r.Outcomes) < 45 {
				t.Errorf("%d checks", len(r.Outcomes))
			}
			for _, o := range r.Outcomes {
				if o.State == check.Failed || strings.HasPrefix(o.Message, "flaky") {
					t.Errorf("%s: %s", o.Name, o.Message)
				}
			}
			pods, err := client.CoreV1().Pods(bench.Namespace).List(t.Context(), metav1.ListOptions{LabelSelector: kube.ManagedByLabel + "=" + kube.ManagedBy})
			if err != nil || len(pods.Items) > 0 {
				t.Errorf("%d pods are left (%v)", len(pods.Items), err)
			}
		})
	}
}
