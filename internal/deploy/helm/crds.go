package helm

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"

	chart "helm.sh/helm/v4/pkg/chart/v2"
	helmkube "helm.sh/helm/v4/pkg/kube"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"
)

// brought are kinds that a cluster does not know yet because the chart brings them: Helm
// makes the CRDs in a chart's folder crds/ before anything else, and only when it installs.
// Objects of such a kind can neither be built nor tried before.
type brought map[schema.GroupKind]bool

// bringsKinds are the kinds of a chart and its subcharts that the cluster lacks.
func (s session) bringsKinds(ch *chart.Chart) (brought, error) {
	out := brought{}
	for _, crd := range ch.CRDObjects() {
		docs, err := split(string(crd.File.Data))
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", crd.Filename, err)
		}
		for _, d := range docs {
			if k, _ := defines(d.object); k.Kind != "" {
				out[k] = true
			}
		}
	}
	if len(out) == 0 {
		return out, nil
	}
	mapper, err := s.RESTClientGetter.ToRESTMapper()
	if err != nil {
		return nil, err
	}
	for k := range out {
		switch _, err := mapper.RESTMapping(k); {
		case err == nil:
			delete(out, k)
		case !meta.IsNoMatchError(err):
			return nil, fmt.Errorf("ask the cluster for its %s: %w", k.Kind, err)
		}
	}
	return out, nil
}

// defines is the kind that a CRD defines, and the versions in which it is served.
func defines(crd map[string]any) (k schema.GroupKind, versions []string) {
	k.Group, _, _ = unstructured.NestedString(crd, "spec", "group")
	k.Kind, _, _ = unstructured.NestedString(crd, "spec", "names", "kind")
	list, _, _ := unstructured.NestedSlice(crd, "spec", "versions")
	for _, v := range list {
		if m, ok := v.(map[string]any); ok && m["served"] == true {
			if name, ok := m["name"].(string); ok {
				versions = append(versions, name)
			}
		}
	}
	return k, versions
}

// leave splits a manifest into what can be built now and the objects of these kinds.
func (b brought) leave(manifest string) (rest string, left []map[string]any, err error) {
	if len(b) == 0 {
		return manifest, nil, nil
	}
	docs, err := split(manifest)
	if err != nil {
		return "", nil, err
	}
	var kept strings.Builder
	for _, d := range docs {
		u := unstructured.Unstructured{Object: d.object}
		if b[u.GroupVersionKind().GroupKind()] {
			left = append(left, d.object)
			continue
		}
		kept.WriteString("---\n" + d.text + "\n")
	}
	return kept.String(), left, nil
}

// forgiving is Helm's client for a dry run: it builds what can be built now.
type forgiving struct {
	waiting
	brought brought
}

func (f forgiving) Build(r io.Reader, validate bool) (helmkube.ResourceList, error) {
	text, err := io.ReadAll(r)
	if err != nil {
		return nil, err
	}
	list, _, err := f.build(string(text), validate)
	return list, err
}

func (f forgiving) build(manifest string, validate bool) (list helmkube.ResourceList, left []map[string]any, err error) {
	rest, left, err := f.brought.leave(manifest)
	if err != nil {
		return nil, nil, err
	}
	list, err = f.waiting.Build(strings.NewReader(rest), validate)
	return list, left, err
}

// document is one object of a manifest.
type document struct {
	text   string
	object map[string]any
}

// split reads the objects of a manifest; empty documents are none.
func split(manifest string) ([]document, error) {
	var out []document
	r := utilyaml.NewYAMLReader(bufio.NewReader(strings.NewReader(manifest)))
	for {
		text, err := r.Read()
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return nil, err
		}
		var o map[string]any
		if err := yaml.Unmarshal(text, &o); err != nil {
			return nil, err
		}
		if len(o) > 0 {
			out = append(out, document{string(text), o})
		}
	}
}
