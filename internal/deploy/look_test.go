package deploy

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"gauntlet/internal/kube"
)

func TestPodsThatMakeWayForAllOthersHoldNothingUp(t *testing.T) {
	of := func(name string, priority int32, node string, ready bool) *corev1.Pod {
		p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: corev1.PodSpec{Priority: &priority, NodeName: node}}
		if ready {
			p.Status = corev1.PodStatus{Phase: corev1.PodRunning, Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}}
		}
		return p
	}
	full := trouble(kube.Unschedulable, "no node takes it", 0)
	for name, c := range map[string]struct {
		pods     []*corev1.Pod
		problems []problem
		done     bool
	}{
		"a placeholder has a place, one has none": {[]*corev1.Pod{of("a", -10, "n", true), of("b", -10, "", false)}, []problem{full}, true},
		"an autoscaler cannot help":               {[]*corev1.Pod{of("a", -10, "", false)}, []problem{trouble(kube.NoScaleUp, "", 0)}, true},
		"a pod of the usual priority":             {[]*corev1.Pod{of("a", 0, "", false)}, []problem{full}, false},
		"of no priority":                          {[]*corev1.Pod{{}}, []problem{full}, false},
		"the scheduler has not spoken yet":        {[]*corev1.Pod{of("a", -10, "", false)}, nil, false},
		"one of two was not looked at":            {[]*corev1.Pod{of("a", -10, "", false), of("b", -10, "", false)}, []problem{full}, false},
		"nobody looks at it":                      {[]*corev1.Pod{of("a", -10, "", false)}, []problem{trouble(kube.Unscheduled, "", 0)}, false},
		"it has a node and does not start":        {[]*corev1.Pod{of("a", -10, "n", false)}, []problem{trouble(kube.ImageNotFound, "", 0)}, false},
		"all pods are ready, but of before":       {[]*corev1.Pod{of("a", -10, "n", true)}, nil, false},
	} {
		s := yield(status{Object: "StatefulSet/user-placeholder", Problems: c.problems}, c.pods)
		if s.Done != c.done {
			t.Errorf("%s: %+v", name, s)
		}
		for _, p := range s.Problems {
			if c.done != (p.Grace == forever) {
				t.Errorf("%s: it is waited for %s", name, p.Grace)
			}
		}
	}
}
