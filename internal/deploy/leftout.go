package deploy

import (
	"fmt"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"gauntlet/internal/kube"
)

// noNode is the problem of a DaemonSet that runs nowhere, which Kubernetes and Helm
// call a success.
func (l *look) noNode(snap *kube.Snapshot, object string, spec *corev1.PodSpec) problem {
	l.cluster = true
	words := "it runs on no node at all: no node matches it"
	if snap.Cluster != nil {
		if why := kube.Lacking(spec, snap.Cluster.Nodes); why != "" {
			words = fmt.Sprintf("it runs on none of the %d nodes: %s", len(snap.Cluster.Nodes), why)
		}
	}
	return problem{Cause: kube.Cause{Object: object, Reason: kube.NoNode, Message: kube.OneLine(words)}, Grace: forever}
}

// yield calls a workload done whose other pods wait for room and have a priority below
// zero: such hold a place for users, and are meant to wait where all places are taken.
// They stay named.
func yield(s status, pods []*corev1.Pod) status {
	if s.Done {
		return s
	}
	waits := map[string]bool{}
	for _, p := range pods {
		if kube.IsReady(p) {
			continue
		}
		if p.Spec.Priority == nil || *p.Spec.Priority >= 0 || p.Spec.NodeName != "" {
			return s
		}
		waits["Pod/"+p.Name] = true
	}
	told := 0
	for _, p := range s.Problems {
		switch p.Reason {
		case kube.Unschedulable, kube.ScalingUp, kube.NoScaleUp:
			told++
		default:
			return s
		}
	}
	if len(waits) == 0 || told < len(waits) {
		return s
	}
	s.Done = true
	s.Text += "; the others make way for all pods and wait for room"
	for i := range s.Problems {
		s.Problems[i].Grace = forever
	}
	return s
}

// leaveOut calls a DaemonSet done that runs everywhere but on nodes that are away or
// leaving: those hold nobody who could use it. They stay named.
func leaveOut(s status, snap *kube.Snapshot, d *appsv1.DaemonSet, pods []*corev1.Pod) status {
	if s.Done {
		return s
	}
	good, out := 0, []string{}
	for _, p := range pods {
		if kube.IsReady(p) {
			good++
			continue
		}
		if n := snap.Nodes[p.Spec.NodeName].Problem(); n != nil && n.Away() {
			out = append(out, n.Node)
		}
	}
	if len(out) == 0 || good == 0 || good+len(out) < int(d.Status.DesiredNumberScheduled) {
		return s
	}
	s.Done = true
	s.Text = fmt.Sprintf("ready on %d nodes; left out: %s", good, strings.Join(out, ", "))
	for i := range s.Problems {
		s.Problems[i].Grace = forever
	}
	return s
}
