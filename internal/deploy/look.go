package deploy

import (
	"context"
	"fmt"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"gauntlet/internal/deploy/helm"
	"gauntlet/internal/kube"
)

// revisionAnnotation is how a Deployment and its ReplicaSets say which template
// they are at.
const revisionAnnotation = "deployment.kubernetes.io/revision"

// look reads how far objects are.
type look struct {
	client  *kube.Client
	begun   time.Time
	running map[string]time.Time // container id to when it was first seen running
}

// workloads is the status of Deployments, StatefulSets and DaemonSets.
func (l *look) workloads(ctx context.Context, list []helm.Object) ([]status, error) {
	var all []status
	for _, o := range list {
		s, err := l.workload(ctx, o)
		if err != nil {
			return nil, err
		}
		all = append(all, s)
	}
	return all, nil
}

func (l *look) workload(ctx context.Context, o helm.Object) (status, error) {
	s := status{Object: o.String()}
	var pods []corev1.Pod
	var observed bool
	apps := l.client.AppsV1()
	switch o.Kind {
	case "Deployment":
		d, err := apps.Deployments(o.Namespace).Get(ctx, o.Name, metav1.GetOptions{})
		if err != nil {
			return gone(s, err)
		}
		s.Done, s.Text = deploymentStatus(d)
		for _, c := range d.Status.Conditions {
			if c.Type == appsv1.DeploymentReplicaFailure && c.Status == corev1.ConditionTrue {
				s.Problems = append(s.Problems, refusal(c.Message))
			}
		}
		if observed = d.Status.ObservedGeneration >= d.Generation; observed {
			if pods, err = l.deploymentPods(ctx, d); err != nil {
				return s, err
			}
		}
	case "StatefulSet":
		ss, err := apps.StatefulSets(o.Namespace).Get(ctx, o.Name, metav1.GetOptions{})
		if err != nil {
			return gone(s, err)
		}
		s.Done, s.Text = statefulSetStatus(ss)
		if observed = ss.Status.ObservedGeneration >= ss.Generation; observed {
			if pods, err = l.pods(ctx, o.Namespace, ss.Spec.Selector, func(p *corev1.Pod) bool {
				return owned(p, ss.UID) && p.Labels[appsv1.ControllerRevisionHashLabelKey] == ss.Status.UpdateRevision
			}); err != nil {
				return s, err
			}
		}
	case "DaemonSet":
		d, err := apps.DaemonSets(o.Namespace).Get(ctx, o.Name, metav1.GetOptions{})
		if err != nil {
			return gone(s, err)
		}
		s.Done, s.Text = daemonSetStatus(d)
		generation := d.Annotations[appsv1.DeprecatedTemplateGeneration]
		if observed = d.Status.ObservedGeneration >= d.Generation; observed {
			if pods, err = l.pods(ctx, o.Namespace, d.Spec.Selector, func(p *corev1.Pod) bool {
				g := p.Labels["pod-template-generation"]
				return owned(p, d.UID) && (generation == "" || g == "" || g == generation)
			}); err != nil {
				return s, err
			}
		}
	default:
		return s, fmt.Errorf("no way to wait for a %s", o.Kind)
	}
	now := time.Now()
	if s.Done {
		if young := l.unsettled(pods, now); young != "" {
			s.Done, s.Text = false, young
		}
	}
	if s.Done || !observed {
		return s, nil
	}
	return l.explain(ctx, o, s, pods, now)
}

// gone is the status of an object that is not there, or the error.
func gone(s status, err error) (status, error) {
	if !apierrors.IsNotFound(err) {
		return s, err
	}
	s.Text = "does not exist"
	s.Problems = []problem{{Reason: reasonGone, Message: "it does not exist: somebody deleted it"}}
	return s, nil
}

