package prepull

import (
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"gauntlet/internal/kube"
)

// States of a node.
const (
	Had     = "had"      // the images were there
	Pulled  = "pulled"   // by this run
	Queued  = "queued"   // its pod has not begun
	Pulling = "pulling"  //
	Failing = "failing"  // a pull fails, and may yet succeed
	Cannot  = "cannot"   // it will not get an image
	LeftOut = "left-out" // it takes no pods now, or goes away: it is not waited for
)

// A Node is how far a node of a pool is.
type Node struct {
	Name    string  `json:"name"`
	State   string  `json:"state"`
	Image   string  `json:"image,omitempty"`   // that it pulls, or cannot get
	Seconds float64 `json:"seconds,omitempty"` // in this state; when it has pulled: how long that took
	Why     string  `json:"why,omitempty"`     // quotes the cluster: untrusted

	ref     string    // of Image
	late    bool      // it came after the beginning
	final   bool      // Cannot: the registry said no
	nowhere bool      // Cannot: and no other node has the image either
	until   time.Time // LeftOut: it may come back until then
}

// has says whether the node has its images.
func (n Node) has() bool { return n.State == Had || n.State == Pulled }

// How long a cause that may pass by itself is waited for.
const (
	silence     = 10 * time.Second // a kubelet shows some sign of a pod within this time
	startGrace  = time.Minute      // or at least within this
	pullGrace   = 90 * time.Second // a registry that answers 503; a disk that is being cleaned
	fullGrace   = 2 * time.Minute  // pods that end and make room
	readyGrace  = 5 * time.Minute  // a node that starts
	refuseGrace = 15 * time.Second // old pods that still count in a quota
)

// A track is what was seen of one node, and of the pool's pods on it.
type track struct {
	name string
	node *corev1.Node // nil: it was deleted
	late bool
	had  bool

	trouble      *kube.NodeError // of the node
	troubleSince time.Time

	pod     string    // newest of the pool's pods for it
	podSeen time.Time // first
	bound   time.Time // given to the node; zero: not yet
	begun   bool      // the kubelet has shown some sign of it
	pulled  map[string]bool
	pulling string // container
	since   time.Time
	fails   map[string]*failure // by container
	out     *failure            // keeps the whole pod from its node
	done    time.Time
}

// A failure is why an image or a pod is not where it shall be.
type failure struct {
	message   string
	permanent bool
	node      bool // the node is to blame, not the image or its registry
	since     time.Time
}

func newTrack(n *corev1.Node) *track {
	return &track{name: n.Name, node: n, pulled: map[string]bool{}, fails: map[string]*failure{}}
}

// sawNode takes what the node says now; nil: it is gone.
func (t *track) sawNode(n *corev1.Node, trouble *kube.NodeError, now time.Time) {
	t.node = n
	if trouble == nil || t.trouble == nil || trouble.Reason != t.trouble.Reason {
		t.troubleSince = now
	}
	t.trouble = trouble
}

// sawPod takes the state of a pod of the pool for this node.
func (t *track) sawPod(pod *corev1.Pod, now time.Time) {
	if pod.Name != t.pod {
		if t.pod == "" {
			t.podSeen = now
		}
		t.pod, t.bound, t.begun, t.pulling = pod.Name, time.Time{}, false, ""
	}
	if pod.Status.Phase == corev1.PodFailed {
		// A kubelet refused it or threw it out: its containers' states mean nothing.
		if why := kube.Diagnose(pod); why != nil {
			t.blame(why.Message, now)
		}
		return
	}
	for _, c := range pod.Status.Conditions {
		if c.Type != corev1.PodScheduled {
			continue
		}
		if c.Status == corev1.ConditionTrue {
			if t.bound.IsZero() {
				t.bound, t.out = now, nil
			}
		} else if c.Reason == corev1.PodReasonUnschedulable {
			t.blame(noRoom(c.Message), now)
		}
	}
	if pod.Spec.NodeName != "" && t.bound.IsZero() {
		t.bound, t.out = now, nil
	}
	for i := range pod.Status.ContainerStatuses {
		s := &pod.Status.ContainerStatuses[i]
		t.begun = true
		switch {
		case isThere(s):
			t.got(s.Name, now)
		case s.State.Waiting != nil:
			if why := kube.Diagnose(&corev1.Pod{Status: corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{*s}}}); why != nil {
				t.failed(s.Name, why, now)
			}
		}
	}
}

// isThere says whether a container's image is on its node: a kubelet looks for the
// image first, so that whatever it says of the container afterwards proves it.
func isThere(s *corev1.ContainerStatus) bool {
	if s.ImageID != "" || s.State.Running != nil || s.State.Terminated != nil || s.LastTerminationState.Terminated != nil {
		return true
	}
	if s.State.Waiting == nil {
		return false
	}
	switch s.State.Waiting.Reason {
	case "CreateContainerConfigError", "CreateContainerError", "PreCreateHookError", "RunContainerError", "CrashLoopBackOff":
		return true
	}
	return false
}

