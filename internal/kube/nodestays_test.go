package kube

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestWhyANodeStaysByTheAutoscalersRules(t *testing.T) {
	yes := true
	owned := func(kind string, change func(*corev1.Pod)) corev1.Pod {
		p := corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "p", Namespace: "ns", Labels: map[string]string{"app": "p"}}}
		if kind != "" {
			p.OwnerReferences = []metav1.OwnerReference{{Kind: kind, Name: "o", Controller: &yes}}
		}
		if change != nil {
			change(&p)
		}
		return p
	}
	budget := func(allowed int32) policyv1.PodDisruptionBudget {
		b := policyv1.PodDisruptionBudget{ObjectMeta: metav1.ObjectMeta{Name: "b", Namespace: "ns"}}
		b.Spec.Selector = &metav1.LabelSelector{MatchLabels: map[string]string{"app": "p"}}
		b.Status.DisruptionsAllowed = allowed
		return b
	}
	annotated := func(value string) func(*corev1.Pod) {
		return func(p *corev1.Pod) { p.Annotations = map[string]string{safeToEvict: value} }
	}
	for name, tt := range map[string]struct {
		pod     corev1.Pod
		budgets []policyv1.PodDisruptionBudget
		node    map[string]string // annotations
		want    string            // "" for nothing
	}{
		"a pod of a Deployment":           {pod: owned("ReplicaSet", nil)},
		"a pod of a DaemonSet":            {pod: owned("DaemonSet", annotated("false"))},
		"a pod without controller":        {pod: owned("", nil), want: "pod ns/p has no controller"},
		"the same, said to be safe":       {pod: owned("", annotated("true"))},
		"a pod that is said to be unsafe": {pod: owned("ReplicaSet", annotated("false")), want: `safe-to-evict: "false"`},
		"a pod that has ended":            {pod: owned("", func(p *corev1.Pod) { p.Status.Phase = corev1.PodSucceeded })},
		"a budget that allows none":       {pod: owned("ReplicaSet", nil), budgets: []policyv1.PodDisruptionBudget{budget(0)}, want: "PodDisruptionBudget b allows none"},
		"a budget that allows none, safe": {pod: owned("ReplicaSet", annotated("true")), budgets: []policyv1.PodDisruptionBudget{budget(0)}, want: "PodDisruptionBudget b allows none"},
		"a budget that allows one":        {pod: owned("ReplicaSet", nil), budgets: []policyv1.PodDisruptionBudget{budget(1)}},
		"one of kube-system":              {pod: owned("ReplicaSet", func(p *corev1.Pod) { p.Namespace = "kube-system" }), want: "is one of kube-system"},
		"a static pod":                    {pod: owned("", func(p *corev1.Pod) { p.Annotations = map[string]string{corev1.MirrorPodAnnotationKey: "x"} })},
		"local storage": {pod: owned("ReplicaSet", func(p *corev1.Pod) {
			p.Spec.Volumes = []corev1.Volume{{Name: "scratch", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}}}
		}), want: "has local storage (scratch)"},
		"storage in memory": {pod: owned("ReplicaSet", func(p *corev1.Pod) {
			p.Spec.Volumes = []corev1.Volume{{Name: "shm", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{Medium: corev1.StorageMediumMemory}}}}
		})},
		"a node that is not to be removed": {pod: owned("ReplicaSet", nil), node: map[string]string{scaleDownDisabled: "true"}, want: "forbids it"},
		"a node in use": {pod: owned("ReplicaSet", func(p *corev1.Pod) {
			p.Spec.Containers = []corev1.Container{{Resources: corev1.ResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("1200m")}}}}
		}), want: "ask for 60 % of its cpu"},
	} {
		t.Run(name, func(t *testing.T) {
			node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Annotations: tt.node}}
			node.Status.Allocatable = corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("2")}
			got := strings.Join(nodeStays(node, []corev1.Pod{tt.pod}, tt.budgets), "; ")
			if (tt.want == "") != (got == "") || !strings.Contains(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}
