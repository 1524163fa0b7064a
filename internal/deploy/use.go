package deploy

import (
	"context"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/metadata"

	corev1 "k8s.io/api/core/v1"

	"gauntlet/internal/kube"
)

// Dask is what runs of Dask in a hub's namespace.
type Dask struct {
	Clusters int `json:"clusters"`
	Workers  int `json:"workers"` // their running pods
}

// maxPods bounds how many pods are looked at.
const maxPods = 20_000

// DaskIn counts the Dask clusters that run in a namespace, by the labels of their pods:
// of KubeCluster, of the operator and of dask-gateway. A cluster whose scheduler runs
// inside a notebook shows by its workers.
func DaskIn(ctx context.Context, c *kube.Client, namespace string) (Dask, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, askTime, fmt.Errorf("no answer in %s", askTime))
	defer cancel()
	m, err := metadata.NewForConfig(c.Config)
	if err != nil {
		return Dask{}, err
	}
	pods := m.Resource(corev1.SchemeGroupVersion.WithResource("pods")).Namespace(namespace)
	o := metav1.ListOptions{FieldSelector: "status.phase=Running", Limit: 1000}
	var labels []map[string]string
	for {
		list, err := pods.List(ctx, o)
		if err != nil {
			if ctx.Err() != nil {
				err = context.Cause(ctx)
			}
			return Dask{}, fmt.Errorf("list the pods of namespace %s in cluster %s: %w", namespace, c.Context, err)
		}
		for i := range list.Items {
			labels = append(labels, list.Items[i].Labels)
		}
		if o.Continue = list.Continue; o.Continue == "" || len(labels) >= maxPods {
			return daskOf(labels), nil
		}
	}
}

// daskOf counts Dask's pods by their labels.
func daskOf(pods []map[string]string) Dask {
	clusters := map[string]bool{}
	var d Dask
	for _, l := range pods {
		name, kind := l["dask.org/cluster-name"], l["dask.org/component"]
		switch {
		case l["gateway.dask.org/cluster"] != "":
			name, kind = l["gateway.dask.org/cluster"], l["app.kubernetes.io/component"]
		case name != "" && kind == "":
			kind = l["component"]
		}
		if name == "" {
			continue
		}
		clusters[name] = true
		if kind == "worker" || kind == "dask-worker" {
			d.Workers++
		}
	}
	d.Clusters = len(clusters)
	return d
}

// UIDs tell a cluster and a namespace from those that were there before under the same
// names.
func UIDs(ctx context.Context, c *kube.Client, namespace string) (cluster, ns string, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, askTime, fmt.Errorf("no answer in %s", askTime))
	defer cancel()
	for _, n := range []struct {
		name string
		into *string
	}{{metav1.NamespaceSystem, &cluster}, {namespace, &ns}} {
		o, err := c.CoreV1().Namespaces().Get(ctx, n.name, metav1.GetOptions{})
		if err != nil {
			if ctx.Err() != nil {
				err = context.Cause(ctx)
			}
			return "", "", fmt.Errorf("look at namespace %s of cluster %s: %w", n.name, c.Context, err)
		}
		*n.into = string(o.UID)
	}
	return cluster, ns, nil
}