// explain adds what keeps the pods from running.
func (l *look) explain(ctx context.Context, o helm.Object, s status, pods []corev1.Pod, now time.Time) (status, error) {
	for i := range pods {
		if p := podProblem(&pods[i]); p != nil {
			if p.Reason == kube.CrashLoop && p.Grace == 0 {
				p.Message += l.lastWords(ctx, &pods[i])
			}
			s.Problems = append(s.Problems, *p)
		}
	}
	if len(s.Problems) > 0 || now.Sub(l.begun) < 2*time.Second {
		return s, nil
	}
	events, err := l.client.CoreV1().Events(o.Namespace).List(ctx, metav1.ListOptions{FieldSelector: "type=Warning"})
	if err != nil {
		return s, err
	}
	newest := map[string]*corev1.Event{}
	for i := range events.Items {
		e := &events.Items[i]
		key := e.InvolvedObject.Kind + "/" + e.InvolvedObject.Name
		if n := newest[key]; n == nil || at(e).After(at(n)) {
			newest[key] = e
		}
	}
	// An event of a controller outlives the trouble: only fresh ones count.
	if e := newest[o.String()]; e != nil && e.Reason == "FailedCreate" && at(e).After(l.begun.Add(-2*time.Second)) {
		s.Problems = append(s.Problems, refusal(e.Message))
	}
	for i := range pods {
		pod := &pods[i]
		if ready(pod) {
			continue
		}
		if e := newest["Pod/"+pod.Name]; e != nil {
			if p := eventProblem(pod, e); p != nil {
				s.Problems = append(s.Problems, *p)
				continue
			}
		}
		if silentNode(pod, nil, now) != nil {
			node, err := l.client.CoreV1().Nodes().Get(ctx, pod.Spec.NodeName, metav1.GetOptions{})
			if err != nil {
				node = nil // it is only for the words
			}
			s.Problems = append(s.Problems, *silentNode(pod, node, now))
		}
	}
	return s, nil
}

func at(e *corev1.Event) time.Time {
	if !e.LastTimestamp.IsZero() {
		return e.LastTimestamp.Time
	}
	return e.EventTime.Time
}

// deploymentPods are the pods of the Deployment's newest template.
func (l *look) deploymentPods(ctx context.Context, d *appsv1.Deployment) ([]corev1.Pod, error) {
	selector, err := metav1.LabelSelectorAsSelector(d.Spec.Selector)
	if err != nil {
		return nil, err
	}
	sets, err := l.client.AppsV1().ReplicaSets(d.Namespace).List(ctx, metav1.ListOptions{LabelSelector: selector.String()})
	if err != nil {
		return nil, err
	}
	for i := range sets.Items {
		rs := &sets.Items[i]
		if metav1.IsControlledBy(rs, d) && rs.Annotations[revisionAnnotation] == d.Annotations[revisionAnnotation] {
			return l.pods(ctx, d.Namespace, rs.Spec.Selector, func(p *corev1.Pod) bool { return owned(p, rs.UID) })
		}
	}
	return nil, nil
}

func (l *look) pods(ctx context.Context, namespace string, sel *metav1.LabelSelector, keep func(*corev1.Pod) bool) ([]corev1.Pod, error) {
	selector, err := metav1.LabelSelectorAsSelector(sel)
	if err != nil {
		return nil, err
	}
	list, err := l.client.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{LabelSelector: selector.String()})
	if err != nil {
		return nil, err
	}
	var out []corev1.Pod
	for _, p := range list.Items {
		if p.DeletionTimestamp == nil && keep(&p) {
			out = append(out, p)
		}
	}
	return out, nil
}

// unsettled says what must still be watched for a moment: a container without a
// readiness probe is "ready" from its start, also one that will crash.
func (l *look) unsettled(pods []corev1.Pod, now time.Time) string {
	for i := range pods {
		pod := &pods[i]
		probed := map[string]bool{}
		for _, c := range pod.Spec.Containers {
			probed[c.Name] = c.ReadinessProbe != nil
		}
		for _, c := range pod.Status.ContainerStatuses {
			r := c.State.Running
			if r == nil || probed[c.Name] {
				continue
			}
			first, seen := l.running[c.ContainerID]
			if !seen {
				first = now
				l.running[c.ContainerID] = now
			}
			// Long up by its own clock: no skew of clocks explains that.
			if now.Sub(first) < settle && now.Sub(r.StartedAt.Time) < settle+time.Minute {
				return fmt.Sprintf("pod %s has no readiness probe: watched for %s", pod.Name, settle)
			}
		}
	}
	return ""
}

