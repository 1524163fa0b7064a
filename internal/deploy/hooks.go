package deploy

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"gauntlet/internal/deploy/helm"
	"gauntlet/internal/kube"
)

// hookPatience is how long a hook with nothing wrong may run before it is told what
// it last said.
const hookPatience = 12 * time.Second

// hook is the status of a hook's Job or Pod. beside are the DaemonSets that hooks of
// this run made: what a Job of the chart waits for in silence (images on every node)
// shows there.
func (l *look) hook(snap *kube.Snapshot, o helm.Object, beside []helm.Object) status {
	s := status{Object: o.String(), Normal: normalHook}
	var pods []*corev1.Pod
	begun := l.begun
	switch o.Kind {
	case "Job":
		j, ok := find(snap.Jobs, o.Name)
		if !ok {
			return l.missing(s, o, snap.Now)
		}
		if !l.seen(o, j) {
			s.Text = unseen
			return s
		}
		pods = snap.PodsOf(j, j.Spec.Selector)
		var failed string
		if s.Done, s.Text, failed = jobStatus(j); failed != "" {
			s.Problems = []problem{l.hookFailed(s.Object, failed, pods)}
			return s
		}
		begun = j.CreationTimestamp.Time
		l.refused(&s, snap, o.Kind, o.Name)
	case "Pod":
		p, ok := find(snap.Pods, o.Name)
		if !ok {
			return l.missing(s, o, snap.Now)
		}
		if !l.seen(o, p) {
			s.Text = unseen
			return s
		}
		pods = []*corev1.Pod{p}
		s.Done, s.Text = p.Status.Phase == corev1.PodSucceeded, string(p.Status.Phase)
		if p.Status.Phase == corev1.PodFailed {
			s.Problems = []problem{l.hookFailed(s.Object, "the pod failed", pods)}
			return s
		}
		begun = p.CreationTimestamp.Time
	}
	if s.Done {
		return s
	}
	for _, pod := range pods {
		// The Job itself judges those that have ended.
		if pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed || pod.DeletionTimestamp != nil {
			continue
		}
		if p, ok := l.podProblem(snap, pod); ok {
			s.Problems = append(s.Problems, p)
		}
	}
	if doing, normal := l.doing(snap, pods); doing != "" {
		s.Text, s.Normal = s.Text+"; "+doing, normal
	}
	waits := false
	for _, ds := range beside {
		waits = l.beside(snap, ds, &s) || waits
	}
	if !waits && len(s.Problems) == 0 && snap.Now.Sub(begun) >= hookPatience {
		s.Problems = append(s.Problems, waitsForEver(s.Object, pods, begun))
	}
	return s
}

// hookFailed is the problem of a hook that has failed, with what its pod said.
func (l *look) hookFailed(object, failed string, pods []*corev1.Pod) problem {
	p := problem{Cause: kube.Cause{Object: object, Reason: kube.HookFailed, Message: kube.OneLine(failed), Permanent: true}}
	for _, pod := range pods {
		if why := kube.Diagnose(pod); why != nil {
			p.Message = kube.OneLine(failed + "; " + why.Error())
			p.log = dyingLog(pod)
			break
		}
	}
	return p
}

// waitsForEver is the problem of a hook that runs and runs.
func waitsForEver(object string, pods []*corev1.Pod, begun time.Time) problem {
	p := problem{Cause: kube.Cause{Object: object, Reason: kube.HookWaits}, Grace: forever}
	p.Message = fmt.Sprintf("it has not ended since %s, and nothing is wrong with its pods", begun.UTC().Format("15:04:05Z"))
	if len(pods) == 0 {
		p.Message = fmt.Sprintf("it has no pod since %s, and nobody says why", begun.UTC().Format("15:04:05Z"))
	}
	for _, pod := range pods {
		for _, c := range pod.Status.ContainerStatuses {
			if c.State.Running != nil {
				p.log = &logAt{pod.Namespace, pod.Name, c.Name, c.RestartCount}
				p.Message = fmt.Sprintf("pod %s has run since %s and nothing is wrong with it: what it waits for, only it knows",
					pod.Name, c.State.Running.StartedAt.UTC().Format("15:04:05Z"))
			}
		}
	}
	return p
}

// beside adds to a hook's status what a DaemonSet of a hook before it is at, and says
// whether the hook may be waiting for that.
func (l *look) beside(snap *kube.Snapshot, o helm.Object, s *status) bool {
	d, ok := find(snap.DaemonSets, o.Name)
	if !ok {
		return false // a hook's leftovers may be removed while it runs
	}
	ds := l.workload(snap, o)
	for _, p := range ds.Problems {
		if p.Reason == kube.Gone {
			continue
		}
		p.Message = kube.OneLine(ds.Object + ": " + p.Message)
		s.Problems = append(s.Problems, p)
	}
	st := d.Status
	if st.NumberReady >= st.DesiredNumberScheduled {
		return false
	}
	s.Text += fmt.Sprintf("; %s is %s", ds.Object, ds.Text)
	if ds.Normal != normalRollout {
		s.Normal = ds.Normal
	}
	var hold []string
	for _, p := range snap.PodsOf(d, d.Spec.Selector) {
		if !kube.IsReady(p) && p.DeletionTimestamp == nil {
			hold = append(hold, cmp.Or(kube.NodeOf(p), "a node not known yet"))
		}
	}
	if len(hold) > 0 {
		const most = 8
		more := ""
		if len(hold) > most {
			more = fmt.Sprintf(" and %d more", len(hold)-most)
			hold = hold[:most]
		}
		s.Text += "; held by " + strings.Join(hold, ", ") + more
	}
	return true
}
