package deploy

import (
	"fmt"
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"gauntlet/internal/config"
	"gauntlet/internal/deploy/helm"
	"gauntlet/internal/kube"
)

// revisionAnnotation is how a Deployment and its ReplicaSets say which template
// they are at.
const revisionAnnotation = "deployment.kubernetes.io/revision"

// What is usual, for whoever watches.
const (
	normalRollout = "normally 5 to 60 s when its images are there"
	normalPull    = "an image of some GiB normally takes 1 to 10 min"
	normalNode    = "a new node normally takes 1 to 5 min"
	normalEnd     = "an old pod normally ends within 30 s"
	normalHook    = "a hook normally takes less than 30 s, one that waits for images as long as they take to pull"
)

// A version is what an object must at least be: what is watched may be moments old.
type version struct {
	uid        types.UID
	generation int64
	made       time.Time
}

// look reads from snapshots how far objects are.
type look struct {
	graces  config.Graces
	begun   time.Time // of the wait, by the API server
	least   map[helm.Object]version
	settled *settling
	nodes   map[string]bool // that must be asked to say more
	cluster bool            // all nodes must be
}

// stale is how long what has just been made may not be seen yet.
const stale = 3 * time.Second

// seen says whether the object that is watched is the one that was applied, or one
// that was made after it.
func (l *look) seen(o helm.Object, m metav1.Object) bool {
	v, ok := l.least[o]
	if !ok {
		return true
	}
	if m.GetUID() != v.uid {
		return m.GetCreationTimestamp().After(v.made)
	}
	return m.GetGeneration() >= v.generation
}

// missing is the status of an object that is not watched.
func (l *look) missing(s status, o helm.Object, now time.Time) status {
	grace := time.Duration(0)
	if _, ok := l.least[o]; ok {
		if now.Sub(l.begun) <= stale {
			s.Text = "just made"
			return s
		}
		grace = l.graces.Start // it was there: whoever deleted it may make it anew
	}
	s.Text = "does not exist"
	s.Problems = []problem{{Cause: kube.Cause{Object: s.Object, Reason: kube.Gone, Message: "it does not exist: somebody deleted it"}, Grace: grace}}
	return s
}

func find[T metav1.Object](list []T, name string) (T, bool) {
	for _, o := range list {
		if o.GetName() == name {
			return o, true
		}
	}
	var none T
	return none, false
}

// workload is the status of a Deployment, StatefulSet or DaemonSet.
func (l *look) workload(snap *kube.Snapshot, o helm.Object) status {
	s := status{Object: o.String(), Normal: normalRollout}
	switch o.Kind {
	case "Deployment":
		d, ok := find(snap.Deployments, o.Name)
		if !ok {
			return l.missing(s, o, snap.Now)
		}
		if !l.seen(o, d) {
			s.Text = unseen
			return s
		}
		if s.Done, s.Text = deploymentStatus(d); s.Text == unseen {
			return s // what it says of its pods is of before
		}
		rs, pods, old := deploymentPods(snap, d)
		for _, c := range d.Status.Conditions {
			if c.Type == appsv1.DeploymentReplicaFailure && c.Status == corev1.ConditionTrue && !s.Done {
				s.Problems = append(s.Problems, refusal(s.Object, c.Message, l.graces))
			}
		}
		if rs != nil && len(s.Problems) == 0 {
			l.refused(&s, snap, "ReplicaSet", rs.Name)
		}
		return yield(l.finish(s, snap, pods, old, int(replicas(d.Spec.Replicas))), pods)
	case "StatefulSet":
		ss, ok := find(snap.StatefulSets, o.Name)
		if !ok {
			return l.missing(s, o, snap.Now)
		}
		if !l.seen(o, ss) {
			s.Text = unseen
			return s
		}
		if s.Done, s.Text = statefulSetStatus(ss); s.Text == unseen {
			return s
		}
		pods, old := part(snap.PodsOf(ss, ss.Spec.Selector), func(p *corev1.Pod) bool {
			return p.Labels[appsv1.ControllerRevisionHashLabelKey] == ss.Status.UpdateRevision
		})
		l.refused(&s, snap, o.Kind, o.Name)
		return yield(l.finish(s, snap, pods, old, 0), pods)
	case "DaemonSet":
		d, ok := find(snap.DaemonSets, o.Name)
		if !ok {
			return l.missing(s, o, snap.Now)
		}
		if !l.seen(o, d) {
			s.Text = unseen
			return s
		}
		if s.Done, s.Text = daemonSetStatus(d); s.Text == unseen {
			return s
		}
		pods, old := part(snap.PodsOf(d, d.Spec.Selector), newest(d))
		l.refused(&s, snap, o.Kind, o.Name)
		if d.Status.DesiredNumberScheduled == 0 {
			s.Problems = append(s.Problems, l.noNode(snap, s.Object, &d.Spec.Template.Spec))
			return s
		}
		s = l.finish(s, snap, pods, old, 0)
		return leaveOut(s, snap, d, pods)
	}
	s.Text = "no way to wait for a " + o.Kind
	return s
}

const unseen = "not yet seen by its controller"

// newest says whether a pod is of a DaemonSet's newest template.
func newest(d *appsv1.DaemonSet) func(*corev1.Pod) bool {
	generation := d.Annotations[appsv1.DeprecatedTemplateGeneration]
	return func(p *corev1.Pod) bool {
		g := p.Labels["pod-template-generation"]
		return generation == "" || g == "" || g == generation
	}
}

