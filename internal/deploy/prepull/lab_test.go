package prepull

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/retry"

	"gauntlet/internal/check"
	"gauntlet/internal/kube"
)

// These tests need a real cluster: GAUNTLET_TEST_CONTEXT names its kubeconfig
// context, and GAUNTLET_TEST_REGISTRY a registry that its nodes can pull from and
// that takes images.
const (
	contextEnv  = "GAUNTLET_TEST_CONTEXT"
	registryEnv = "GAUNTLET_TEST_REGISTRY"
	childEnv    = "GAUNTLET_TEST_PREPULL_CHILD"
	imageEnv    = "GAUNTLET_TEST_PREPULL_IMAGE"
)

// A lab is a namespace of its own on a real cluster.
type lab struct {
	c        *kube.Client
	ns       string
	registry string
}

func newLab(t *testing.T) lab {
	t.Helper()
	context, registry := os.Getenv(contextEnv), os.Getenv(registryEnv)
	if context == "" || registry == "" {
		t.Skipf("needs a cluster: set %s and %s", contextEnv, registryEnv)
	}
	c, err := kube.Connect(context)
	if err != nil {
		t.Fatal(err)
	}
	l := lab{c: c, ns: "h-prepull-" + strings.ToLower(strings.NewReplacer("_", "-", "/", "-").Replace(t.Name())), registry: registry}
	l.ns = strings.Trim(l.ns[:min(len(l.ns), 60)], "-")
	l.removeNamespace(t, t.Context())
	eventually(t, time.Minute, func() bool {
		_, err := c.CoreV1().Namespaces().Get(t.Context(), l.ns, metav1.GetOptions{})
		return apierrors.IsNotFound(err)
	})
	if err := c.EnsureNamespace(t.Context(), l.ns); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context2(20 * time.Second)
		defer cancel()
		l.removeNamespace(t, ctx)
	})
	return l
}

func context2(d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), d)
}

func (l lab) removeNamespace(t *testing.T, ctx context.Context) {
	if err := l.c.CoreV1().Namespaces().Delete(ctx, l.ns, metav1.DeleteOptions{}); err != nil && !apierrors.IsNotFound(err) {
		t.Error(err)
	}
}

func eventually(t *testing.T, limit time.Duration, ok func() bool) {
	t.Helper()
	end := time.After(limit)
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-end:
			t.Fatalf("not so after %s", limit)
		case <-tick.C:
		}
	}
}

// image pushes an image that no node has, of about so many bytes.
func (l lab) image(t *testing.T, size int64) Image {
	t.Helper()
	img, err := random.Image(size/2, 2)
	if err != nil {
		t.Fatal(err)
	}
	conf, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	conf = conf.DeepCopy()
	conf.OS, conf.Architecture = "linux", "amd64"
	if img, err = mutate.ConfigFile(img, conf); err != nil {
		t.Fatal(err)
	}
	digest, err := img.Digest()
	if err != nil {
		t.Fatal(err)
	}
	ref, err := name.NewDigest(l.registry + "/h-prepull/test@" + digest.String())
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(ref, img, remote.WithContext(t.Context())); err != nil {
		t.Fatal(err)
	}
	return Image{Ref: ref.String(), Size: size}
}

// fake makes a node that has no kubelet behind it, which nobody else's pods tolerate.
func (l lab) fake(t *testing.T, name string, change func(*corev1.Node)) string {
	t.Helper()
	ctx := t.Context()
	n := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"kubernetes.io/hostname": name}}}
	n.Spec.Taints = []corev1.Taint{{Key: "h-prepull", Value: l.ns, Effect: corev1.TaintEffectNoSchedule}}
	remove := func(ctx context.Context) {
		if err := l.c.CoreV1().Nodes().Delete(ctx, name, metav1.DeleteOptions{}); err != nil && !apierrors.IsNotFound(err) {
			t.Error(err)
		}
	}
	remove(ctx)
	t.Cleanup(func() {
		ctx, cancel := context2(20 * time.Second)
		defer cancel()
		remove(ctx)
	})
	if change != nil {
		change(n)
	}
	if _, err := l.c.CoreV1().Nodes().Create(ctx, n, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	status := func() error {
		made, err := l.c.CoreV1().Nodes().Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		setStatus(made, n.Status.Allocatable)
		_, err = l.c.CoreV1().Nodes().UpdateStatus(ctx, made, metav1.UpdateOptions{})
		return err
	}
	if err := retry.RetryOnConflict(retry.DefaultRetry, status); err != nil {
		t.Fatal(err)
	}
	return name
}

// setStatus is what a kubelet would say.
func setStatus(made *corev1.Node, allocatable corev1.ResourceList) {
	made.Status.Capacity = corev1.ResourceList{corev1.ResourcePods: resource.MustParse("10"), corev1.ResourceCPU: resource.MustParse("1"), corev1.ResourceMemory: resource.MustParse("1Gi")}
	made.Status.Allocatable = made.Status.Capacity
	if allocatable != nil {
		made.Status.Allocatable = allocatable
	}
	made.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue, Reason: "Fake", LastHeartbeatTime: metav1.Now(), LastTransitionTime: metav1.Now()}}
}

// pool is all real nodes, and the test's fake ones.
func (l lab) pool(images ...Image) Pool {
	return Pool{Name: "users", Images: images, Min: 1, Quorum: 100, From: "a test",
		Tolerations: []corev1.Toleration{{Key: "h-prepull", Operator: corev1.TolerationOpEqual, Value: l.ns}}}
}

