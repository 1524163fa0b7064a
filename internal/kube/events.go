package kube

import (
	"cmp"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// EventTime is when an event last happened, by whoever reports it.
func EventTime(e *corev1.Event) time.Time {
	t := e.EventTime.Time
	if s := e.Series; s != nil && s.LastObservedTime.After(t) {
		t = s.LastObservedTime.Time
	}
	if e.LastTimestamp.After(t) {
		t = e.LastTimestamp.Time
	}
	if t.IsZero() {
		t = e.CreationTimestamp.Time
	}
	return t
}

// sortEvents puts the newest last. Times are to the second: the order of writing
// decides between equal ones.
func sortEvents(events []*corev1.Event) {
	slices.SortStableFunc(events, func(a, b *corev1.Event) int {
		if c := EventTime(a).Truncate(time.Second).Compare(EventTime(b).Truncate(time.Second)); c != 0 {
			return c
		}
		return cmp.Compare(version(a), version(b))
	})
}

func version(e *corev1.Event) uint64 {
	n, err := strconv.ParseUint(e.ResourceVersion, 10, 64)
	if err != nil {
		return 0
	}
	return n
}

var quotedImage = regexp.MustCompile(`(?i)image "([^"]+)"`)

// imageOf is the image that an event of a kubelet speaks of.
func imageOf(message string) string {
	if m := quotedImage.FindStringSubmatch(message); m != nil {
		return m[1]
	}
	return ""
}

// eventCause says what the events of a pod, the oldest first, tell of what holds it
// now. Events tell causes seconds before the pod's status does, and stay when the
// trouble is over: what a later event or the status shows as done counts no more.
func eventCause(pod *corev1.Pod, events []*corev1.Event, now time.Time) *Cause {
	var volume, sandbox, place, probe, hook *Cause
	pulls := map[string]*Cause{} // by image
	fail := func(reason string, permanent bool, words string) *Cause {
		return &Cause{Object: "Pod/" + pod.Name, Reason: reason, Permanent: permanent, Message: OneLine(words)}
	}
	for _, e := range events {
		switch e.Reason {
		case "Failed":
			if rest, ok := strings.CutPrefix(e.Message, "Failed to pull image "); ok {
				image := imageOf(e.Message)
				reason, permanent := pullReason(rest)
				pulls[image] = fail(reason, permanent, pullWords(reason, image, strings.TrimPrefix(rest, strconv.Quote(image)+": ")))
			}
		case "Pulled":
			delete(pulls, imageOf(e.Message))
			volume, sandbox = nil, nil
		case "FailedMount", "FailedAttachVolume", "FailedMapVolume":
			volume = fail(Volume, false, volumeWords(e.Message))
		case "SuccessfulAttachVolume":
			volume = nil
		case "FailedCreatePodSandBox", "FailedPodSandBoxStatus", "NetworkNotReady", "FailedPrepareDynamicResources":
			sandbox = fail(Sandbox, false, "its node cannot set it up: "+e.Message)
		case "Pulling", "Created", "Started":
			volume, sandbox = nil, nil
		case "FailedScheduling":
			if reporter(e) == karpenter {
				continue // Scaling tells it
			}
			place = fail(Unschedulable, false, unfit(pod, e.Message))
		case "Unhealthy":
			probe = fail(ProbeFails, false, e.Message)
		case "FailedPostStartHook":
			hook = fail(CannotStart, false, "the container's postStart hook fails: "+e.Message)
		}
	}
	if pod.Spec.NodeName == "" {
		return place
	}
	var pull *Cause
	for _, image := range slices.Sorted(maps.Keys(pulls)) {
		if pull == nil || pulls[image].Permanent {
			pull = pulls[image]
		}
	}
	if !begun(pod) {
		for _, c := range []*Cause{pull, sandbox, volume} {
			if c != nil {
				return c
			}
		}
		return nil
	}
	if pull != nil && stillPulling(pod) {
		return pull
	}
	if IsReady(pod) {
		return nil
	}
	if hook != nil {
		return hook
	}
	// Whoever has just started may fail its probe a few times.
	if probe != nil && runsSince(pod, now) >= probeGrace {
		return probe
	}
	return nil
}

// probeGrace is how long a container may fail its probes after its start before
// that is told as a trouble.
const probeGrace = 10 * time.Second

// begun says whether any container of a pod has an image.
func begun(pod *corev1.Pod) bool {
	for _, s := range allStatuses(pod) {
		if s.ImageID != "" || s.State.Running != nil || s.State.Terminated != nil {
			return true
		}
	}
	return false
}

func allStatuses(pod *corev1.Pod) []corev1.ContainerStatus {
	return append(append([]corev1.ContainerStatus{}, pod.Status.InitContainerStatuses...), pod.Status.ContainerStatuses...)
}

// runsSince is how long the container of a pod that is not ready has run; 0 when
// none runs.
func runsSince(pod *corev1.Pod, now time.Time) time.Duration {
	var longest time.Duration
	for _, s := range pod.Status.ContainerStatuses {
		if r := s.State.Running; r != nil && !s.Ready {
			longest = max(longest, now.Sub(r.StartedAt.Time))
		}
	}
	return longest
}

// IsReady is the pod's own word.
func IsReady(pod *corev1.Pod) bool {
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodReady {
			return c.Status == corev1.ConditionTrue
		}
	}
	return false
}

// volumeWords explains the volume troubles that operators meet most.
func volumeWords(message string) string {
	switch {
	case strings.Contains(message, "Multi-Attach error"):
		return "its volume is still attached elsewhere (a volume for one node at a time: an old pod that waits for this one to be ready holds it for ever; strategy Recreate ends that): " + message
	case strings.Contains(message, "not found") && (strings.Contains(message, "configmap ") || strings.Contains(message, "secret ")):
		return "what it mounts does not exist: " + message
	}
	return "a volume cannot be mounted: " + message
}

// karpenter is how Karpenter signs its events.
const karpenter = "karpenter"

// Scaling is what an autoscaler says of a pod that no node takes: ScalingUp,
// NoScaleUp or "", and in its words.
func Scaling(events []*corev1.Event) (reason, words string) {
	for _, e := range events {
		switch {
		case e.Reason == "TriggeredScaleUp":
			reason, words = ScalingUp, e.Message
		case e.Reason == "NotTriggerScaleUp", e.Reason == "FailedScaleUp":
			reason, words = NoScaleUp, e.Message
		case e.Reason == "Nominated" && strings.HasPrefix(e.Message, "Pod should schedule on"):
			reason, words = ScalingUp, e.Message
		case e.Reason == "FailedScheduling" && reporter(e) == karpenter:
			reason, words = NoScaleUp, e.Message
		}
	}
	return reason, OneLine(words)
}

func reporter(e *corev1.Event) string {
	return cmp.Or(e.ReportingController, e.Source.Component)
}

// Pulling is the image that a pod's node pulls now, and since when: by its events,
// the oldest first. "" when it pulls none.
func Pulling(pod *corev1.Pod, events []*corev1.Event) (image string, since time.Time) {
	if pod.Spec.NodeName == "" || !stillPulling(pod) {
		return "", time.Time{}
	}
	for _, e := range events {
		switch e.Reason {
		case "Pulling":
			if i := imageOf(e.Message); i != image {
				image, since = i, EventTime(e)
			}
		case "Pulled":
			image = ""
		}
	}
	return image, since
}