// part parts the pods of the newest template from those that are old or on their way
// out.
func part(pods []*corev1.Pod, isNew func(*corev1.Pod) bool) (now, old []*corev1.Pod) {
	for _, p := range pods {
		if isNew(p) && p.DeletionTimestamp == nil {
			now = append(now, p)
		} else {
			old = append(old, p)
		}
	}
	return now, old
}

// deploymentPods are the ReplicaSet of the Deployment's newest template, its pods,
// and the pods of older ones.
func deploymentPods(snap *kube.Snapshot, d *appsv1.Deployment) (rs *appsv1.ReplicaSet, pods, old []*corev1.Pod) {
	for _, set := range snap.ReplicaSets {
		if !metav1.IsControlledBy(set, d) {
			continue
		}
		mine, ended := part(snap.PodsOf(set, set.Spec.Selector), func(*corev1.Pod) bool {
			return set.Annotations[revisionAnnotation] == d.Annotations[revisionAnnotation]
		})
		if set.Annotations[revisionAnnotation] == d.Annotations[revisionAnnotation] {
			rs, pods = set, mine
		}
		old = append(old, ended...)
	}
	return rs, pods, old
}

// refused adds what a controller says of pods that it may not create. An event
// outlives the trouble: only one of this rollout counts.
func (l *look) refused(s *status, snap *kube.Snapshot, kind, name string) {
	if s.Done {
		return
	}
	var last *corev1.Event
	for _, e := range snap.EventsOf(kind, name) {
		switch e.Reason {
		case "FailedCreate":
			last = e
		case "SuccessfulCreate":
			last = nil
		}
	}
	if last != nil && kube.EventTime(last).After(l.begun.Add(-2*time.Second)) {
		s.Problems = append(s.Problems, refusal(s.Object, last.Message, l.graces))
	}
}

// finish adds to a workload's status what its pods tell. want is how many of them
// must be ready; 0 for all there are. A controller's word of its pods may be older
// than theirs.
func (l *look) finish(s status, snap *kube.Snapshot, pods, old []*corev1.Pod, want int) status {
	if s.Done {
		good := 0
		for _, p := range pods {
			if kube.IsReady(p) {
				good++
			}
		}
		if want == 0 {
			want = len(pods)
		}
		if good < want {
			s.Done, s.Text = false, fmt.Sprintf("%d of %d pods ready", good, want)
		}
	}
	if s.Done {
		if young, _ := l.settled.unsettled(s.Object, pods, snap.Now); young != "" {
			s.Done, s.Text = false, young
		}
		return s
	}
	for _, pod := range pods {
		if p, ok := l.podProblem(snap, pod); ok {
			s.Problems = append(s.Problems, p)
		}
	}
	for _, pod := range old {
		if pod.DeletionTimestamp == nil {
			continue
		}
		s.Normal = normalEnd
		if snap.Now.After(pod.DeletionTimestamp.Add(stale)) {
			l.nodes[pod.Spec.NodeName] = true
		}
		if c := kube.NotEnding(pod, snap.Nodes[pod.Spec.NodeName].Problem(), snap.Now); c != nil {
			s.Problems = append(s.Problems, podProblem(pod, c, l.graces))
		}
	}
	if doing, normal := l.doing(snap, pods); doing != "" {
		s.Text, s.Normal = s.Text+"; "+doing, normal
	}
	return s
}

// podProblem is what keeps a pod from running, and notes which nodes could say more.
func (l *look) podProblem(snap *kube.Snapshot, pod *corev1.Pod) (problem, bool) {
	if kube.IsReady(pod) {
		return problem{}, false
	}
	c := snap.PodCause(pod)
	if node := pod.Spec.NodeName; node != "" && (c == nil || nodeMatters(c.Reason)) && snap.Now.Sub(pod.CreationTimestamp.Time) > stale {
		l.nodes[node] = true
	}
	if c == nil {
		return problem{}, false
	}
	if c.Reason == kube.Unschedulable || c.Reason == kube.NoScaleUp {
		l.cluster = true
	}
	return podProblem(pod, c, l.graces), true
}

// nodeMatters says whether a pod's node may be behind a cause.
func nodeMatters(reason string) bool {
	switch reason {
	case kube.Volume, kube.Sandbox, kube.DiskFull, kube.ProbeFails, kube.NotStarted,
		kube.NodeLeaving, kube.NodeNotReady, kube.NodeSilent, kube.NodePressure, kube.NodeCordoned:
		return true
	}
	return false
}

// doing says what the pods that have no problem are at.
func (l *look) doing(snap *kube.Snapshot, pods []*corev1.Pod) (text, normal string) {
	var pulls []string
	image, since := "", time.Time{}
	for _, pod := range pods {
		i, at := kube.Pulling(pod, snap.EventsOf("Pod", pod.Name))
		if i == "" {
			continue
		}
		pulls = append(pulls, pod.Spec.NodeName)
		if image == "" || at.Before(since) {
			image, since = i, at
		}
	}
	switch {
	case len(pulls) == 1:
		return fmt.Sprintf("node %s pulls %s since %s", pulls[0], image, since.UTC().Format("15:04:05Z")), normalPull
	case len(pulls) > 1:
		return fmt.Sprintf("%d nodes pull %s, the first since %s", len(pulls), image, since.UTC().Format("15:04:05Z")), normalPull
	}
	if slices.ContainsFunc(pods, func(p *corev1.Pod) bool { return p.Spec.NodeName == "" }) {
		return "", normalNode
	}
	return "", ""
}
