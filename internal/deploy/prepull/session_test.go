package prepull

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"

	"gauntlet/internal/check"
	"gauntlet/internal/kube"
)

// The fake cluster knows no streamed lists.
func init() { _ = os.Setenv("KUBE_FEATURE_WatchListClient", "false") }

// A world is a fake cluster whose DaemonSets make pods as a controller would, and
// whose kubelets do what the test says.
type world struct {
	*fake.Clientset
	kubelet func(w *world, p *corev1.Pod) // told of every new pod
	mu      sync.Mutex
	events  int
}

func newWorld(kubelet func(*world, *corev1.Pod), objects ...runtime.Object) *world {
	w := &world{Clientset: fake.NewClientset(objects...), kubelet: kubelet}
	w.PrependReactor("create", "daemonsets", func(a clienttesting.Action) (bool, runtime.Object, error) {
		set := a.(clienttesting.CreateAction).GetObject().(*appsv1.DaemonSet)
		go w.makePods(set)
		return false, nil, nil
	})
	return w
}

func (w *world) makePods(set *appsv1.DaemonSet) {
	ctx := context.Background()
	all, err := w.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
	if err != nil {
		return
	}
	for _, n := range all.Items {
		p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: set.Name + "-" + n.Name, Namespace: set.Namespace, Labels: set.Spec.Template.Labels}, Spec: set.Spec.Template.Spec}
		p.Spec.NodeName = n.Name
		p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodScheduled, Status: corev1.ConditionTrue}}
		if made, err := w.CoreV1().Pods(set.Namespace).Create(ctx, p, metav1.CreateOptions{}); err == nil && w.kubelet != nil {
			w.kubelet(w, made)
		}
	}
}

// says makes an event of a pod's container.
func (w *world) says(p *corev1.Pod, container, reason, message string) {
	w.mu.Lock()
	w.events++
	name := fmt.Sprintf("e%d", w.events)
	w.mu.Unlock()
	e := event(container, reason, message)
	e.Name, e.Namespace, e.InvolvedObject.Name = name, p.Namespace, p.Name
	_, _ = w.CoreV1().Events(p.Namespace).Create(context.Background(), e, metav1.CreateOptions{})
}

// pulls is a kubelet that gets everything.
func pulls(w *world, p *corev1.Pod) {
	for _, c := range p.Spec.Containers {
		w.says(p, c.Name, "Pulling", "Pulling image")
		w.says(p, c.Name, "Pulled", "Successfully pulled image")
	}
}

func request(w *world, pools ...Pool) Request {
	return Request{Client: &kube.Client{Interface: w, Context: "here"}, Namespace: "hub", Pools: pools, Timeout: 20 * time.Second}
}

func usersPool() Pool {
	return Pool{Name: "users", Min: 1, Quorum: 100, From: "a test", Images: []Image{{Ref: digestRef("notebook")}, {Ref: digestRef("worker")}}}
}

// bring runs a pre-pull to its end, which comes at once or never.
func bring(t *testing.T, r Request) (check.Result, *Session) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 40*time.Second)
	defer cancel()
	s, err := Look(ctx, r)
	if err != nil {
		t.Fatal(err)
	}
	return check.Run(ctx, s.Suite(), nil), s
}

// left counts what a pre-pull has left.
func (w *world) left(t *testing.T) int {
	t.Helper()
	sets, err := w.AppsV1().DaemonSets("hub").List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	leases, err := w.CoordinationV1().Leases("hub").List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	secrets, err := w.CoreV1().Secrets("hub").List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return len(sets.Items) + len(leases.Items) + len(secrets.Items)
}

func TestImagesAreBroughtAndNothingIsLeft(t *testing.T) {
	w := newWorld(pulls, node("a"), node("b"), node("c", cordoned))
	res, s := bring(t, request(w, usersPool()))
	r := s.Reports()[0]
	if res.State != check.Warned || !r.Met || r.Have != 2 || r.Want != 2 || !strings.Contains(res.Outcomes[0].Message, "node c is left out: cordoned") {
		t.Errorf("%+v\n%+v", res, r)
	}
	if n := w.left(t); n != 0 {
		t.Errorf("%d things are left", n)
	}
}

