package deploy

import (
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"

	"gauntlet/internal/config"
	"gauntlet/internal/kube"
)

// crashes is how many restarts make a loop: once is an accident, and whoever dies a
// third time goes on dying.
const crashes = 2

// graceOf is how long a cause is waited for.
func graceOf(c *kube.Cause, g config.Graces) time.Duration {
	switch c.Reason {
	case kube.CrashLoop, kube.Exited, kube.OutOfMemory, kube.Finished, kube.Evicted, kube.TimedOut, kube.Rejected, kube.Gone:
		// A controller starts it again or makes another.
		return g.Restart
	case kube.NotStarted, kube.NotEndingPod, kube.NodeLeaving, kube.NodeNotReady, kube.NodeSilent, kube.NodePressure, kube.NodeCordoned, kube.Sandbox:
		return g.Node
	case kube.NoNode, kube.HookWaits, kube.Slow:
		return forever
	case kube.CannotStart:
		return g.Start
	}
	if c.Permanent {
		return 0
	}
	switch c.Reason {
	case kube.DiskFull:
		return g.DiskFull
	case kube.Unschedulable, kube.Unscheduled:
		return g.Unschedulable
	case kube.ScalingUp:
		return g.ScaleUp
	case kube.NoScaleUp:
		return g.NoScaleUp
	case kube.Quota:
		return g.Quota
	case kube.WebhookDown:
		return g.Webhook
	case kube.Volume:
		return g.Volume
	case kube.Claim:
		return g.Claim
	case kube.ProbeFails:
		return g.Probe
	}
	return g.ImagePull
}

// podProblem is what a pod's cause means for the workload that it is of. A controller
// replaces and restarts its pods, so what is final for one pod need not be for the
// workload.
func podProblem(pod *corev1.Pod, c *kube.Cause, g config.Graces) problem {
	p := problem{Cause: *c, Grace: graceOf(c, g)}
	p.Message = "pod " + pod.Name + ": " + p.Message
	switch c.Reason {
	case kube.CrashLoop, kube.Exited, kube.OutOfMemory:
		p.log = dyingLog(pod)
		if n := restarts(pod); n >= crashes {
			p.Grace = 0
			if c.Reason != kube.CrashLoop {
				p.Reason = kube.CrashLoop
				p.Message += fmt.Sprintf(" (restarted %d times)", n)
			}
		}
	case kube.Finished, kube.HookFailed:
		p.log = dyingLog(pod)
	}
	return p
}

func restarts(pod *corev1.Pod) int32 {
	n := int32(0)
	for _, s := range statuses(pod) {
		n = max(n, s.RestartCount)
	}
	return n
}

func statuses(pod *corev1.Pod) []corev1.ContainerStatus {
	return append(append([]corev1.ContainerStatus{}, pod.Status.InitContainerStatuses...), pod.Status.ContainerStatuses...)
}

// refusal is the problem of a controller that may not create its pods.
func refusal(object, message string, g config.Graces) problem {
	c := kube.Refusal(object, message)
	if c == nil {
		c = &kube.Cause{Object: object, Reason: kube.Rejected, Message: kube.OneLine(message)}
	}
	p := problem{Cause: *c, Grace: graceOf(c, g)}
	if c.Permanent {
		p.Grace = 0 // a rule said no, and it will say no again
	}
	p.Message = kube.OneLine("its pods are refused: " + p.Message)
	return p
}

// logAt is where a container's last words are.
type logAt struct {
	namespace, pod, container string
	run                       int32 // restarts so far: a later run says something else
}

// dyingLog is the log of the container of a pod that ended or ends again and again;
// nil when there is none.
func dyingLog(pod *corev1.Pod) *logAt {
	for _, s := range statuses(pod) {
		if t := s.State.Terminated; s.RestartCount == 0 && (t == nil || t.ExitCode == 0) {
			continue
		}
		return &logAt{pod.Namespace, pod.Name, s.Name, s.RestartCount}
	}
	return nil
}
