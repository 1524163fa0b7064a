package prepull

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"gauntlet/internal/kube"
)

var start = time.Date(2030, 5, 1, 9, 0, 0, 0, time.UTC)

func after(seconds int) time.Time { return start.Add(time.Duration(seconds) * time.Second) }

// pod is a pod of the pool, given to a node.
func pod(name string, change ...func(*corev1.Pod)) *corev1.Pod {
	p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: corev1.PodSpec{NodeName: "a"}}
	for _, c := range change {
		c(p)
	}
	return p
}

func unscheduled(message string) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		p.Spec.NodeName = ""
		p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: corev1.PodReasonUnschedulable, Message: message}}
	}
}

func waits(container, reason, message string) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		p.Status.ContainerStatuses = append(p.Status.ContainerStatuses, corev1.ContainerStatus{Name: container, Image: "r/x:1",
			State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: message}}})
	}
}

func event(container, reason, message string) *corev1.Event {
	return &corev1.Event{Reason: reason, Message: message, InvolvedObject: corev1.ObjectReference{Kind: "Pod", FieldPath: "spec.containers{" + container + "}"}}
}

var twoImages = []container{{"image-0", Image{Ref: digestRef("notebook"), Size: 2 << 30}}, {"image-1", Image{Ref: digestRef("worker")}}}

const notFound = `rpc error: code = NotFound desc = failed to pull and unpack image "r/x:1": r/x:1: not found`

func TestHowFarANodeIs(t *testing.T) {
	type seen func(*track)
	sees := func(p *corev1.Pod, at int) seen { return func(t *track) { t.sawPod(p, after(at)) } }
	hears := func(e *corev1.Event, at int) seen { return func(t *track) { t.sawEvent(e, after(at)) } }
	failed := func(words string) *corev1.Event {
		return event("image-0", "Failed", `Failed to pull image "r/x:1": `+words)
	}
	bound := sees(pod("p"), 0)
	const unavailable = "unexpected status code 503 Service Unavailable"
	for name, c := range map[string]struct {
		seen  []seen
		at    int
		state string
		says  string
		final bool
	}{
		"nothing yet":              {nil, 5, Queued, "", false},
		"given to it":              {[]seen{bound}, 5, Queued, "", false},
		"its kubelet is silent":    {[]seen{bound}, 12, Queued, "has not begun to start the pod it was given 12s ago", false},
		"and stays so":             {[]seen{bound}, 61, LeftOut, "has not begun", false},
		"being created":            {[]seen{bound, sees(pod("p", waits("image-0", "ContainerCreating", "")), 1)}, 70, Queued, "", false},
		"pulling":                  {[]seen{bound, hears(event("image-0", "Pulling", ""), 1)}, 90, Pulling, "", false},
		"pulled one of two":        {[]seen{bound, hears(event("image-0", "Pulled", ""), 1)}, 5, Queued, "", false},
		"pulled by events":         {[]seen{bound, hears(event("image-0", "Pulled", ""), 1), hears(event("image-1", "Pulled", ""), 3)}, 9, Pulled, "", false},
		"pulled by status":         {[]seen{sees(pod("p", waits("image-0", "CreateContainerConfigError", "missing value"), waits("image-1", "RunContainerError", "no such file")), 4)}, 9, Pulled, "", false},
		"an event of no container": {[]seen{bound, hears(&corev1.Event{Reason: "Pulled"}, 1)}, 5, Queued, "", false},
		"registry has it not":      {[]seen{bound, hears(failed(notFound), 2)}, 2, Cannot, "its registry has no image", true},
		"the same by status":       {[]seen{sees(pod("p", waits("image-0", "ErrImagePull", notFound)), 2)}, 2, Cannot, "its registry has no image r/x:1", true},
		"a back-off forgets why":   {[]seen{bound, hears(failed(notFound), 2), sees(pod("p", waits("image-0", "ImagePullBackOff", "Back-off pulling image")), 3)}, 3, Cannot, "has no image", true},
		"registry denies it":       {[]seen{bound, hears(failed("pull access denied"), 2)}, 2, Cannot, "denies", true},
		"registry is away":         {[]seen{bound, hears(failed(unavailable), 2)}, 60, Failing, "503", false},
		"tries again":              {[]seen{bound, hears(failed(unavailable), 2), hears(event("image-0", "Pulling", ""), 20)}, 25, Pulling, "", false},
		"away for too long":        {[]seen{bound, hears(failed(unavailable), 2), hears(failed(unavailable), 60)}, 95, Cannot, "503", false},
		"it came back":             {[]seen{bound, hears(failed(unavailable), 2), hears(event("image-0", "Pulled", ""), 60), hears(event("image-1", "Pulled", ""), 61)}, 200, Pulled, "", false},
		"its disk is full":         {[]seen{bound, hears(failed("write /var/lib/x: no space left on device"), 2)}, 3, LeftOut, "no space left", false},
		"no room for a pod":        {[]seen{sees(pod("p", unscheduled("0/3 nodes are available: 1 Too many pods, 2 node(s) didn't satisfy plugin(s) [NodeAffinity]. preemption: 0/3 nodes are available: 1 No preemption victims found for incoming pod.")), 1)}, 3, LeftOut, "it has no room: Too many pods", false},
		"room was made":            {[]seen{sees(pod("p", unscheduled("0/1 nodes are available: 1 Too many pods.")), 1), sees(pod("p"), 5)}, 6, Queued, "", false},
		"thrown out": {[]seen{bound, sees(pod("p", func(p *corev1.Pod) {
			p.Status.Phase, p.Status.Reason, p.Status.Message = corev1.PodFailed, "Evicted", "low on ephemeral-storage"
		}), 9)}, 10, LeftOut, "low on ephemeral-storage", false},
		"no network for pods":      {[]seen{bound, hears(event("", "FailedCreatePodSandBox", "cni: no address"), 2)}, 3, LeftOut, "cni: no address", false},
		"another pod in its place": {[]seen{bound, hears(event("image-0", "Pulled", ""), 1), sees(pod("q"), 5), hears(event("image-1", "Pulled", ""), 6)}, 7, Pulled, "", false},
		"cordoned":                 {[]seen{bound, func(t *track) { t.sawNode(t.node, kube.NodeProblem(node("a", cordoned), nil, start), after(3)) }}, 4, LeftOut, "cordoned", false},
		"uncordoned again":         {[]seen{func(t *track) { t.sawNode(t.node, kube.NodeProblem(node("a", cordoned), nil, start), after(3)) }, func(t *track) { t.sawNode(t.node, nil, after(4)) }}, 5, Queued, "", false},
		"deleted":                  {[]seen{bound, func(t *track) { t.sawNode(nil, nil, after(3)) }}, 4, LeftOut, "it was deleted", false},
		"other events":             {[]seen{bound, hears(event("image-0", "Failed", "Error: missing value for X"), 1), hears(event("image-0", "BackOff", "Back-off"), 1)}, 5, Queued, "", false},
	} {
		t.Run(name, func(t *testing.T) {
			tr := newTrack(node("a"))
			for _, s := range c.seen {
				s(tr)
			}
			n := tr.state(twoImages, after(c.at))
			if n.State != c.state || n.final != c.final || !strings.Contains(n.Why, c.says) || c.says == "" && n.Why != "" {
				t.Errorf("%+v", n)
			}
		})
	}
}