func TestWhatIsThereIsNotPulledAgain(t *testing.T) {
	p := usersPool()
	w := newWorld(nil, node("a", has(p.Images[0].Ref), has(p.Images[1].Ref)))
	res, s := bring(t, request(w, p))
	if res.State != check.Passed || !s.Ready() || len(res.Outcomes) != 1 {
		t.Errorf("%+v", res)
	}
	for _, a := range w.Actions() {
		if a.GetVerb() != "list" {
			t.Errorf("%s %s", a.GetVerb(), a.GetResource().Resource)
		}
	}
}

func TestAPullerHasNoRightsAndRunsNothing(t *testing.T) {
	var set *appsv1.DaemonSet
	w := newWorld(pulls, node("a"))
	w.PrependReactor("create", "daemonsets", func(a clienttesting.Action) (bool, runtime.Object, error) {
		set = a.(clienttesting.CreateAction).GetObject().(*appsv1.DaemonSet).DeepCopy()
		return false, nil, nil
	})
	p := usersPool()
	p.NodeSelector = map[string]string{"purpose": "user"}
	r := request(w, p)
	r.PullSecrets = []string{"registry"}
	if res, _ := bring(t, r); res.State != check.Passed {
		t.Fatalf("%+v", res)
	}
	spec := set.Spec.Template.Spec
	if *spec.AutomountServiceAccountToken || *spec.TerminationGracePeriodSeconds != 0 || spec.ImagePullSecrets[0].Name != "registry" || spec.NodeSelector["purpose"] != "user" || len(spec.Containers) != 2 {
		t.Errorf("%+v", spec)
	}
	for _, c := range spec.Containers {
		sc := c.SecurityContext
		if *sc.AllowPrivilegeEscalation || !*sc.RunAsNonRoot || len(sc.Capabilities.Drop) == 0 || c.ImagePullPolicy != corev1.PullIfNotPresent || !strings.Contains(c.VolumeMounts[0].SubPathExpr, neverSet) {
			t.Errorf("%+v", c)
		}
	}
	if set.Labels[kube.ManagedByLabel] != kube.ManagedBy || set.Labels[kube.RunLabel] == "" || set.Labels[PoolLabel] != "users" {
		t.Errorf("labels %v", set.Labels)
	}
}

func TestPullSecretsThatTheReleaseBringsAreThereBeforeIt(t *testing.T) {
	var pulledWith []corev1.Secret
	w := newWorld(func(w *world, p *corev1.Pod) {
		pulledWith = nil
		for _, s := range p.Spec.ImagePullSecrets {
			if got, err := w.CoreV1().Secrets("hub").Get(context.Background(), s.Name, metav1.GetOptions{}); err == nil {
				pulledWith = append(pulledWith, *got)
			}
		}
		pulls(w, p)
	}, node("a"))
	r := request(w, usersPool())
	r.PullSecrets = []string{"of-the-namespace", "image-pull-secret"}
	r.Brought = func(context.Context) (map[string]corev1.Secret, error) {
		return map[string]corev1.Secret{
			"image-pull-secret": {Type: corev1.SecretTypeDockerConfigJson, Data: map[string][]byte{corev1.DockerConfigJsonKey: []byte("{}")}},
			"hub":               {Data: map[string][]byte{"token": []byte("t")}},
		}, nil
	}
	if res, _ := bring(t, r); res.State != check.Passed {
		t.Fatalf("%+v", res)
	}
	if len(pulledWith) != 1 || pulledWith[0].Type != corev1.SecretTypeDockerConfigJson || string(pulledWith[0].Data[corev1.DockerConfigJsonKey]) != "{}" || pulledWith[0].Name == "image-pull-secret" {
		t.Errorf("pulled with %+v", pulledWith)
	}
	if n := w.left(t); n != 0 {
		t.Errorf("%d things are left", n)
	}
	r.Brought = func(context.Context) (map[string]corev1.Secret, error) { return nil, errors.New("it does not render") }
	if res, _ := bring(t, r); res.State != check.Failed || !strings.Contains(res.Outcomes[0].Message, "pull secrets that the release brings: it does not render") {
		t.Errorf("%+v", res)
	}
}

