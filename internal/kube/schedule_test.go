package kube

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestTheSchedulersWordsAreSaidInWords(t *testing.T) {
	for message, tt := range map[string]struct {
		says     string
		hopeless bool
	}{
		"0/3 nodes are available: 1 Insufficient cpu, 2 node(s) had untolerated taint(s). preemption: 0/3 nodes are available: 1 No preemption victims found for incoming pod, 2 Preemption is not helpful for scheduling.": {
			"none of the 3 nodes takes it: Insufficient cpu on 1, a taint that the pod does not tolerate on 2", false},
		"0/3 nodes are available: 1 node(s) were unschedulable, 2 node(s) had untolerated taint {hub.jupyter.org/dedicated: user}. preemption: 0/3 nodes are available: 3 Preemption is not helpful for scheduling.": {
			"none of the 3 nodes takes it: cordoned on 1, taint hub.jupyter.org/dedicated: user is not tolerated on 2", true},
		"0/2 nodes are available: 1 node(s) had taint {a,b: 1, 2 c}, that the pod didn't tolerate, 1 Too many pods.": {
			"none of the 2 nodes takes it: taint a,b: 1, 2 c is not tolerated on 1, pod limit reached (Too many pods) on 1", false},
		"0/1 nodes are available: 1 node(s) had untolerated taint {node.kubernetes.io/unreachable: }. no new claims to deallocate, preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling.": {
			"the only node does not take it: unreachable on 1", true},
		"0/4 nodes are available: 4 node(s) had untolerated taint {ToBeDeletedByClusterAutoscaler: 1700000000}.": {
			"none of the 4 nodes takes it: going away: the cluster autoscaler removes it on 4", true},
		"0/5 nodes are available: 5 node(s) didn't match Pod's node affinity/selector.": {
			"none of the 5 nodes takes it: not chosen by its nodeSelector or node affinity on 5", true},
		"0/5 nodes are available: pod has unbound immediate PersistentVolumeClaims. preemption: 0/5 nodes are available: 5 Preemption is not helpful for scheduling.": {
			"none of the 5 nodes takes it: a volume claim of the pod is not bound", true},
		"0/2 nodes are available: 1 Insufficient memory, 1 Insufficient nvidia.com/gpu.": {
			"none of the 2 nodes takes it: Insufficient memory on 1, Insufficient nvidia.com/gpu on 1", false},
		"0/2 nodes are available: 2 node(s) had volume node affinity conflict.": {"none of the 2 nodes takes it: its volume is elsewhere on 2", true},
		"no nodes available to schedule pods":                                   {"the cluster has no node that takes pods", true},
		"0/1 nodes are available":                                               {"the only node does not take it", true},
	} {
		p, ok := ReadPlacement(message)
		if got := Unfit(message); !ok || got != tt.says && !strings.HasPrefix(got, tt.says) || p.Hopeless() != tt.hopeless {
			t.Errorf("%s:\n got %q (hopeless %v)\nwant %q", message, got, p.Hopeless(), tt.says)
		}
	}
	if _, ok := ReadPlacement("the scheduler of somebody else"); ok || Unfit("the scheduler\nof somebody else") != "the scheduler of somebody else" {
		t.Error("a message of another form is not left as it is")
	}
}

func TestADaemonSetsPodIsToldOfItsOwnNodeAlone(t *testing.T) {
	p := &corev1.Pod{Spec: corev1.PodSpec{Affinity: &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{
		RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{NodeSelectorTerms: []corev1.NodeSelectorTerm{{
			MatchFields: []corev1.NodeSelectorRequirement{{Key: "metadata.name", Operator: corev1.NodeSelectorOpIn, Values: []string{"node-7"}}}}}}}}}}
	for message, want := range map[string]string{
		"0/9 nodes are available: 1 Too many pods, 8 node(s) didn't match Pod's node affinity/selector.": "node node-7 does not take it: pod limit reached (Too many pods)",
		"0/9 nodes are available: 9 node(s) didn't match Pod's node affinity/selector.":                  "node node-7 does not take it, or is not there",
	} {
		if got := unfit(p, message); !strings.HasPrefix(got, want) {
			t.Errorf("%s: %q", message, got)
		}
	}
}

func TestWhatAllNodesLackIsNamed(t *testing.T) {
	node := func(labels map[string]string, taints ...corev1.Taint) corev1.Node {
		return corev1.Node{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: corev1.NodeSpec{Taints: taints}}
	}
	user := corev1.Taint{Key: "hub.jupyter.org/dedicated", Value: "user", Effect: corev1.TaintEffectNoSchedule}
	soft := corev1.Taint{Key: "busy", Effect: corev1.TaintEffectPreferNoSchedule}
	nodes := []corev1.Node{node(map[string]string{"pool": "core"}), node(map[string]string{"pool": "user"}, user, soft)}
	for name, tt := range map[string]struct {
		spec corev1.PodSpec
		says string
	}{
		"a label that no node has": {corev1.PodSpec{NodeSelector: map[string]string{"pool": "gpu"}, Tolerations: []corev1.Toleration{{Operator: corev1.TolerationOpExists}}},
			"no node has the label pool=gpu that its nodeSelector asks for"},
		"a taint":       {corev1.PodSpec{NodeSelector: map[string]string{"pool": "user"}}, "it does not tolerate the taint hub.jupyter.org/dedicated=user:NoSchedule of 1 nodes"},
		"it fits":       {corev1.PodSpec{NodeSelector: map[string]string{"pool": "user"}, Tolerations: []corev1.Toleration{{Key: user.Key, Value: "user"}}}, ""},
		"another value": {corev1.PodSpec{Tolerations: []corev1.Toleration{{Key: user.Key, Value: "core", Effect: user.Effect}}}, "it does not tolerate the taint hub.jupyter.org/dedicated=user:NoSchedule of 1 nodes"},
	} {
		if got := Lacking(&tt.spec, nodes); got != tt.says {
			t.Errorf("%s: %q", name, got)
		}
	}
}

func FuzzReadPlacement(f *testing.F) {
	f.Add("0/3 nodes are available: 1 Insufficient cpu, 2 node(s) had untolerated taint {a: b}. preemption: 0/3")
	f.Add("0/3 nodes are available: 1 node(s) had taint {a,{b: 1, 2 c}, that the pod didn't tolerate")
	f.Add("0/99999999 nodes are available: , 1 , 2 ")
	f.Fuzz(func(t *testing.T, message string) {
		p, ok := ReadPlacement(message)
		if !ok && len(p.Misfits) > 0 {
			t.Error("misfits of a message that was not understood")
		}
		if got := Unfit(message); len([]rune(got)) > 301 || strings.ContainsAny(got, "\n\r\x1b") {
			t.Errorf("%q is not one bounded line", got)
		}
	})
}
