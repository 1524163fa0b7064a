package kube

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	resourcehelper "k8s.io/component-helpers/resource"
)

// Annotations of the cluster autoscaler.
const (
	safeToEvict       = "cluster-autoscaler.kubernetes.io/safe-to-evict"
	scaleDownDisabled = "cluster-autoscaler.kubernetes.io/scale-down-disabled"
)

// scaleDownUse is the share of a node's CPU or memory that its pods may ask for, and the
// autoscaler still takes it away: its default.
const scaleDownUse = 0.5

// WhyNodeStays says what keeps the cluster autoscaler from taking a node away, by its
// own rules: lines for people, none when nothing is known to. What it cannot see (a
// policy of a managed autoscaler, pods that would fit nowhere else) is not in it.
// Source: the FAQ of the cluster autoscaler, "What types of pods can prevent CA from
// removing a node?".
func (c *Client) WhyNodeStays(ctx context.Context, name string, now time.Time) ([]string, error) {
	node, err := c.CoreV1().Nodes().Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return nil, fmt.Errorf("read node %s: %w", name, err)
	}
	pods, err := c.CoreV1().Pods(metav1.NamespaceAll).List(ctx, metav1.ListOptions{
		FieldSelector: fields.OneTermEqualSelector("spec.nodeName", name).String()})
	if err != nil {
		return nil, fmt.Errorf("list the pods of node %s: %w", name, err)
	}
	budgets, err := c.PolicyV1().PodDisruptionBudgets(metav1.NamespaceAll).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, fmt.Errorf("list the PodDisruptionBudgets: %w", err)
	}
	why := nodeStays(node, pods.Items, budgets.Items)
	switch a, err := c.Autoscaler(ctx); {
	case err != nil: // many managed ones tell nothing
	case !a.Works(now):
		why = append(why, "the cluster autoscaler has said nothing since "+clockOf(a.Said)+": it does not run")
	}
	return why, nil
}

// nodeStays is WhyNodeStays of what the cluster holds.
func nodeStays(node *corev1.Node, pods []corev1.Pod, budgets []policyv1.PodDisruptionBudget) []string {
	var why []string
	if node.Annotations[scaleDownDisabled] == "true" {
		why = append(why, "its annotation "+scaleDownDisabled+" forbids it")
	}
	asked := corev1.ResourceList{}
	for i := range pods {
		p := &pods[i]
		if ended := p.Status.Phase == corev1.PodSucceeded || p.Status.Phase == corev1.PodFailed; ended || goesWithNode(p) {
			continue
		}
		for name, q := range resourcehelper.PodRequests(p, resourcehelper.PodResourcesOptions{}) {
			sum := asked[name]
			sum.Add(q)
			asked[name] = sum
		}
		if r := keepsNode(p, budgets); r != "" {
			why = append(why, OneLine(fmt.Sprintf("pod %s/%s %s", p.Namespace, p.Name, r)))
		}
	}
	slices.Sort(why)
	for _, name := range []corev1.ResourceName{corev1.ResourceCPU, corev1.ResourceMemory} {
		has, want := node.Status.Allocatable[name], asked[name]
		if total := has.AsApproximateFloat64(); total > 0 && want.AsApproximateFloat64()/total > scaleDownUse {
			why = append(why, fmt.Sprintf("its pods ask for %.0f %% of its %s, and it is taken away below %.0f %%",
				100*want.AsApproximateFloat64()/total, name, 100*scaleDownUse))
		}
	}
	return why
}

// goesWithNode says that a pod is no reason to keep a node: it is on every one.
func goesWithNode(p *corev1.Pod) bool {
	if _, mirror := p.Annotations[corev1.MirrorPodAnnotationKey]; mirror {
		return true
	}
	owner := metav1.GetControllerOf(p)
	return owner != nil && owner.Kind == "DaemonSet"
}

// keepsNode says by which of the autoscaler's rules a pod keeps its node, "" by none.
func keepsNode(p *corev1.Pod, budgets []policyv1.PodDisruptionBudget) string {
	if p.Annotations[safeToEvict] == "false" {
		return "has the annotation " + safeToEvict + ": \"false\""
	}
	covered := false
	for _, b := range budgets {
		if b.Namespace != p.Namespace {
			continue
		}
		sel, err := metav1.LabelSelectorAsSelector(b.Spec.Selector)
		if err != nil || !sel.Matches(labels.Set(p.Labels)) {
			continue
		}
		covered = true
		if b.Status.DisruptionsAllowed == 0 {
			return "may not be evicted: PodDisruptionBudget " + b.Name + " allows none"
		}
	}
	if p.Annotations[safeToEvict] == "true" {
		return ""
	}
	switch {
	case metav1.GetControllerOf(p) == nil:
		return "has no controller, so nothing would make it again elsewhere"
	case p.Namespace == metav1.NamespaceSystem && !covered:
		return "is one of kube-system without a PodDisruptionBudget"
	}
	var local []string
	for _, v := range p.Spec.Volumes {
		if v.HostPath != nil || v.EmptyDir != nil && v.EmptyDir.Medium != corev1.StorageMediumMemory {
			local = append(local, v.Name)
		}
	}
	if len(local) > 0 {
		return "has local storage (" + strings.Join(local, ", ") + ")"
	}
	return ""
}
