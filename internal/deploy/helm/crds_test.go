package helm

import (
	"testing"

	"k8s.io/apimachinery/pkg/runtime/schema"
)

const withOwnKinds = `---
# Source: gate/templates/route.yaml
apiVersion: routes.example/v1
kind: Route
metadata: {name: api}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: one}
data:
  text: |
    --- not a document
---
# nothing
---
apiVersion: v1
kind: Route
metadata: {name: of-another-group}
`

func TestObjectsOfKindsThatAChartBringsAreLeftOut(t *testing.T) {
	rest, left, err := brought{schema.GroupKind{Group: "routes.example", Kind: "Route"}: true}.leave(withOwnKinds)
	if err != nil {
		t.Fatal(err)
	}
	if len(left) != 1 || left[0]["apiVersion"] != "routes.example/v1" {
		t.Errorf("left out are %v", left)
	}
	kept, err := split(rest)
	if err != nil {
		t.Fatal(err)
	}
	if len(kept) != 2 || kept[0].object["kind"] != "ConfigMap" || kept[1].object["apiVersion"] != "v1" {
		t.Errorf("kept is %v", kept)
	}
	if data, ok := kept[0].object["data"].(map[string]any); !ok || data["text"] != "--- not a document\n" {
		t.Errorf("the ConfigMap became %v", kept[0].object)
	}
	if same, left, err := (brought{}).leave(withOwnKinds); same != withOwnKinds || left != nil || err != nil {
		t.Errorf("a chart that brings none: %q, %v, %v", same, left, err)
	}
}

func FuzzSplit(f *testing.F) {
	f.Add(withOwnKinds)
	f.Add("a: b\n---\n- c\n")
	f.Fuzz(func(t *testing.T, manifest string) {
		docs, err := split(manifest)
		if err != nil {
			return
		}
		for _, d := range docs {
			if len(d.object) == 0 {
				t.Errorf("an empty document of %q", manifest)
			}
		}
	})
}
