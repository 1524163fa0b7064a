// Package dask knows what a Dask cluster on Kubernetes is made of: what the Dask
// operator makes of a DaskCluster object, and what must be gone when that is.
// Format: kubernetes.dask.org/v1, as of dask-kubernetes 2026.3.
package dask

import (
	"context"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/metadata"

	"gauntlet/internal/kube"
)

// A Component is a part of a Dask cluster.
type Component string

const (
	Scheduler Component = "scheduler"
	Worker    Component = "worker"
)

// The labels that the operator sets on all that it makes.
const (
	clusterLabel   = "dask.org/cluster-name"
	componentLabel = "dask.org/component"
)

// group is the operator's API group.
const group = "kubernetes.dask.org"

func custom(resource string) schema.GroupVersionResource {
	return schema.GroupVersionResource{Group: group, Version: "v1", Resource: resource}
}

var clusters = custom("daskclusters")

// A Cluster is one Dask cluster.
type Cluster struct {
	Namespace string
	Name      string

	objects dynamic.Interface
	meta    metadata.Interface
}

// Open makes a client for the parts of a Dask cluster, which need not exist. It sends
// nothing.
func Open(c *kube.Client, namespace, name string) (*Cluster, error) {
	objects, err := dynamic.NewForConfig(c.Config)
	if err != nil {
		return nil, fmt.Errorf("make a client for context %q: %w", c.Context, err)
	}
	meta, err := metadata.NewForConfig(c.Config)
	if err != nil {
		return nil, fmt.Errorf("make a client for context %q: %w", c.Context, err)
	}
	return &Cluster{Namespace: namespace, Name: name, objects: objects, meta: meta}, nil
}

// Named are the Dask clusters of a namespace whose names begin so. A cluster that knows
// no Dask operator, or does not tell this user, has none.
func Named(ctx context.Context, c *kube.Client, namespace, prefix string) ([]string, error) {
	meta, err := metadata.NewForConfig(c.Config)
	if err != nil {
		return nil, fmt.Errorf("make a client for context %q: %w", c.Context, err)
	}
	list, err := meta.Resource(clusters).Namespace(namespace).List(ctx, metav1.ListOptions{})
	if apierrors.IsNotFound(err) || apierrors.IsForbidden(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list the Dask clusters of namespace %s: %w", namespace, err)
	}
	var names []string
	for _, o := range list.Items {
		if strings.HasPrefix(o.Name, prefix) {
			names = append(names, o.Name)
		}
	}
	return names, nil
}

// Has says whether a pod is a part of the cluster.
func (c *Cluster) Has(pod *corev1.Pod, part Component) bool {
	return pod.Labels[clusterLabel] == c.Name && pod.Labels[componentLabel] == string(part)
}

// Wanted is how many workers the cluster's default group is asked to have; false when
// there is no such group.
func (c *Cluster) Wanted(ctx context.Context) (int, bool, error) {
	o, err := c.objects.Resource(custom("daskworkergroups")).Namespace(c.Namespace).Get(ctx, c.Name+"-default", metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return 0, false, nil
	}
	if err != nil {
		return 0, false, fmt.Errorf("read the worker group of Dask cluster %s: %w", c.Name, err)
	}
	n, found, err := unstructured.NestedInt64(o.Object, "spec", "worker", "replicas")
	if err != nil {
		return 0, false, fmt.Errorf("read the worker group of Dask cluster %s: %w", c.Name, err)
	}
	return int(n), found, nil
}

// Adapts says whether the cluster has an autoscaler.
func (c *Cluster) Adapts(ctx context.Context) (bool, error) {
	_, err := c.objects.Resource(custom("daskautoscalers")).Namespace(c.Namespace).Get(ctx, c.Name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("read the autoscaler of Dask cluster %s: %w", c.Name, err)
	}
	return true, nil
}

// A Part is an object that belongs to a Dask cluster.
type Part struct {
	Kind string // "Service"
	Name string

	resource   schema.GroupVersionResource
	uid        string
	finalizers []string
	ending     bool
}

// String names it as kubectl does, and says what it waits for if it is being deleted.
func (p Part) String() string {
	s := p.Kind + "/" + p.Name
	if p.ending && len(p.finalizers) > 0 {
		s += fmt.Sprintf(" (deleted, and kept by the finalizer %s)", strings.Join(p.finalizers, ", "))
	}
	return kube.OneLine(s)
}

