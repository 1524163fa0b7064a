package kube

import (
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// PodCause says what keeps a pod from running, by its status and its events (the
// oldest first): nil when nothing does. now is the time by the API server.
func PodCause(pod *corev1.Pod, events []*corev1.Event, now time.Time) *Cause {
	if c := thrownOut(pod); c != nil {
		return c
	}
	said := eventCause(pod, events, now)
	why := Diagnose(pod)
	if why == nil {
		if said != nil && said.Reason == Unschedulable {
			scaled(said, pod, events)
		}
		switch {
		case said != nil:
			return said
		case pod.Spec.NodeName == "":
			return unlooked(pod, now)
		}
		return unready(pod, now)
	}
	c := why.Cause()
	switch {
	case why.Reason == ImagePull && said != nil && pullTrouble(said.Reason):
		// While it backs off, the status keeps no word of why.
		return said
	case why.Reason == Unschedulable:
		scaled(c, pod, events)
	}
	return c
}

// unlooked is the cause of a pod without a node that no scheduler has said a word of for
// longer than one needs. Hubs have schedulers of their own, for their users' pods.
func unlooked(pod *corev1.Pod, now time.Time) *Cause {
	if pod.Status.Phase != corev1.PodPending || len(pod.Status.Conditions) > 0 || now.Sub(pod.CreationTimestamp.Time) < silence {
		return nil
	}
	return &Cause{Object: "Pod/" + pod.Name, Reason: Unscheduled, Message: OneLine(fmt.Sprintf(
		"scheduler %s has not looked at it since %s: it does not run, hangs, or lacks rights", pod.Spec.SchedulerName, clockOf(pod.CreationTimestamp.Time)))}
}

// unready is the cause of a pod that runs and is not ready, when no event says why.
func unready(pod *corev1.Pod, now time.Time) *Cause {
	for _, s := range pod.Status.ContainerStatuses {
		r := s.State.Running
		if r == nil || s.Ready || now.Sub(r.StartedAt.Time) < probeGrace {
			continue
		}
		return &Cause{Object: "Pod/" + pod.Name, Reason: ProbeFails,
			Message: OneLine(fmt.Sprintf("container %s has run since %s and does not pass its probe", s.Name, clockOf(r.StartedAt.Time)))}
	}
	return nil
}

func pullTrouble(reason string) bool {
	return reason == ImagePull || reason == ImageNotFound || reason == ImageDenied || reason == DiskFull
}

// thrownOut is the cause of a pod that something took its place from.
func thrownOut(pod *corev1.Pod) *Cause {
	if pod.DeletionTimestamp == nil && pod.Status.Phase != corev1.PodFailed {
		return nil
	}
	for _, c := range pod.Status.Conditions {
		if c.Type != corev1.DisruptionTarget || c.Status != corev1.ConditionTrue {
			continue
		}
		words := c.Reason
		switch c.Reason {
		case corev1.PodReasonPreemptionByScheduler:
			words = "the scheduler gives its place to a pod of a higher priority"
		case corev1.PodReasonTerminationByKubelet:
			words = "its node throws it out"
		case "DeletionByTaintManager":
			words = "a taint of its node throws it out"
		case "EvictionByEvictionAPI":
			words = "somebody drains its node or evicts it"
		case "DeletionByPodGC":
			words = "its node is gone"
		}
		return &Cause{Object: "Pod/" + pod.Name, Reason: Evicted, Message: OneLine(words + ": " + c.Message)}
	}
	return nil
}

// scaled adds to the cause of a pod that no node takes what an autoscaler says.
func scaled(c *Cause, pod *corev1.Pod, events []*corev1.Event) {
	if strings.Contains(c.Message, `persistentvolumeclaim "`) && strings.Contains(c.Message, "not found") {
		c.Reason = Claim
		return
	}
	if n := pod.Status.NominatedNodeName; n != "" {
		c.Message = OneLine(c.Message + "; it waits for pods of a lower priority to leave node " + n)
	}
	switch reason, words := Scaling(events); reason {
	case ScalingUp:
		c.Reason, c.Message = ScalingUp, OneLine(c.Message+"; an autoscaler brings a node: "+words)
	case NoScaleUp:
		c.Reason, c.Message = NoScaleUp, OneLine(c.Message+"; the autoscaler cannot help: "+words)
	}
}

// NotBegun is the cause of a pod that its node was given and shows no sign of for
// longer than a kubelet needs, nil of any other. node is what is wrong with the
// node, nil when nothing is known to be.
func NotBegun(pod *corev1.Pod, node *NodeError, now time.Time) *Cause {
	since := boundSince(pod)
	if since.IsZero() || len(allStatuses(pod)) > 0 {
		return nil
	}
	quiet := now.Sub(since)
	if quiet < silence && (node == nil || quiet < silence/2) {
		return nil
	}
	c := &Cause{Object: "Pod/" + pod.Name, Reason: NotStarted}
	words := fmt.Sprintf("its node %s shows no sign of it since %s", pod.Spec.NodeName, clockOf(since))
	if node != nil {
		c.Reason = node.Reason
		words += ": " + node.Message
	} else {
		words += ": its kubelet is dead, hangs or is cut off"
	}
	c.Message = OneLine(words)
	return c
}

// silence is how long a kubelet may take to show some sign of a pod.
const silence = 10 * time.Second

// boundSince is when a node was given a pod; zero when none was.
func boundSince(pod *corev1.Pod) time.Time {
	if pod.Spec.NodeName == "" {
		return time.Time{}
	}
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodScheduled && c.Status == corev1.ConditionTrue {
			return c.LastTransitionTime.Time
		}
	}
	return pod.CreationTimestamp.Time
}

