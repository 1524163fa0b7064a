package helm

import (
	"bytes"
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/metadata"
)

// A Meta is an object that is live, with what tools note on it.
type Meta struct {
	Object
	Labels, Annotations map[string]string
	Managers            []string // who set fields of it
}

// Metas are those objects of revisions, and of what a rendering would apply (nil for
// none), that are live.
func (h *Helm) Metas(ctx context.Context, records []Record, next *Apply, history []Record) ([]Meta, error) {
	s, err := h.open(nil)
	if err != nil {
		return nil, err
	}
	var manifests []string
	for _, r := range records {
		manifests = append(manifests, r.release.Manifest)
	}
	if next != nil {
		_, rendered, err := h.render(*next, history)
		if err != nil {
			return nil, err
		}
		manifests = append(manifests, rendered.Manifest)
	}
	want := map[place][]string{} // names
	seen := map[place]map[string]bool{}
	for _, m := range manifests {
		list, err := s.kube.Build(bytes.NewBufferString(m), false)
		if err != nil {
			return nil, fmt.Errorf("read a manifest: %w", err)
		}
		for _, info := range list {
			at := place{info.Mapping.Resource, info.Mapping.GroupVersionKind.Kind, info.Namespace}
			if seen[at] == nil {
				seen[at] = map[string]bool{}
			}
			if !seen[at][info.Name] {
				seen[at][info.Name] = true
				want[at] = append(want[at], info.Name)
			}
		}
	}
	client, err := metadata.NewForConfig(h.client.Config)
	if err != nil {
		return nil, fmt.Errorf("make a client for context %q: %w", h.client.Context, err)
	}
	var out []Meta
	for at, names := range want {
		found, err := at.read(ctx, client, names)
		if err != nil {
			return nil, fmt.Errorf("look at the hub's objects of kind %s: %w", at.kind, err)
		}
		out = append(out, found...)
	}
	return out, nil
}

// A place is where objects of one kind are.
type place struct {
	resource  schema.GroupVersionResource
	kind      string
	namespace string
}

// fewObjects is how many objects are asked for one by one.
const fewObjects = 2

func (p place) read(ctx context.Context, c metadata.Interface, names []string) ([]Meta, error) {
	api := c.Resource(p.resource).Namespace(p.namespace)
	var items []metav1.PartialObjectMetadata
	if len(names) <= fewObjects || p.namespace == "" {
		for _, n := range names {
			o, err := api.Get(ctx, n, metav1.GetOptions{})
			if apierrors.IsNotFound(err) {
				continue
			}
			if err != nil {
				return nil, err
			}
			items = append(items, *o)
		}
	} else {
		list, err := api.List(ctx, metav1.ListOptions{})
		if err != nil {
			return nil, err
		}
		items = list.Items
	}
	wanted := map[string]bool{}
	for _, n := range names {
		wanted[n] = true
	}
	var out []Meta
	for i := range items {
		o := &items[i]
		if !wanted[o.Name] {
			continue
		}
		m := Meta{Object: Object{Kind: p.kind, Namespace: p.namespace, Name: o.Name}, Labels: o.Labels, Annotations: o.Annotations}
		for _, f := range o.ManagedFields {
			m.Managers = append(m.Managers, f.Manager)
		}
		out = append(out, m)
	}
	return out, nil
}

// Custom are the objects of a kind that the cluster may not know, in one namespace or in
// all (""). known says whether it knows the kind.
func (h *Helm) Custom(ctx context.Context, kind schema.GroupKind, namespace string) (list []unstructured.Unstructured, known bool, err error) {
	s, err := h.open(nil)
	if err != nil {
		return nil, false, err
	}
	mapper, err := s.RESTClientGetter.ToRESTMapper()
	if err != nil {
		return nil, false, err
	}
	m, err := mapper.RESTMapping(kind)
	if meta.IsNoMatchError(err) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, err
	}
	client, err := dynamic.NewForConfig(h.client.Config)
	if err != nil {
		return nil, true, err
	}
	found, err := client.Resource(m.Resource).Namespace(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, true, err
	}
	return found.Items, true, nil
}