// sawEvent takes what a kubelet says of a pod of this node. It comes seconds before
// the pod's status shows the same.
func (t *track) sawEvent(e *corev1.Event, now time.Time) {
	container, _ := strings.CutPrefix(e.InvolvedObject.FieldPath, "spec.containers{")
	container = strings.TrimSuffix(container, "}")
	switch e.Reason {
	case "Pulling":
		if !t.pulled[container] {
			t.pulling, t.since = container, now
		}
	case "Pulled":
		t.got(container, now)
	case "Failed":
		words, ok := strings.CutPrefix(e.Message, "Failed to pull image ")
		if !ok {
			return
		}
		image, rest, _ := strings.Cut(words, ": ")
		s := corev1.ContainerStatus{Name: container, Image: strings.Trim(image, `"`),
			State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "ErrImagePull", Message: rest}}}
		if why := kube.Diagnose(&corev1.Pod{Status: corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{s}}}); why != nil {
			t.failed(container, why, now)
		}
	case "FailedCreatePodSandBox":
		t.blame("its kubelet cannot set up a pod: "+e.Message, now)
	default:
		return
	}
	t.begun = true
}

func (t *track) got(container string, now time.Time) {
	if container == "" {
		return
	}
	if t.pulling == container {
		t.pulling = ""
	}
	t.out = nil
	delete(t.fails, container)
	if !t.pulled[container] { // a kubelet says so again and again
		t.pulled[container], t.done = true, now
	}
}

func (t *track) failed(container string, why *kube.PodError, now time.Time) {
	if container == "" || t.pulled[container] {
		return
	}
	if t.pulling == container {
		t.pulling = ""
	}
	f := &failure{message: kube.OneLine(why.Message), permanent: why.Permanent, since: now}
	f.node = strings.Contains(f.message, "no space left on device")
	if old := t.fails[container]; old != nil {
		f.since = old.since
		if old.permanent && !f.permanent {
			return // a back-off that does not repeat what it is for
		}
	}
	t.fails[container] = f
}

// blame says that the node takes the pod not.
func (t *track) blame(message string, now time.Time) {
	f := &failure{message: kube.OneLine(message), node: true, since: now}
	if t.out != nil {
		f.since = t.out.since
	}
	t.out = f
}

// noRoom is what a scheduler says of the one node that a pod is for. It counts the
// others too, which do not matter, and what throwing out other pods would help.
func noRoom(message string) string {
	message, _, _ = strings.Cut(message, " preemption:")
	_, why, ok := strings.Cut(message, ": ")
	if !ok {
		return message
	}
	var own []string
	for part := range strings.SplitSeq(strings.TrimSuffix(strings.TrimSpace(why), "."), ", ") {
		if !strings.Contains(part, "didn't match") && !strings.Contains(part, "didn't satisfy") {
			own = append(own, strings.TrimLeft(part, "0123456789 "))
		}
	}
	if len(own) == 0 {
		return message
	}
	return "it has no room: " + strings.Join(own, ", ")
}

// state is how far the node is. containers are those of the pool's pods, each with
// its image.
func (t *track) state(containers []container, now time.Time) Node {
	n := Node{Name: t.name, late: t.late}
	in := func(state string, since time.Time) Node {
		n.State = state
		if !since.IsZero() {
			n.Seconds = max(now.Sub(since).Seconds(), 0)
		}
		return n
	}
	leave := func(why string, since time.Time, grace time.Duration) Node {
		n.Why, n.until = why, since.Add(grace)
		return in(LeftOut, since)
	}
	switch {
	case t.node == nil:
		return leave("it was deleted", t.troubleSince, 0)
	case t.trouble != nil:
		return leave(t.trouble.Message, t.troubleSince, backIn(t.trouble))
	case t.had:
		return in(Had, time.Time{})
	}
	missing := 0
	for _, c := range containers {
		if !t.pulled[c.name] {
			missing++
		}
	}
	if missing == 0 {
		n.State, n.Seconds = Pulled, t.done.Sub(t.podSeen).Seconds()
		return n
	}
	if t.out != nil {
		return leave(t.out.message, t.out.since, fullGrace)
	}
	for _, c := range containers {
		f := t.fails[c.name]
		if f == nil {
			continue
		}
		n.Image, n.ref, n.Why = c.image.Name(), c.image.Ref, f.message
		switch over := now.Sub(f.since) >= pullGrace; {
		case f.node:
			return leave(f.message, f.since, pullGrace)
		case f.permanent || over:
			n.final = f.permanent
			return in(Cannot, f.since)
		case n.State == "":
			n = in(Failing, f.since)
		}
	}
	if n.State == Failing && t.pulling == "" {
		return n
	}
	n.Image, n.ref, n.Why = "", "", ""
	for _, c := range containers {
		if c.name == t.pulling {
			n.Image = c.image.Name()
			return in(Pulling, t.since)
		}
	}
	if !t.bound.IsZero() && !t.begun && now.Sub(t.bound) >= silence {
		why := fmt.Sprintf("its kubelet has not begun to start the pod it was given %s ago", span(now.Sub(t.bound)))
		if now.Sub(t.bound) >= startGrace {
			return leave(why, t.bound.Add(startGrace), fullGrace)
		}
		n.Why = why
	}
	return in(Queued, t.podSeen)
}

// backIn is how long a node in trouble may take to come back, 0 for one that is not
// waited for.
func backIn(e *kube.NodeError) time.Duration {
	switch {
	case e.Leaving:
		return 0
	case e.Reason == kube.NodeNotReady, e.Reason == kube.NodeSilent:
		return readyGrace
	case e.Reason == kube.NodePressure:
		return fullGrace
	}
	return 0
}
