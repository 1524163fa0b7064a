package suites

import (
	"context"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"gauntlet/internal/evidence"
	"gauntlet/internal/kube"
)

// nodes are those that the pods of a suite ran on, and which of them came for that.
type nodes struct {
	there map[string]bool // before, by uid and name; nil when that is not known
	ran   []string
	all   func() ([]corev1.Node, error)
}

// before notes which nodes there are.
func (n *nodes) before(ctx context.Context, c *kube.Client) {
	ctx = context.WithoutCancel(ctx)
	n.all = func() ([]corev1.Node, error) {
		ctx, cancel := context.WithTimeout(ctx, nodesTime)
		defer cancel()
		list, err := c.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
		if err != nil {
			return nil, fmt.Errorf("list the nodes: %w", err)
		}
		return list.Items, nil
	}
	list, err := n.all()
	if err != nil {
		return // told when it is asked which ones came
	}
	n.there = map[string]bool{}
	for _, node := range list {
		n.there[string(node.UID)] = true
	}
}

// nodesTime bounds a list of the nodes.
const nodesTime = 30 * time.Second

// hosted notes that a pod of the suite ran on its node.
func (n *nodes) hosted(pod *corev1.Pod) {
	if name := pod.Spec.NodeName; name != "" && !slices.Contains(n.ran, name) {
		n.ran = append(n.ran, name)
	}
}

// brought are the nodes that ran pods of the suite and that were not there before it: an
// autoscaler brought them, and must take them away. An error says that nobody knows.
func (n *nodes) brought() ([]evidence.Node, error) {
	if n.all == nil || len(n.ran) == 0 {
		return nil, nil
	}
	list, err := n.all()
	if err != nil {
		return nil, err
	}
	if n.there == nil {
		return nil, fmt.Errorf("which nodes there were before is not known: they could not be listed")
	}
	var came []evidence.Node
	for _, node := range list {
		if slices.Contains(n.ran, node.Name) && !n.there[string(node.UID)] {
			came = append(came, evidence.Node{Name: node.Name, UID: string(node.UID)})
		}
	}
	return came, nil
}
