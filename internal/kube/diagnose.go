package kube

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// A PodError is why a pod does not do what it should. Permanent causes do not go
// away by waiting.
type PodError struct {
	Pod       string
	Reason    string // one of the reasons of a Cause
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
	statuses := allStatuses(pod)

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
			return fail(Unschedulable, false, "%s", unfit(pod, cond.Message))
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
	if diskFull(m) {
		return DiskFull, false
	}
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

// diskFull reads whether a node had no room left for an image.
func diskFull(lower string) bool {
	return strings.Contains(lower, "no space left on device") || strings.Contains(lower, "disk quota exceeded")
}

func waitingMessage(s corev1.ContainerStatus, w *corev1.ContainerStateWaiting) string {
	if w.Reason == "CrashLoopBackOff" {
		m := fmt.Sprintf("container %s was restarted %d times", s.Name, s.RestartCount)
		if t := s.LastTerminationState.Terminated; t != nil {
			m += ", the last run ended with " + exit(t)
		}
		return m
	}
	if reason, _ := waiting(w); reason == ImageNotFound || reason == ImageDenied || reason == ImagePull || reason == DiskFull {
		return pullWords(reason, s.Image, w.Message)
	}
	return fmt.Sprintf("container %s: %s: %s", s.Name, w.Reason, w.Message)
}

// pullWords says why an image cannot be pulled; message is the runtime's.
func pullWords(reason, image, message string) string {
	// The runtime repeats the image at every level of its error.
	if i := strings.LastIndex(message, image+`": `); image != "" && i >= 0 {
		message = message[i+len(image)+3:]
	}
	switch reason {
	case ImageNotFound:
		return fmt.Sprintf("its registry has no image %s", image)
	case ImageDenied:
		return fmt.Sprintf("its registry denies image %s to this namespace (imagePullSecrets?): %s", image, message)
	case DiskFull:
		return fmt.Sprintf("the node's disk has no room for image %s: %s", image, message)
	}
	return fmt.Sprintf("image %s: %s", image, message)
}