func (l lab) request(t *testing.T, pools ...Pool) Request {
	return Request{Client: l.c, Namespace: l.ns, Pools: pools, Timeout: 2 * time.Minute, Observe: func(pool, line string) {
		if testing.Verbose() {
			fmt.Fprintf(os.Stderr, "    %s %s: %s\n", time.Now().Format("05.000"), pool, line)
		}
	}}
}

// bring looks and runs the suite.
func (l lab) bring(t *testing.T, ctx context.Context, r Request) (check.Result, *Session) {
	t.Helper()
	begun := time.Now()
	s, err := Look(ctx, r)
	if err != nil {
		t.Fatal(err)
	}
	looked := time.Since(begun)
	res := check.Run(ctx, s.Suite(), func(o check.Outcome) {
		t.Logf("%s %s: %s (%s)", o.State, o.Name, o.Message, o.Took.Round(time.Millisecond))
	})
	t.Logf("looked for %s, all in all %s", looked.Round(time.Millisecond), time.Since(begun).Round(time.Millisecond))
	return res, s
}

// clean says whether nothing of a pre-pull is in the namespace.
func (l lab) clean(t *testing.T) bool {
	t.Helper()
	ctx := t.Context()
	sets, err := l.c.AppsV1().DaemonSets(l.ns).List(ctx, metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	pods, err := l.c.CoreV1().Pods(l.ns).List(ctx, metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	leases, err := l.c.CoordinationV1().Leases(l.ns).List(ctx, metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return len(sets.Items)+len(pods.Items)+len(leases.Items) == 0
}

func states(r Report) map[string]string {
	out := map[string]string{}
	for _, n := range r.Nodes {
		out[n.Name] = n.State
	}
	return out
}

func (l lab) realNodes(t *testing.T) []string {
	t.Helper()
	list, err := l.c.CoreV1().Nodes().List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, n := range list.Items {
		if (Pool{}).takes(&n) {
			out = append(out, n.Name)
		}
	}
	return out
}

func TestLabImagesComeToAllNodesAndNothingIsLeft(t *testing.T) {
	l := newLab(t)
	one, two := l.image(t, 4<<20), l.image(t, 1<<20)
	r := l.request(t, l.pool(one, two))
	res, s := l.bring(t, t.Context(), r)
	if res.State != check.Passed {
		t.Fatalf("%+v", res)
	}
	for node, state := range states(s.Reports()[0]) {
		if state != Pulled {
			t.Errorf("%s: %s", node, state)
		}
	}
	eventually(t, 5*time.Second, func() bool { return l.clean(t) })
	// Once the nodes say what they have, nothing is made at all.
	eventually(t, 90*time.Second, func() bool {
		s, err := Look(t.Context(), r)
		return err == nil && s.Ready()
	})
	begun := time.Now()
	res, s = l.bring(t, t.Context(), r)
	if took := time.Since(begun); res.State != check.Passed || took > time.Second || len(res.Outcomes) != 1 {
		t.Errorf("after %s: %+v", took, res)
	}
	for node, state := range states(s.Reports()[0]) {
		if state != Had {
			t.Errorf("%s: %s", node, state)
		}
	}
}

func TestLabAnImageThatIsNowhereEndsItAtOnce(t *testing.T) {
	l := newLab(t)
	there := l.image(t, 1<<20)
	missing := Image{Ref: l.registry + "/h-prepull/test@sha256:" + strings.Repeat("0", 64)}
	begun := time.Now()
	res, s := l.bring(t, t.Context(), l.request(t, l.pool(there, missing)))
	took := time.Since(begun)
	cause := s.Reports()[0].Cause
	if res.State != check.Failed || took > 15*time.Second || !strings.Contains(cause, "has no image") || !strings.Contains(cause, missing.Ref) || !strings.HasPrefix(cause, "node ") {
		t.Errorf("after %s: %s", took, cause)
	}
	eventually(t, 5*time.Second, func() bool { return l.clean(t) })
}

func TestLabNodesThatTakeNothingAreNamedAndLeftOut(t *testing.T) {
	l := newLab(t)
	l.fake(t, "h-prepull-cordoned", func(n *corev1.Node) { n.Spec.Unschedulable = true })
	l.fake(t, "h-prepull-full", func(n *corev1.Node) {
		n.Status.Allocatable = corev1.ResourceList{corev1.ResourcePods: resource.MustParse("0"), corev1.ResourceCPU: resource.MustParse("1"), corev1.ResourceMemory: resource.MustParse("1Gi")}
	})
	l.fake(t, "h-prepull-leaving", func(n *corev1.Node) {
		n.Spec.Taints = append(n.Spec.Taints, corev1.Taint{Key: "ToBeDeletedByClusterAutoscaler", Value: "1", Effect: corev1.TaintEffectNoSchedule})
	})
	res, s := l.bring(t, t.Context(), l.request(t, l.pool(l.image(t, 1<<20))))
	if res.State != check.Warned {
		t.Fatalf("%+v", res)
	}
	got := states(s.Reports()[0])
	for _, n := range []string{"h-prepull-cordoned", "h-prepull-full", "h-prepull-leaving"} {
		if got[n] != LeftOut || !strings.Contains(res.Outcomes[0].Message, n) {
			t.Errorf("%s: %s; %s", n, got[n], res.Outcomes[0].Message)
		}
	}
	for _, n := range l.realNodes(t) {
		if got[n] != Pulled {
			t.Errorf("%s: %s", n, got[n])
		}
	}
	eventually(t, 5*time.Second, func() bool { return l.clean(t) })
}
