package kube

import (
	"strings"
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

var noon = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)

func ago(d time.Duration) metav1.Time { return metav1.NewTime(noon.Add(-d)) }

// goodNode is a node whose kubelet renewed its lease 5 s ago.
func goodNode() (*corev1.Node, *coordinationv1.Lease) {
	life, renewed, written := int32(40), metav1.NewMicroTime(noon.Add(-5*time.Second)), ago(5*time.Second)
	return &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "n1"}, Status: corev1.NodeStatus{Conditions: []corev1.NodeCondition{
			{Type: corev1.NodeReady, Status: corev1.ConditionTrue, LastTransitionTime: ago(time.Hour)},
			{Type: corev1.NodeDiskPressure, Status: corev1.ConditionFalse},
		}}}, &coordinationv1.Lease{
			ObjectMeta: metav1.ObjectMeta{ManagedFields: []metav1.ManagedFieldsEntry{{Manager: "kubelet", Time: &written}}},
			Spec:       coordinationv1.LeaseSpec{LeaseDurationSeconds: &life, RenewTime: &renewed},
		}
}

func TestNodesAreNamedByTheirWorstTrouble(t *testing.T) {
	set := func(c corev1.NodeConditionType, s corev1.ConditionStatus, message string) func(*corev1.Node, *coordinationv1.Lease) {
		return func(n *corev1.Node, _ *coordinationv1.Lease) {
			for i := range n.Status.Conditions {
				if n.Status.Conditions[i].Type == c {
					n.Status.Conditions[i].Status, n.Status.Conditions[i].Message = s, message
					return
				}
			}
			n.Status.Conditions = append(n.Status.Conditions, corev1.NodeCondition{Type: c, Status: s, Message: message})
		}
	}
	taint := func(key string, effect corev1.TaintEffect) func(*corev1.Node, *coordinationv1.Lease) {
		return func(n *corev1.Node, _ *coordinationv1.Lease) {
			n.Spec.Taints = append(n.Spec.Taints, corev1.Taint{Key: key, Effect: effect})
		}
	}
	cordon := func(n *corev1.Node, _ *coordinationv1.Lease) { n.Spec.Unschedulable = true }
	silent := func(d time.Duration) func(*corev1.Node, *coordinationv1.Lease) {
		return func(_ *corev1.Node, l *coordinationv1.Lease) { w := ago(d); l.ManagedFields[0].Time = &w }
	}
	type change = func(*corev1.Node, *coordinationv1.Lease)
	for name, tt := range map[string]struct {
		changes []change
		reason  string
		says    []string
		leaving bool
	}{
		"a good node":               {},
		"a candidate for deletion":  {changes: []change{taint("DeletionCandidateOfClusterAutoscaler", corev1.TaintEffectPreferNoSchedule)}},
		"a taint of the team's own": {changes: []change{taint("hub.jupyter.org/dedicated", corev1.TaintEffectNoSchedule)}},
		"one renewal missed":        {changes: []change{silent(20 * time.Second)}},
		"deleted": {changes: []change{func(n *corev1.Node, _ *coordinationv1.Lease) { d := ago(time.Minute); n.DeletionTimestamp = &d }},
			reason: NodeLeaving, says: []string{"being deleted", "11:59:00Z"}, leaving: true},
		"scaled down":        {changes: []change{taint("ToBeDeletedByClusterAutoscaler", corev1.TaintEffectNoSchedule)}, reason: NodeLeaving, says: []string{"autoscaler removes it"}, leaving: true},
		"taken by Karpenter": {changes: []change{taint("karpenter.sh/disrupted", corev1.TaintEffectNoSchedule)}, reason: NodeLeaving, says: []string{"Karpenter"}, leaving: true},
		"spot, AWS":          {changes: []change{taint("aws-node-termination-handler/spot-itn", corev1.TaintEffectNoSchedule)}, reason: NodeLeaving, says: []string{"spot"}, leaving: true},
		"spot, Google":       {changes: []change{taint("cloud.google.com/impending-node-termination", corev1.TaintEffectNoSchedule)}, reason: NodeLeaving, says: []string{"takes it back"}, leaving: true},
		"spot, Azure":        {changes: []change{set("PreemptScheduled", corev1.ConditionTrue, "")}, reason: NodeLeaving, says: []string{"PreemptScheduled"}, leaving: true},
		"cordoned":           {changes: []change{cordon}, reason: NodeCordoned, says: []string{"cordoned"}},
		"not ready": {changes: []change{set(corev1.NodeReady, corev1.ConditionFalse, "container runtime is down"), cordon},
			reason: NodeNotReady, says: []string{"container runtime is down", "cordoned"}},
		"unreachable": {changes: []change{set(corev1.NodeReady, corev1.ConditionUnknown, ""), silent(time.Hour)}, reason: NodeNotReady, says: []string{"unreachable"}},
		"new":         {changes: []change{func(n *corev1.Node, _ *coordinationv1.Lease) { n.Status.Conditions = nil }}, reason: NodeNotReady, says: []string{"not yet said"}},
		"set up by its cloud": {changes: []change{taint("node.cloudprovider.kubernetes.io/uninitialized", corev1.TaintEffectNoSchedule)},
			reason: NodeNotReady, says: []string{"not yet set up"}},
		"full disk":          {changes: []change{set(corev1.NodeDiskPressure, corev1.ConditionTrue, "")}, reason: NodePressure, says: []string{"disk is nearly full"}},
		"no memory":          {changes: []change{set(corev1.NodeMemoryPressure, corev1.ConditionTrue, "")}, reason: NodePressure, says: []string{"memory"}},
		"no process ids":     {changes: []change{set(corev1.NodePIDPressure, corev1.ConditionTrue, "")}, reason: NodePressure, says: []string{"process ids"}},
		"dead, called Ready": {changes: []change{silent(31 * time.Second)}, reason: NodeSilent, says: []string{"31s ago", "every 10s"}},
		"cordoned and dead":  {changes: []change{cordon, silent(31 * time.Second)}, reason: NodeSilent, says: []string{"31s ago", "cordoned"}},
	} {
		n, l := goodNode()
		for _, c := range tt.changes {
			c(n, l)
		}
		got := NodeProblem(n, l, noon)
		if tt.reason == "" {
			if got != nil {
				t.Errorf("%s: %v", name, got)
			}
			continue
		}
		if got == nil || got.Reason != tt.reason || got.Leaving != tt.leaving || got.Node != "n1" {
			t.Errorf("%s: %+v", name, got)
			continue
		}
		for _, s := range tt.says {
			if !strings.Contains(got.Error(), s) {
				t.Errorf("%s: %v does not say %q", name, got, s)
			}
		}
	}
}

func TestAKubeletsOwnClockDoesNotMakeItSilent(t *testing.T) {
	n, l := goodNode()
	for _, skew := range []time.Duration{-time.Hour, time.Hour} {
		wrong := metav1.NewMicroTime(noon.Add(skew))
		l.Spec.RenewTime = &wrong
		if got := NodeProblem(n, l, noon); got != nil {
			t.Errorf("skew %s: %v", skew, got)
		}
	}
	l.ManagedFields = nil // only its own word is left
	old := metav1.NewMicroTime(noon.Add(-time.Minute))
	l.Spec.RenewTime = &old
	if got := NodeProblem(n, l, noon); got == nil || got.Reason != NodeSilent {
		t.Errorf("got %v", got)
	}
}

func TestWithoutALeaseANodeIsBelieved(t *testing.T) {
	n, l := goodNode()
	if got := NodeProblem(n, nil, noon); got != nil {
		t.Error(got)
	}
	l.Spec.LeaseDurationSeconds = nil
	if got := NodeProblem(n, l, noon); got != nil {
		t.Error(got)
	}
}
