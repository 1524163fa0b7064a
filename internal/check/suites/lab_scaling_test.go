package suites

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	ggcr "github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"gauntlet/internal/check"
	"gauntlet/internal/dask"
	"gauntlet/internal/kube"
	"gauntlet/internal/release"
)

// template is where the example's notebook has the pod of a worker.
const template = "/pre-home/worker-template.yml"

// labOperator starts or stops the Dask operator of the lab's cluster.
func labOperator(t *testing.T, c *kube.Client, replicas int32) {
	t.Helper()
	const name = "dask-operator"
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), time.Minute)
	defer cancel()
	_, err := c.AppsV1().Deployments(name).Patch(ctx, name, "application/merge-patch+json",
		fmt.Appendf(nil, `{"spec":{"replicas":%d}}`, replicas), metav1.PatchOptions{})
	if err != nil {
		t.Error(err)
		return
	}
	for {
		d, err := c.AppsV1().Deployments(name).Get(ctx, name, metav1.GetOptions{})
		if err == nil && d.Status.ObservedGeneration >= d.Generation && d.Status.Replicas == replicas && d.Status.ReadyReplicas == replicas {
			pods, err := c.CoreV1().Pods(name).List(ctx, metav1.ListOptions{})
			if err == nil && len(pods.Items) == int(replicas) {
				return
			}
		}
		if kube.Sleep(ctx, 300*time.Millisecond) != nil {
			t.Errorf("the operator has not come to %d replicas", replicas)
			return
		}
	}
}

// labWorker is the worker that the lab's notebook was paired with: of the same name.
func labWorker(t *testing.T) release.Digest {
	t.Helper()
	name, _, _ := strings.Cut(os.Getenv(notebookEnv), "@")
	ref, err := ggcr.NewTag(strings.Replace(name, "/notebook:", "/worker:", 1))
	if err != nil {
		t.Fatal(err)
	}
	head, err := remote.Head(ref, remote.WithContext(t.Context()))
	if err != nil {
		t.Fatal(err)
	}
	return release.Digest(head.Digest.String())
}

// workerOf waits for a worker of a probe's cluster that runs.
func workerOf(t *testing.T, c *kube.Client) corev1.Pod {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for {
		pods, err := c.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{LabelSelector: "dask.org/component=worker"})
		if err == nil && len(pods.Items) > 0 && kube.IsReady(&pods.Items[0]) {
			return pods.Items[0]
		}
		if kube.Sleep(ctx, 100*time.Millisecond) != nil {
			t.Error("no worker came")
			return corev1.Pod{}
		}
	}
}

func TestLabScalingNamesWhatIsWrong(t *testing.T) {
	c := connect(t)
	const starts, up, images, down, adaptive, closed = "a Dask cluster starts", "workers come", "workers run the paired image",
		"workers go", "adaptive scaling brings workers", "nothing of a closed cluster stays"
	stop := func(t *testing.T) {
		labOperator(t, c, 0)
		t.Cleanup(func() { labOperator(t, c, 1) })
	}
	for _, tt := range []struct {
		name   string
		values release.Values
		change func(*HubTarget)
		after  string // a check, after which
		breaks func(*testing.T)
		fails  string // a check, "" when all pass
		says   string // in its message, or in that of the check after which something happened
		passes string // a check that passes and says so
		long   bool
	}{
		{name: "the good image", long: true}, // which the demonstration has tried
		{name: "an image that does not exist",
			values: startsWith("sed 's/@sha256:.*/@sha256:" + strings.Repeat("0", 64) + "/' " + template + " > /tmp/template.yml"),
			change: func(t *HubTarget) { t.Template = "/tmp/template.yml" }, fails: starts, says: "ImageNotFound"},
		{name: "workers of another image", long: true, change: func(t *HubTarget) { t.Workers = []release.Digest{t.Notebook} }, fails: images, says: "runs none of the images"},
		{name: "workers survive", long: true, after: images, breaks: stop, fails: down, says: "workers survive"},
		{name: "adaptive scaling never scales", long: true, after: down, breaks: stop, fails: adaptive, says: "the Dask operator does not ask for them"},
		{name: "a Service is left", after: up, fails: closed, says: "Service/stray", breaks: func(t *testing.T) {
			name := workerOf(t, c).Labels["dask.org/cluster-name"]
			_, err := c.CoreV1().Services(namespace).Create(t.Context(), &corev1.Service{
				ObjectMeta: metav1.ObjectMeta{Name: "stray", Labels: map[string]string{"dask.org/cluster-name": name}},
				Spec:       corev1.ServiceSpec{Ports: []corev1.ServicePort{{Port: 80}}},
			}, metav1.CreateOptions{})
			if err != nil {
				t.Error(err)
			}
		}},
		{name: "a worker is preempted", after: down, passes: adaptive, says: "preempted and replaced", breaks: func(t *testing.T) {
			done := make(chan struct{})
			t.Cleanup(func() { <-done })
			go func() {
				defer close(done)
				pod := workerOf(t, c)
				err := c.PolicyV1().Evictions(namespace).Evict(t.Context(), &policyv1.Eviction{ObjectMeta: metav1.ObjectMeta{Name: pod.Name, Namespace: namespace}})
				if err != nil {
					t.Errorf("evict %s: %v", pod.Name, err)
				}
			}()
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			takesLong(t, tt.long)
			url := labHub(t, c, tt.values)
			to := target(c, url)
			to.Template, to.Workers = template, []release.Digest{labWorker(t)}
			if tt.change != nil {
				tt.change(&to)
			}
			got := map[string]check.Outcome{}
			r := check.Run(t.Context(), Scaling(to), func(o check.Outcome) {
				t.Logf("%-50s %s %5.1fs %s", o.Name, o.State, o.Took.Seconds(), o.Message)
				got[o.Name] = o
				if o.Name == tt.after {
					tt.breaks(t)
				}
			})
			t.Logf("took %s", r.Finished.Sub(r.Started))
			if tt.fails == "" {
				if r.State != check.Passed {
					t.Errorf("the suite has %s", r.State)
				}
			} else if o := got[tt.fails]; o.State != check.Failed || !strings.Contains(o.Message, tt.says) {
				t.Errorf("%s: %s: %q does not say %q", tt.fails, o.State, o.Message, tt.says)
			}
			if o := got[tt.passes]; tt.passes != "" && !strings.Contains(o.Message, tt.says) {
				t.Errorf("%s: %q does not say %q", tt.passes, o.Message, tt.says)
			}
			if o := got["nothing is left"]; o.State != check.Passed {
				t.Errorf("%s: %s", o.Name, o.Message)
			}
			if left, err := dask.Named(t.Context(), c, namespace, ""); err != nil || len(left) > 0 {
				t.Errorf("Dask clusters %v are left (%v)", left, err)
			}
			nothingLeft(t, c, url)
		})
	}
}
