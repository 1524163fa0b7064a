package kube

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// NodeFacts is what is known of one node.
type NodeFacts struct {
	At    time.Time // when it was asked for, by the API server: facts do not age well
	Node  *corev1.Node
	Lease *coordinationv1.Lease // nil when it has none or it cannot be read
	Gone  string                // its name, when there is no such node any more
}

// Problem is what is wrong with the node; nil when nothing is known to be.
func (f NodeFacts) Problem() *NodeError {
	switch {
	case f.Gone != "":
		return &NodeError{Node: f.Gone, Reason: NodeLeaving, Message: "there is no such node any more", Leaving: true}
	case f.Node == nil:
		return nil
	}
	return NodeProblem(f.Node, f.Lease, f.At)
}

// AskNode reads a node and its lease. A lease that cannot be read is left out. now is
// the time by the API server.
func (c *Client) AskNode(ctx context.Context, name string, now time.Time) (NodeFacts, error) {
	node, err := c.CoreV1().Nodes().Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return NodeFacts{Gone: name}, nil
	}
	if err != nil {
		return NodeFacts{}, fmt.Errorf("read node %s: %w", name, err)
	}
	f := NodeFacts{At: now, Node: node}
	if lease, err := c.CoordinationV1().Leases(corev1.NamespaceNodeLease).Get(ctx, name, metav1.GetOptions{}); err == nil {
		f.Lease = lease
	}
	return f, nil
}

// ClusterFacts is what is known of all nodes together.
type ClusterFacts struct {
	Nodes      []corev1.Node
	Autoscaler *Autoscaler // nil when there is none to be read
}

// AskCluster lists the nodes, as the API server has them at hand, and reads the
// cluster autoscaler's status.
func (c *Client) AskCluster(ctx context.Context) (*ClusterFacts, error) {
	list, err := c.CoreV1().Nodes().List(ctx, metav1.ListOptions{ResourceVersion: "0"})
	if err != nil {
		return nil, fmt.Errorf("list the nodes: %w", err)
	}
	f := &ClusterFacts{Nodes: list.Items}
	if a, err := c.Autoscaler(ctx); err == nil {
		f.Autoscaler = a
	}
	return f, nil
}

// explain adds to the cause of a pod that no node takes what the nodes lack, which
// the scheduler only counts, and what the autoscaler does.
func (f *ClusterFacts) explain(c *Cause, pod *corev1.Pod) {
	if f == nil {
		return
	}
	if words := Lacking(&pod.Spec, f.Nodes); words != "" {
		c.Message = OneLine(c.Message + "; " + words)
	}
	if f.Autoscaler == nil || c.Reason != Unschedulable {
		return
	}
	if f.Autoscaler.Adding {
		c.Reason = ScalingUp
	}
	c.Message = OneLine(c.Message + "; " + f.Autoscaler.String())
}

// Lacking says which labels that a pod's nodeSelector asks for no node has, and
// which taints it does not tolerate; "" when neither keeps it from a node.
func Lacking(spec *corev1.PodSpec, nodes []corev1.Node) string {
	var out []string
	for _, key := range slices.Sorted(maps.Keys(spec.NodeSelector)) {
		want := spec.NodeSelector[key]
		if !slices.ContainsFunc(nodes, func(n corev1.Node) bool { return n.Labels[key] == want }) {
			out = append(out, fmt.Sprintf("no node has the label %s=%s that its nodeSelector asks for", key, want))
		}
	}
	taints := map[string]int{}
	for i := range nodes {
		for _, t := range nodes[i].Spec.Taints {
			if t.Effect != corev1.TaintEffectPreferNoSchedule && !tolerates(spec.Tolerations, t) && !strings.HasPrefix(t.Key, "node.kubernetes.io/") {
				taints[t.ToString()]++
			}
		}
	}
	for _, t := range slices.Sorted(maps.Keys(taints)) {
		out = append(out, fmt.Sprintf("it does not tolerate the taint %s of %d nodes", t, taints[t]))
	}
	return strings.Join(out, "; ")
}

func tolerates(tolerations []corev1.Toleration, t corev1.Taint) bool {
	return slices.ContainsFunc(tolerations, func(o corev1.Toleration) bool {
		return (o.Effect == "" || o.Effect == t.Effect) && (o.Key == "" || o.Key == t.Key) &&
			(o.Operator == corev1.TolerationOpExists || o.Value == t.Value)
	})
}
