package kube

import (
	"time"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// A Snapshot is what a namespace held at one moment. It is read, never changed.
type Snapshot struct {
	Now          time.Time // by the API server
	Pods         []*corev1.Pod
	Deployments  []*appsv1.Deployment
	ReplicaSets  []*appsv1.ReplicaSet
	StatefulSets []*appsv1.StatefulSet
	DaemonSets   []*appsv1.DaemonSet
	Jobs         []*batchv1.Job
	Claims       []*corev1.PersistentVolumeClaim
	Events       map[string][]*corev1.Event // by what they are about ("Pod/hub"), the oldest first

	// Nodes is what is known of the nodes that were asked for.
	Nodes map[string]NodeFacts
	// Cluster is what is known of all nodes; nil when they were not asked for.
	Cluster *ClusterFacts
}

// Snapshot is what the namespace holds now; its nodes are left to Facts.
func (v *View) Snapshot() *Snapshot {
	s := &Snapshot{
		Now:          v.Now(),
		Pods:         all[*corev1.Pod](v, "Pod"),
		Deployments:  all[*appsv1.Deployment](v, "Deployment"),
		ReplicaSets:  all[*appsv1.ReplicaSet](v, "ReplicaSet"),
		StatefulSets: all[*appsv1.StatefulSet](v, "StatefulSet"),
		DaemonSets:   all[*appsv1.DaemonSet](v, "DaemonSet"),
		Jobs:         all[*batchv1.Job](v, "Job"),
		Claims:       all[*corev1.PersistentVolumeClaim](v, "PersistentVolumeClaim"),
		Events:       map[string][]*corev1.Event{},
	}
	for _, e := range all[*corev1.Event](v, "Event") {
		key := e.InvolvedObject.Kind + "/" + e.InvolvedObject.Name
		s.Events[key] = append(s.Events[key], e)
	}
	for _, list := range s.Events {
		sortEvents(list)
	}
	return s
}

// PodsOf are the pods that the object with this uid controls, those that are being
// deleted among them.
func (s *Snapshot) PodsOf(owner metav1.Object, selector *metav1.LabelSelector) []*corev1.Pod {
	sel, err := metav1.LabelSelectorAsSelector(selector)
	if err != nil {
		sel = labels.Nothing()
	}
	var out []*corev1.Pod
	for _, p := range s.Pods {
		if metav1.IsControlledBy(p, owner) && sel.Matches(labels.Set(p.Labels)) {
			out = append(out, p)
		}
	}
	return out
}

// EventsOf are the events about an object, the oldest first.
func (s *Snapshot) EventsOf(kind, name string) []*corev1.Event { return s.Events[kind+"/"+name] }

// PodCause says what keeps a pod from running: by its status, its events, its
// claims, and its node, as far as that is known.
func (s *Snapshot) PodCause(pod *corev1.Pod) *Cause {
	c := PodCause(pod, s.EventsOf("Pod", pod.Name), s.Now)
	node := s.Nodes[pod.Spec.NodeName].Problem()
	if c == nil || c.Reason == ProbeFails {
		switch begun := NotBegun(pod, node, s.Now); {
		case begun != nil:
			return begun
		case node != nil && node.Away() && !IsReady(pod):
			return &Cause{Object: "Pod/" + pod.Name, Reason: node.Reason, Message: OneLine("its node " + node.Node + ": " + node.Message)}
		}
		return c
	}
	switch c.Reason {
	case Unschedulable, NoScaleUp:
		for _, name := range claimsOf(pod) {
			for _, claim := range s.Claims {
				if claim.Name != name {
					continue
				}
				if why := ClaimCause(claim, s.EventsOf("PersistentVolumeClaim", name), s.Now); why != nil {
					why.Message = OneLine("claim " + name + ": " + why.Message)
					why.Object = c.Object
					return why
				}
			}
		}
		s.Cluster.explain(c, pod)
	case Volume, Sandbox, ImagePull, DiskFull:
		if node != nil {
			c.Message = OneLine(c.Message + "; node " + node.Node + ": " + node.Message)
		}
	}
	return c
}
