package deploy

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"gauntlet/internal/deploy/helm"
	"gauntlet/internal/kube"
)

var noon = time.Date(2030, 5, 1, 12, 0, 0, 0, time.UTC)

// pulled is a pod of the puller's DaemonSet: on a node, with what keeps its container
// waiting ("" when it is ready), or on its way to a node that does not take it.
func pulled(name, node, waiting, message string) *corev1.Pod {
	yes := true
	p := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name, UID: types.UID(name), Labels: map[string]string{"app": "puller"},
			OwnerReferences: []metav1.OwnerReference{{UID: "puller", Controller: &yes}}},
		Spec:   corev1.PodSpec{NodeName: node, Containers: []corev1.Container{{Name: "notebook"}}},
		Status: corev1.PodStatus{Phase: corev1.PodPending},
	}
	s := corev1.ContainerStatus{Name: "notebook", Image: "registry.example.org/notebook:1"}
	switch {
	case waiting == "":
		p.Status.Phase = corev1.PodRunning
		p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}
	case waiting == "TooMany":
		p.Spec.Affinity = &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{
			NodeSelectorTerms: []corev1.NodeSelectorTerm{{MatchFields: []corev1.NodeSelectorRequirement{{Key: "metadata.name", Values: []string{node}}}}}}}}
		p.Spec.NodeName = ""
		p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: corev1.PodReasonUnschedulable, Message: message}}
		return p
	default:
		s.State.Waiting = &corev1.ContainerStateWaiting{Reason: waiting, Message: message}
	}
	p.Status.ContainerStatuses = []corev1.ContainerStatus{s}
	return p
}

func TestAHangNamesTheCauseAndTheNodesThatHoldItsHook(t *testing.T) {
	sel := &metav1.LabelSelector{MatchLabels: map[string]string{"app": "puller"}}
	snap := &kube.Snapshot{
		Now:        noon,
		DaemonSets: []*appsv1.DaemonSet{{ObjectMeta: metav1.ObjectMeta{Name: "puller", UID: "puller"}, Spec: appsv1.DaemonSetSpec{Selector: sel}}},
		Jobs:       []*batchv1.Job{{ObjectMeta: metav1.ObjectMeta{Name: "awaiter", UID: "awaiter"}, Spec: batchv1.JobSpec{Selector: &metav1.LabelSelector{}}}},
		Pods: []*corev1.Pod{
			pulled("p1", "n1", "", ""),
			pulled("p2", "n2", "ErrImagePull", "manifest unknown: not found"),
			pulled("p3", "n3", "ErrImagePull", "manifest unknown: not found"),
			pulled("p4", "n4", "TooMany", "0/4 nodes are available: 1 Too many pods."),
			pulled("p5", "n5", "ContainerCreating", ""),
		},
		Events: map[string][]*corev1.Event{"Job/awaiter": {{Reason: "FailedCreate", Message: `pods "awaiter-x" is forbidden: exceeded quota: small`}}},
		Nodes:  map[string]kube.NodeFacts{},
	}
	var h Hang
	h.read(snap, []helm.Object{{Kind: "Job", Name: "awaiter"}, {Kind: "DaemonSet", Name: "puller"}, {Kind: "Deployment", Name: "gone"}})
	var causes, nodes []string
	for _, c := range h.Causes {
		causes = append(causes, c.Object+" "+c.Reason)
	}
	for _, n := range h.Nodes {
		nodes = append(nodes, n.Node+" "+n.Pod)
	}
	// Two nodes with one cause are one cause.
	if d := cmp.Diff([]string{"Job/awaiter Quota", "Pod/p2 ImageNotFound", "Pod/p4 Unschedulable"}, causes); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]string{"n2 p2", "n3 p3", "n4 p4", "n5 p5"}, nodes); d != "" {
		t.Error(d)
	}
	if h.Ready != 1 {
		t.Errorf("%d nodes are ready, want 1", h.Ready)
	}
	if h.Nodes[3].Why != "it is on its way" || !strings.Contains(h.Nodes[2].Why, "pod limit reached") {
		t.Errorf("%+v", h.Nodes)
	}
}