func owned(p *corev1.Pod, by types.UID) bool {
	for _, o := range p.OwnerReferences {
		if o.Controller != nil && *o.Controller && o.UID == by {
			return true
		}
	}
	return false
}

func ready(p *corev1.Pod) bool {
	for _, c := range p.Status.Conditions {
		if c.Type == corev1.PodReady {
			return c.Status == corev1.ConditionTrue
		}
	}
	return false
}

// hookObjects is the status of the Jobs and Pods of a hook.
func (l *look) hookObjects(ctx context.Context, list []helm.Object) ([]status, error) {
	var all []status
	for _, o := range list {
		s := status{Object: o.String()}
		var pods []corev1.Pod
		if o.Kind == "Job" {
			j, err := l.client.BatchV1().Jobs(o.Namespace).Get(ctx, o.Name, metav1.GetOptions{})
			if err != nil {
				if s, err = gone(s, err); err != nil {
					return nil, err
				}
				all = append(all, s)
				continue
			}
			var failed string
			s.Done, s.Text, failed = jobStatus(j)
			if pods, err = l.pods(ctx, o.Namespace, j.Spec.Selector, func(p *corev1.Pod) bool { return owned(p, j.UID) }); err != nil {
				return nil, err
			}
			if failed != "" {
				s.Problems = []problem{{Reason: reasonJob, Message: l.whyFailed(ctx, pods, failed)}}
			}
		} else {
			p, err := l.client.CoreV1().Pods(o.Namespace).Get(ctx, o.Name, metav1.GetOptions{})
			if err != nil {
				if s, err = gone(s, err); err != nil {
					return nil, err
				}
				all = append(all, s)
				continue
			}
			s.Done, s.Text = p.Status.Phase == corev1.PodSucceeded, string(p.Status.Phase)
			if p.Status.Phase == corev1.PodFailed {
				s.Problems = []problem{{Reason: reasonJob, Message: l.whyFailed(ctx, []corev1.Pod{*p}, "the pod failed")}}
			}
			pods = []corev1.Pod{*p}
		}
		if !s.Done && len(s.Problems) == 0 {
			var err error
			if s, err = l.explain(ctx, o, s, running(pods), time.Now()); err != nil {
				return nil, err
			}
		}
		all = append(all, s)
	}
	return all, nil
}

// running leaves out the pods of a Job that have ended: the Job itself judges them.
func running(pods []corev1.Pod) []corev1.Pod {
	var out []corev1.Pod
	for _, p := range pods {
		if p.Status.Phase != corev1.PodSucceeded && p.Status.Phase != corev1.PodFailed {
			out = append(out, p)
		}
	}
	return out
}

// whyFailed adds what a failed hook's pod said last.
func (l *look) whyFailed(ctx context.Context, pods []corev1.Pod, failed string) string {
	for i := range pods {
		pod := &pods[i]
		why := kube.Diagnose(pod)
		if why == nil {
			continue
		}
		return kube.OneLine(failed + "; " + why.Error() + l.lastWords(ctx, pod))
	}
	return kube.OneLine(failed)
}

// lastWords is what the container that dies wrote last, "" when that cannot be read.
func (l *look) lastWords(ctx context.Context, pod *corev1.Pod) string {
	for _, s := range append(append([]corev1.ContainerStatus{}, pod.Status.InitContainerStatuses...), pod.Status.ContainerStatuses...) {
		if t := s.State.Terminated; s.RestartCount == 0 && (t == nil || t.ExitCode == 0) {
			continue
		}
		log, err := l.client.Logs(ctx, pod.Namespace, pod.Name, s.Name, 40)
		if line := kube.Salient(log); err == nil && line != "" {
			return "; its log: " + line
		}
	}
	return ""
}
