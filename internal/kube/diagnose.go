package kube

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// Reasons of a PodError.
const (
	ImageNotFound = "ImageNotFound" // the registry has no such image
	ImageDenied   = "ImageDenied"   // the registry refuses to give it
	ImagePull     = "ImagePull"     // it cannot be pulled now
	CrashLoop     = "CrashLoop"     // it starts and ends again and again
	Exited        = "Exited"        // it ended with another code than zero
	OutOfMemory   = "OutOfMemory"   // killed at its memory limit
	CannotStart   = "CannotStart"   // the container cannot be made or its command not be run
	Unschedulable = "Unschedulable" // no node takes it
	Rejected      = "Rejected"      // admission, quota or a kubelet refuse it
	Evicted       = "Evicted"       // a node threw it out
	TimedOut      = "TimedOut"      // its activeDeadlineSeconds ran out
	Gone          = "Gone"          // somebody deleted it
	Finished      = "Finished"      // it ended with code zero while it should run
	Slow          = "Slow"          // no cause known: it was still on its way
)

// A PodError is why a pod does not do what it should. Permanent causes do not go
// away by waiting.
type PodError struct {
	Pod       string
	Reason    string // one of the constants above
	Message   string // one line
	Permanent bool
}

func (e *PodError) Error() string {
	return fmt.Sprintf("pod %s: %s: %s", e.Pod, e.Reason, e.Message)
}

// Diagnose says what keeps a pod from running, by its status alone: nil when
// nothing does (yet).
func Diagnose(pod *corev1.Pod) *PodError {
	fail := func(reason string, permanent bool, format string, a ...any) *PodError {
		return &PodError{Pod: pod.Name, Reason: reason, Permanent: permanent, Message: OneLine(fmt.Sprintf(format, a...))}
	}
	statuses := append(append([]corev1.ContainerStatus{}, pod.Status.InitContainerStatuses...), pod.Status.ContainerStatuses...)

	for _, s := range statuses {
		if w := s.State.Waiting; w != nil {
			if reason, permanent := waiting(w); reason != "" {
				return fail(reason, permanent, "%s", waitingMessage(s, w))
			}
		}
	}
	if pod.Status.Phase == corev1.PodFailed {
		switch pod.Status.Reason {
		case "":
		case "Evicted":
			return fail(Evicted, true, "%s", pod.Status.Message)
		case "DeadlineExceeded":
			return fail(TimedOut, true, "%s", pod.Status.Message)
		default:
			// NodeAffinity, OutOfcpu, UnexpectedAdmissionError, …: the kubelet refused.
			return fail(Rejected, true, "%s: %s", pod.Status.Reason, pod.Status.Message)
		}
	}
	for _, s := range statuses {
		t := s.State.Terminated
		if t == nil || t.ExitCode == 0 {
			continue
		}
		switch t.Reason {
		case "OOMKilled":
			return fail(OutOfMemory, true, "container %s was killed at its memory limit", s.Name)
		case "StartError", "ContainerCannotRun":
			return fail(CannotStart, true, "container %s: %s", s.Name, t.Message)
		default:
			return fail(Exited, true, "container %s ended with %s", s.Name, exit(t))
		}
	}
	if pod.Status.Phase == corev1.PodFailed {
		return fail(Exited, true, "it failed and its status does not say why")
	}
	for _, cond := range pod.Status.Conditions {
		if cond.Type == corev1.PodScheduled && cond.Status == corev1.ConditionFalse && cond.Reason == corev1.PodReasonUnschedulable {
			return fail(Unschedulable, false, "%s", cond.Message)
		}
	}
	return nil
}

// exit says in words how a container ended.
func exit(t *corev1.ContainerStateTerminated) string {
	s := fmt.Sprintf("code %d", t.ExitCode)
	if t.ExitCode > 128 {
		s += fmt.Sprintf(" (signal %d)", t.ExitCode-128)
	}
	if m := strings.TrimSpace(t.Message); m != "" {
		s += ": " + m
	}
	return s
}

// waiting classifies why a container waits; "" for the ordinary course of a start.
func waiting(w *corev1.ContainerStateWaiting) (reason string, permanent bool) {
	switch w.Reason {
	case "ErrImagePull", "ImagePullBackOff", "RegistryUnavailable", "ImageInspectError":
		return pullReason(w.Message)
	case "InvalidImageName", "ErrImageNeverPull":
		return ImageNotFound, true
	case "SignatureValidationFailed":
		return ImageDenied, true
	case "CreateContainerConfigError", "CreateContainerError", "RunContainerError":
		return CannotStart, true
	case "CrashLoopBackOff":
		return CrashLoop, true
	}
	return "", false
}

// pullReason reads the runtime's words about a pull that failed: only an answer
// of the registry ("no", "not you") is permanent.
func pullReason(message string) (string, bool) {
	m := strings.ToLower(message)
	for _, words := range []string{"unauthorized", "denied", "forbidden", "authorization failed", "no basic auth"} {
		if strings.Contains(m, words) {
			return ImageDenied, true
		}
	}
	for _, words := range []string{"not found", "manifest unknown", "name unknown", "no such manifest"} {
		if strings.Contains(m, words) {
			return ImageNotFound, true
		}
	}
	return ImagePull, false
}

func waitingMessage(s corev1.ContainerStatus, w *corev1.ContainerStateWaiting) string {
	if w.Reason == "CrashLoopBackOff" {
		m := fmt.Sprintf("container %s was restarted %d times", s.Name, s.RestartCount)
		if t := s.LastTerminationState.Terminated; t != nil {
			m += ", the last run ended with " + exit(t)
		}
		return m
	}
	switch reason, _ := waiting(w); reason {
	case ImageNotFound:
		return fmt.Sprintf("its registry has no image %s", s.Image)
	case ImageDenied:
		return fmt.Sprintf("its registry denies image %s to this namespace (imagePullSecrets?): %s", s.Image, w.Message)
	case ImagePull:
		// The runtime repeats the image at every level of its error.
		m := w.Message
		if i := strings.LastIndex(m, s.Image+`": `); i >= 0 {
			m = m[i+len(s.Image)+3:]
		}
		return fmt.Sprintf("image %s: %s", s.Image, m)
	}
	return fmt.Sprintf("container %s: %s", s.Name, w.Message)
}