// Ending says that the object is deleted and waits for its finalizers or its owner.
func (p Part) Ending() bool { return p.ending }

// partKinds are the kinds of which a Dask cluster may leave something behind, what owns
// others first.
var partKinds = []struct {
	kind     string
	resource schema.GroupVersionResource
}{
	{"DaskCluster", clusters},
	{"DaskAutoscaler", custom("daskautoscalers")},
	{"DaskWorkerGroup", custom("daskworkergroups")},
	{"DaskJob", custom("daskjobs")},
	{"Deployment", schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "deployments"}},
	{"StatefulSet", schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "statefulsets"}},
	{"Job", schema.GroupVersionResource{Group: "batch", Version: "v1", Resource: "jobs"}},
	{"Pod", corev1.SchemeGroupVersion.WithResource("pods")},
	{"Service", corev1.SchemeGroupVersion.WithResource("services")},
	{"Secret", corev1.SchemeGroupVersion.WithResource("secrets")},
	{"ConfigMap", corev1.SchemeGroupVersion.WithResource("configmaps")},
	{"PersistentVolumeClaim", corev1.SchemeGroupVersion.WithResource("persistentvolumeclaims")},
	{"PodDisruptionBudget", schema.GroupVersionResource{Group: "policy", Version: "v1", Resource: "poddisruptionbudgets"}},
}

// Parts are all objects of the cluster, also those that are being deleted, and the kinds
// that this user may not list. Of Secrets nothing but names and labels is read.
func (c *Cluster) Parts(ctx context.Context) (parts []Part, unseen []string, err error) {
	for _, k := range partKinds {
		list, err := c.meta.Resource(k.resource).Namespace(c.Namespace).List(ctx, metav1.ListOptions{})
		switch {
		case apierrors.IsNotFound(err):
			continue // the cluster knows no such kind
		case apierrors.IsForbidden(err):
			unseen = append(unseen, k.kind)
			continue
		case err != nil:
			return nil, nil, fmt.Errorf("list the %s of namespace %s: %w", k.resource.Resource, c.Namespace, err)
		}
		for _, o := range list.Items {
			if c.owns(k.resource, o) {
				parts = append(parts, Part{Kind: k.kind, Name: o.Name, resource: k.resource, uid: string(o.UID),
					finalizers: o.Finalizers, ending: o.DeletionTimestamp != nil})
			}
		}
	}
	return parts, unseen, nil
}

// owns says whether an object is the cluster's. The client labels none of the objects
// that it makes itself: they are known by their names.
func (c *Cluster) owns(kind schema.GroupVersionResource, o metav1.PartialObjectMetadata) bool {
	if o.Labels[clusterLabel] == c.Name {
		return true
	}
	if slices.ContainsFunc(o.OwnerReferences, func(r metav1.OwnerReference) bool { return r.Kind == "DaskCluster" && r.Name == c.Name }) {
		return true
	}
	return kind.Group == group && (o.Name == c.Name || strings.HasPrefix(o.Name, c.Name+"-"))
}

// Delete deletes parts that are not being deleted, what they own with them, and does not
// wait. What is gone already is no error.
func (c *Cluster) Delete(ctx context.Context, parts []Part) error {
	behind := metav1.DeletePropagationBackground
	for _, p := range parts {
		if p.ending {
			continue
		}
		err := c.meta.Resource(p.resource).Namespace(c.Namespace).Delete(ctx, p.Name, metav1.DeleteOptions{
			PropagationPolicy: &behind, Preconditions: &metav1.Preconditions{UID: (*types.UID)(&p.uid)},
		})
		if err != nil && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) {
			return fmt.Errorf("delete %s of namespace %s: %w", p, c.Namespace, err)
		}
	}
	return nil
}

// Release takes the finalizers off parts that are being deleted: for those of a dead run,
// whose operator does not take them off.
func (c *Cluster) Release(ctx context.Context, parts []Part) error {
	for _, p := range parts {
		if !p.ending || len(p.finalizers) == 0 {
			continue
		}
		_, err := c.meta.Resource(p.resource).Namespace(c.Namespace).Patch(ctx, p.Name, "application/merge-patch+json",
			fmt.Appendf(nil, `{"metadata":{"uid":%q,"finalizers":null}}`, p.uid), metav1.PatchOptions{})
		if err != nil && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) {
			return fmt.Errorf("take the finalizers off %s: %w", p, err)
		}
	}
	return nil
}