func TestAnImageThatIsNowhereEndsAllPoolsAtOnce(t *testing.T) {
	other := usersPool()
	other.Name, other.Images = "other", []Image{{Ref: digestRef("big")}}
	w := newWorld(func(w *world, p *corev1.Pod) {
		if p.Labels[PoolLabel] == "users" {
			w.says(p, "image-0", "Failed", "Failed to pull image "+`"`+digestRef("notebook")+`": `+notFound)
		}
	}, node("a"), node("b"))
	res, s := bring(t, request(w, usersPool(), other))
	if res.State != check.Failed {
		t.Fatalf("%+v", res)
	}
	got := map[string]string{}
	for i, r := range s.Reports() {
		got[r.Pool] = res.Outcomes[i].Message
	}
	if !strings.Contains(got["users"], "cannot get notebook: its registry has no image "+digestRef("notebook")) || !strings.Contains(got["other"], "another pool has failed") {
		t.Errorf("%v", got)
	}
	if n := w.left(t); n != 0 {
		t.Errorf("%d things are left", n)
	}
}

func TestAPoolWithoutNodesMakesNothing(t *testing.T) {
	p := usersPool()
	p.NodeSelector = map[string]string{"purpose": "none"}
	w := newWorld(nil, node("a"))
	if res, _ := bring(t, request(w, p)); res.State != check.Failed || !strings.Contains(res.Outcomes[0].Message, "min: 0") {
		t.Errorf("%+v", res)
	}
	p.Min = 0
	r := request(w, p)
	r.StartTimeout = time.Minute
	ctx := t.Context()
	s, err := Look(ctx, r)
	if err != nil {
		t.Fatal(err)
	}
	s.Sizes(ctx, func(_ context.Context, ref string) (int64, error) {
		if ref == "" {
			return 0, errors.New("no image")
		}
		return 3 << 30, nil
	})
	if res := check.Run(ctx, s.Suite(), nil); res.State != check.Warned || !strings.Contains(res.Outcomes[0].Message, "0 nodes, the first spawn pulls 6.0 GiB, about 5m, and a server may take only 1m") {
		t.Errorf("%+v", res)
	}
	for _, a := range w.Actions() {
		if a.GetVerb() == "create" && a.GetResource().Resource != "leases" {
			t.Errorf("made %s", a.GetResource().Resource)
		}
	}
}

// A node that troubles come over while it pulls is left out, and does not hold the
// others up.
func TestANodeLostDuringThePullIsLeftOut(t *testing.T) {
	w := newWorld(nil, node("a"), node("b"))
	w.kubelet = func(w *world, p *corev1.Pod) {
		if p.Spec.NodeName == "a" {
			pulls(w, p)
			return
		}
		_ = w.CoreV1().Nodes().Delete(context.Background(), "b", metav1.DeleteOptions{})
	}
	res, s := bring(t, request(w, usersPool()))
	if r := s.Reports()[0]; res.State != check.Warned || r.Want != 1 || !strings.Contains(res.Outcomes[0].Message, "node b is left out: it was deleted") {
		t.Errorf("%+v", res)
	}
}