func TestTimesOfANode(t *testing.T) {
	tr := newTrack(node("a"))
	tr.sawPod(pod("p"), after(2))
	tr.sawEvent(event("image-0", "Pulling", ""), after(3))
	if n := tr.state(twoImages, after(83)); n.Seconds != 80 || n.Image != "notebook" {
		t.Errorf("%+v", n)
	}
	tr.sawEvent(event("image-0", "Pulled", ""), after(90))
	tr.sawEvent(event("image-1", "Pulled", ""), after(95))
	tr.sawEvent(event("image-1", "Pulled", ""), after(99)) // a kubelet says so again and again
	if n := tr.state(twoImages, after(200)); n.State != Pulled || n.Seconds != 93 {
		t.Errorf("%+v", n)
	}
}

func TestANodeMayComeBackForAWhile(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*corev1.Node)
		want   time.Duration
	}{
		"unreachable": {notReady, readyGrace},
		"cordoned":    {cordoned, 0},
		"leaving":     {taint("ToBeDeletedByClusterAutoscaler", corev1.TaintEffectNoSchedule), 0},
		"leaving and not ready": {func(n *corev1.Node) {
			notReady(n)
			taint("karpenter.sh/disrupted", corev1.TaintEffectNoSchedule)(n)
		}, 0},
		"disk pressure": {func(n *corev1.Node) {
			n.Status.Conditions = append(n.Status.Conditions, corev1.NodeCondition{Type: corev1.NodeDiskPressure, Status: corev1.ConditionTrue})
		}, fullGrace},
	} {
		tr := newTrack(node("a"))
		tr.sawNode(tr.node, kube.NodeProblem(node("a", c.change), nil, start), after(1))
		if n := tr.state(twoImages, after(2)); n.until != after(1).Add(c.want) {
			t.Errorf("%s: until %s", name, n.until)
		}
	}
}