func TestHowAHelmCanGoOn(t *testing.T) {
	job := &HangingHook{object: helm.Object{Kind: "Job", Name: "awaiter"}}
	held := []HeldNode{{Node: "n1"}}
	for name, tt := range map[string]struct {
		hang Hang
		way  string
	}{
		"Helm 3":                      {Hang{Status: "pending-upgrade", Helm: 3, Hook: job}, WithoutHook},
		"Helm 4":                      {Hang{Status: "pending-upgrade", Helm: 4, Hook: job}, ""},
		"Helm 4, some nodes are done": {Hang{Status: "pending-upgrade", Helm: 4, Hook: job, Nodes: held, Ready: 2}, WithoutNodes},
		"Helm 3, some nodes are done": {Hang{Status: "pending-upgrade", Helm: 3, Hook: job, Nodes: held, Ready: 2}, WithoutNodes},
		"Helm 4, no node is done":     {Hang{Status: "pending-upgrade", Helm: 4, Hook: job, Nodes: held}, ""},
		"Helm 4, all are done":        {Hang{Status: "pending-upgrade", Helm: 4, Hook: job, Ready: 2}, ""},
		"a node that is not known":    {Hang{Status: "pending-upgrade", Helm: 4, Hook: job, Nodes: []HeldNode{{Node: noNode}}, Ready: 2}, ""},
		"gauntlet":                    {Hang{Status: "pending-upgrade", Helm: 4, Hook: job, Gauntlet: true}, ""},
		"in the rollout":              {Hang{Status: "pending-upgrade", Helm: 3}, ""},
		"a Pod as hook":               {Hang{Status: "pending-upgrade", Helm: 3, Hook: &HangingHook{object: helm.Object{Kind: "Pod"}}}, ""},
		"ended":                       {Hang{Status: "failed", Helm: 3}, ""},
		"a rollback, Helm 3":          {Hang{Status: "pending-rollback", Helm: 3, Hook: job}, WithoutHook},
	} {
		if way, why := WayOn(&tt.hang); way != tt.way || (way == "") == (why == "") {
			t.Errorf("%s: %q, %q", name, way, why)
		}
	}
}

func TestAnAffinityThatKeepsAwayFromNodesKeepsWhatItAskedForBefore(t *testing.T) {
	gpu := corev1.NodeSelectorRequirement{Key: "gpu", Operator: corev1.NodeSelectorOpExists}
	away := func(n string) corev1.NodeSelectorRequirement {
		return corev1.NodeSelectorRequirement{Key: "metadata.name", Operator: corev1.NodeSelectorOpNotIn, Values: []string{n}}
	}
	asked := func(terms ...corev1.NodeSelectorTerm) *corev1.Affinity {
		return &corev1.Affinity{PodAntiAffinity: &corev1.PodAntiAffinity{}, NodeAffinity: &corev1.NodeAffinity{
			RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{NodeSelectorTerms: terms}}}
	}
	before := asked(corev1.NodeSelectorTerm{MatchExpressions: []corev1.NodeSelectorRequirement{gpu}}, corev1.NodeSelectorTerm{})
	want := asked(corev1.NodeSelectorTerm{MatchExpressions: []corev1.NodeSelectorRequirement{gpu}, MatchFields: []corev1.NodeSelectorRequirement{away("a"), away("b")}},
		corev1.NodeSelectorTerm{MatchFields: []corev1.NodeSelectorRequirement{away("a"), away("b")}})
	if d := cmp.Diff(want, avoiding(before, []string{"a", "b"})); d != "" {
		t.Error(d)
	}
	if len(before.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms[1].MatchFields) > 0 {
		t.Error("the object that was read is changed")
	}
	want = asked(corev1.NodeSelectorTerm{MatchFields: []corev1.NodeSelectorRequirement{away("a")}})
	want.PodAntiAffinity = nil
	if d := cmp.Diff(want, avoiding(nil, []string{"a"})); d != "" {
		t.Error(d)
	}
}

func TestWhetherAHelmIsAliveIsToldByTheAgeOfItsRecord(t *testing.T) {
	h := Hang{Now: noon, Written: noon.Add(-4 * time.Minute)}
	if got := h.Alive(); !strings.Contains(got, "4m0s ago") || !strings.Contains(got, "may well be at work") {
		t.Error(got)
	}
	h.Written = noon.Add(-6 * time.Minute)
	if got := h.Alive(); !strings.Contains(got, "most likely killed") {
		t.Error(got)
	}
}

func TestWhatIsNotUpIsNamed(t *testing.T) {
	one := int32(1)
	snap := &kube.Snapshot{
		Deployments: []*appsv1.Deployment{
			{ObjectMeta: metav1.ObjectMeta{Name: "hub"}, Spec: appsv1.DeploymentSpec{Replicas: &one}},
			{ObjectMeta: metav1.ObjectMeta{Name: "proxy"}, Spec: appsv1.DeploymentSpec{Replicas: &one}, Status: appsv1.DeploymentStatus{Replicas: 1, UpdatedReplicas: 1, AvailableReplicas: 1}},
		},
	}
	all := []helm.Object{{Kind: "Deployment", Name: "hub"}, {Kind: "Deployment", Name: "proxy"}, {Kind: "DaemonSet", Name: "puller"}}
	if got, want := notUp(snap, all), "Deployment/hub: 0 of 1 pods updated; DaemonSet/puller: does not exist"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if got := notUp(snap, all[1:2]); got != "" {
		t.Errorf("%q", got)
	}
}