// NotEnding is the cause of a pod that should be gone and is not: it has been
// deleted, and its time to end has passed. nil of any other.
func NotEnding(pod *corev1.Pod, node *NodeError, now time.Time) *Cause {
	if pod.DeletionTimestamp == nil || now.Sub(pod.DeletionTimestamp.Time) < silence {
		return nil // the timestamp holds the time to end
	}
	words := "it was to end by " + clockOf(pod.DeletionTimestamp.Time) + " and is still there"
	reason := NotEndingPod
	switch {
	case node != nil:
		reason = node.Reason
		words += fmt.Sprintf(": its node %s: %s", pod.Spec.NodeName, node.Message)
	case len(pod.Finalizers) > 0:
		words += ": it waits for " + strings.Join(pod.Finalizers, ", ")
	}
	return &Cause{Object: "Pod/" + pod.Name, Reason: reason, Message: OneLine(words)}
}

// NodeOf is the node that a pod is on, or that its DaemonSet made it for; "" when
// neither is known.
func NodeOf(p *corev1.Pod) string {
	if p.Spec.NodeName != "" {
		return p.Spec.NodeName
	}
	if a := p.Spec.Affinity; a != nil && a.NodeAffinity != nil && a.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution != nil {
		for _, t := range a.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms {
			for _, f := range t.MatchFields {
				if f.Key == metav1.ObjectNameField && len(f.Values) == 1 {
					return f.Values[0]
				}
			}
		}
	}
	return ""
}

// unfit is the scheduler's message in words. A pod that a DaemonSet made for one node
// is not told of all the others, which it was never meant for.
func unfit(pod *corev1.Pod, message string) string {
	node := NodeOf(pod)
	p, ok := ReadPlacement(message)
	if node == "" || !ok {
		return Unfit(message)
	}
	var why []string
	for _, m := range p.Misfits {
		if m.Why != notChosen {
			why = append(why, m.Why)
		}
	}
	if len(why) == 0 {
		return OneLine("node " + node + " does not take it, or is not there: " + p.String())
	}
	return OneLine("node " + node + " does not take it: " + strings.Join(why, ", "))
}
