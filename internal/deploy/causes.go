package deploy

import (
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"gauntlet/internal/kube"
)

// Reasons beside those of package kube.
const (
	reasonQuota  = "Quota"
	reasonVolume = "Volume"
	reasonNode   = "Node"
	reasonGone   = "Gone"
	reasonJob    = "Job"
)

// How long a cause that may pass by itself is waited for.
const (
	graceStart    = 30 * time.Second // a runtime under load refuses to make a container for a while
	graceRestart  = 2 * time.Minute  // a service that dies once because another is not up yet
	gracePull     = 90 * time.Second // a registry that answers 503
	graceSchedule = 5 * time.Minute  // an autoscaler that brings a node
	graceQuota    = 15 * time.Second // old pods that still count
	settle        = 5 * time.Second  // what has no readiness probe must have run so long
	silence       = 10 * time.Second // a kubelet shows some sign of a pod within this time
)

// podProblem is what keeps a pod of a workload from running, nil when nothing is
// known to. A controller replaces and restarts its pods, so what is final for one
// pod need not be for the workload.
func podProblem(pod *corev1.Pod) *problem {
	why := kube.Diagnose(pod)
	if why == nil {
		return nil
	}
	p := &problem{Reason: why.Reason, Message: "pod " + pod.Name + ": " + why.Message}
	restarts := int32(0)
	for _, s := range append(append([]corev1.ContainerStatus{}, pod.Status.InitContainerStatuses...), pod.Status.ContainerStatuses...) {
		restarts = max(restarts, s.RestartCount)
	}
	switch why.Reason {
	case kube.CrashLoop, kube.Exited, kube.OutOfMemory, kube.Finished:
		// Once is an accident; whoever dies a third time goes on dying.
		if restarts < 2 {
			p.Grace = graceRestart
		} else {
			p.Reason = kube.CrashLoop
			p.Message += fmt.Sprintf(" (restarted %d times)", restarts)
		}
	case kube.CannotStart:
		p.Grace = graceStart
	case kube.Unschedulable:
		p.Grace = graceSchedule
	case kube.Rejected, kube.Evicted, kube.TimedOut, kube.Gone:
		p.Grace = graceRestart
	default:
		if !why.Permanent {
			p.Grace = gracePull
		}
	}
	return p
}

// refusal is a problem of a controller that may not create its pods.
func refusal(message string) problem {
	p := problem{Reason: kube.Rejected, Message: "its pods are refused: " + kube.OneLine(message)}
	m := strings.ToLower(message)
	switch {
	case strings.Contains(m, "quota"):
		p.Reason, p.Grace = reasonQuota, graceQuota
	case strings.Contains(m, "forbidden"), strings.Contains(m, "denied"), strings.Contains(m, "is invalid"):
		// A rule said no, and it will say no again.
	default:
		p.Grace = graceRestart
	}
	return p
}

// eventProblem is what an event says that the pod's status does not, nil for the
// ordinary ones.
func eventProblem(pod *corev1.Pod, e *corev1.Event) *problem {
	switch e.Reason {
	case "FailedMount", "FailedAttachVolume", "FailedMapVolume":
		return &problem{Reason: reasonVolume, Message: "pod " + pod.Name + ": " + kube.OneLine(e.Message), Grace: forever}
	case "FailedCreatePodSandBox":
		return &problem{Reason: reasonNode, Message: "pod " + pod.Name + ": " + kube.OneLine(e.Message), Grace: forever}
	case "Failed":
		// The pull's own words come here before they reach the status.
		if strings.HasPrefix(e.Message, "Failed to pull image") {
			return &problem{Reason: kube.ImagePull, Message: "pod " + pod.Name + ": " + kube.OneLine(e.Message), Grace: gracePull}
		}
	case "Unhealthy":
		if !strings.HasPrefix(e.Message, "Liveness") {
			return &problem{Reason: "NotReady", Message: "pod " + pod.Name + ": " + kube.OneLine(e.Message), Grace: forever}
		}
	}
	return nil
}

// silentNode is the problem of a pod that its node was given and shows no sign of;
// node may be nil when it cannot be read.
func silentNode(pod *corev1.Pod, node *corev1.Node, now time.Time) *problem {
	if pod.Spec.NodeName == "" || len(pod.Status.ContainerStatuses)+len(pod.Status.InitContainerStatuses) > 0 {
		return nil
	}
	var bound time.Time
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodScheduled && c.Status == corev1.ConditionTrue {
			bound = c.LastTransitionTime.Time
		}
	}
	if bound.IsZero() || now.Sub(bound) < silence {
		return nil
	}
	m := fmt.Sprintf("pod %s: its node %s has not begun to start it since %s", pod.Name, pod.Spec.NodeName, bound.UTC().Format("15:04:05Z"))
	if node != nil {
		for _, c := range node.Status.Conditions {
			if c.Type == corev1.NodeReady && c.Status != corev1.ConditionTrue {
				m += fmt.Sprintf(" (Ready=%s: %s)", c.Status, kube.OneLine(c.Message))
			}
		}
		if node.Spec.Unschedulable {
			m += " (the node is cordoned)"
		}
	}
	return &problem{Reason: reasonNode, Message: m, Grace: forever}
}