func TestPodsThatMayNotBeMadeEndItWithTheReason(t *testing.T) {
	w := newWorld(nil)
	if _, err := w.CoreV1().Nodes().Create(t.Context(), node("a"), metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	w.PrependReactor("create", "pods", func(clienttesting.Action) (bool, runtime.Object, error) {
		return true, nil, errors.New("refused")
	})
	w.PrependReactor("create", "daemonsets", func(a clienttesting.Action) (bool, runtime.Object, error) {
		set := a.(clienttesting.CreateAction).GetObject().(*appsv1.DaemonSet)
		e := &corev1.Event{ObjectMeta: metav1.ObjectMeta{Name: "refused", Namespace: "hub"}, Reason: "FailedCreate",
			Message:        `pods is forbidden: violates PodSecurity "restricted:latest"`,
			InvolvedObject: corev1.ObjectReference{Kind: "DaemonSet", Name: set.Name}}
		go func() { _, _ = w.CoreV1().Events("hub").Create(context.Background(), e, metav1.CreateOptions{}) }()
		return false, nil, nil
	})
	res, _ := bring(t, request(w, usersPool()))
	if res.State != check.Failed || !strings.Contains(res.Outcomes[0].Message, "pool users: its pods are refused: pods is forbidden: violates PodSecurity") {
		t.Errorf("%+v", res)
	}
}

func TestTheTimeIsUp(t *testing.T) {
	w := newWorld(func(w *world, p *corev1.Pod) { w.says(p, "image-0", "Pulling", "Pulling image") }, node("a"))
	r := request(w, usersPool())
	r.Timeout = 500 * time.Millisecond
	res, _ := bring(t, r)
	if res.State != check.Failed || !strings.Contains(res.Outcomes[0].Message, "not there after 500ms (prePull.timeout): 0 of 1 node, a pulling notebook") {
		t.Errorf("%+v", res)
	}
	if n := w.left(t); n != 0 {
		t.Errorf("%d things are left", n)
	}
}

func TestStoppingLeavesNothing(t *testing.T) {
	w := newWorld(nil, node("a"))
	ctx, cancel := context.WithCancelCause(t.Context())
	w.kubelet = func(*world, *corev1.Pod) { cancel(errors.New("somebody pressed Ctrl-C")) }
	s, err := Look(ctx, request(w, usersPool()))
	if err != nil {
		t.Fatal(err)
	}
	res := check.Run(ctx, s.Suite(), nil)
	if res.State != check.Failed || !strings.Contains(res.Outcomes[0].Message, "Ctrl-C") {
		t.Errorf("%+v", res)
	}
	if n := w.left(t); n != 0 {
		t.Errorf("%d things are left", n)
	}
}

// leftover is what a run has made, with or without a sign of life.
func leftover(run string, alive bool) []runtime.Object {
	labels := map[string]string{kube.ManagedByLabel: kube.ManagedBy, kube.RunLabel: run, PoolLabel: "users"}
	out := []runtime.Object{&appsv1.DaemonSet{ObjectMeta: metav1.ObjectMeta{Name: "gauntlet-prepull-" + run, Namespace: "hub", Labels: labels}}}
	if alive {
		out = append(out, &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Name: "gauntlet-run-" + run, Namespace: "hub", Labels: labels},
			Spec: coordinationv1.LeaseSpec{RenewTime: &metav1.MicroTime{Time: time.Now()}}})
	}
	return out
}

func TestTheNextRunRemovesWhatAKilledOneLeftAndLeavesTheLiving(t *testing.T) {
	objects := append(leftover("killed", false), node("a"))
	objects = append(objects, leftover("alive", true)...)
	for _, run := range []string{"alive", "killed-before-it-pulled"} {
		objects = append(objects, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: run, Namespace: "hub",
			Labels: map[string]string{kube.ManagedByLabel: kube.ManagedBy, kube.RunLabel: run, PoolLabel: ""}}})
	}
	w := newWorld(nil, objects...)
	beating, stop := context.WithCancel(t.Context())
	defer stop()
	go func() { // the living run
		leases := w.CoordinationV1().Leases("hub")
		for kube.Sleep(beating, 20*time.Millisecond) == nil {
			if l, err := leases.Get(beating, "gauntlet-run-alive", metav1.GetOptions{}); err == nil {
				l.Spec.RenewTime = &metav1.MicroTime{Time: time.Now()}
				_, _ = leases.Update(beating, l, metav1.UpdateOptions{})
			}
		}
	}()
	w.kubelet = pulls
	res, _ := bring(t, request(w, usersPool()))
	if res.State != check.Passed {
		t.Fatalf("%+v", res)
	}
	sets, err := w.AppsV1().DaemonSets("hub").List(t.Context(), metav1.ListOptions{})
	if err != nil || len(sets.Items) != 1 || sets.Items[0].Name != "gauntlet-prepull-alive" {
		t.Errorf("%v %v", sets.Items, err)
	}
	secrets, err := w.CoreV1().Secrets("hub").List(t.Context(), metav1.ListOptions{})
	if err != nil || len(secrets.Items) != 1 || secrets.Items[0].Name != "alive" {
		t.Errorf("%v %v", secrets.Items, err)
	}
}
