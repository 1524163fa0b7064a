package suites

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"

	"gauntlet/internal/check"
	"gauntlet/internal/kube"
	"gauntlet/lab"
)

// pool is the label of the nodes that the stand-in brings.
const pool = "gauntlet-test/pool"

// standIn is a small stand-in of the cluster autoscaler. It brings real nodes of the lab,
// one for all pods that ask for its pool and find no node, and takes them away once no
// pod but those of DaemonSets is on them.
type standIn struct {
	t       *testing.T
	c       *kube.Client
	nodes   []string
	stopped chan struct{}
}

// newStandIn starts the stand-in; it ends with the test, and its nodes with it.
func newStandIn(t *testing.T, c *kube.Client) {
	s := &standIn{t: t, c: c, stopped: make(chan struct{})}
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		defer close(s.stopped)
		for kube.Sleep(ctx, time.Second) == nil {
			s.scale(ctx)
		}
	}()
	t.Cleanup(func() {
		cancel()
		<-s.stopped
		for _, n := range s.nodes {
			s.remove(context.Background(), n)
		}
	})
}

func (s *standIn) scale(ctx context.Context) {
	pods, err := s.c.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return
	}
	for _, p := range pods.Items {
		if p.Spec.NodeName == "" && p.Spec.NodeSelector[pool] != "" && len(s.nodes) == 0 {
			name := fmt.Sprintf("standin-%d", time.Now().Unix()%100000)
			if err := lab.AddNode(ctx, s.t.Output(), s.c.Context, lab.Spare{Name: name, Labels: map[string]string{pool: "standin"}}); err != nil {
				s.t.Errorf("the stand-in of the autoscaler: %v", err)
				return
			}
			s.nodes = append(s.nodes, name)
			return
		}
	}
	for i, n := range s.nodes {
		on, err := s.c.CoreV1().Pods(metav1.NamespaceAll).List(ctx, metav1.ListOptions{FieldSelector: fields.OneTermEqualSelector("spec.nodeName", n).String()})
		if err != nil {
			return
		}
		used := false
		for _, p := range on.Items {
			owner := metav1.GetControllerOf(&p)
			used = used || owner == nil || owner.Kind != "DaemonSet"
		}
		if !used {
			s.remove(context.WithoutCancel(ctx), n)
			s.nodes = append(s.nodes[:i], s.nodes[i+1:]...)
			return
		}
	}
}

func (s *standIn) remove(ctx context.Context, name string) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	if err := lab.RemoveNode(ctx, s.t.Output(), s.c.Context, name); err != nil {
		s.t.Errorf("the stand-in of the autoscaler: %v", err)
	}
}

// inPool is a script that makes a template whose workers ask for the stand-in's pool.
const inPool = `{ cat ` + template + `; echo '  nodeSelector: {` + pool + `: standin}'; echo '  tolerations: [{key: ` + lab.SpareKey + `, operator: Exists}]'; } > /tmp/pool.yml`

func TestLabNodesThatCameForWorkersAreFollowedUntilTheyAreGone(t *testing.T) {
	c := connect(t)
	url := labHub(t, c, startsWith(inPool))
	newStandIn(t, c)
	to := target(c, url)
	to.Template = "/tmp/pool.yml"
	// What people leave on a node: a pod that nothing would make again.
	leave := func() {
		nodes, err := c.CoreV1().Nodes().List(t.Context(), metav1.ListOptions{LabelSelector: pool})
		if err != nil || len(nodes.Items) != 1 {
			t.Fatalf("%d nodes of the pool, %v", len(nodes.Items), err)
		}
		_, err = c.CreatePod(t.Context(), &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Name: "stray", Namespace: namespace},
			Spec: corev1.PodSpec{
				NodeName: nodes.Items[0].Name, Tolerations: []corev1.Toleration{{Operator: corev1.TolerationOpExists}},
				Containers: []corev1.Container{{Name: "c", Image: "127.0.0.1:1/none"}},
			},
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	r := check.Run(t.Context(), Scaling(to), func(o check.Outcome) {
		t.Logf("%-50s %s %5.1fs %s", o.Name, o.State, o.Took.Seconds(), o.Message)
		if o.Name == "workers come" {
			leave()
		}
	})
	if r.State == check.Failed || len(r.Brought) != 1 || !strings.HasPrefix(r.Brought[0].Name, "standin-") {
		t.Fatalf("%s, brought %v", r.State, r.Brought)
	}
	look := func(since time.Time) check.Outcome {
		o := check.Run(t.Context(), Nodes(HubTarget{Client: c, Watch: NodeWatch{
			Ran: true, Nodes: r.Brought, Since: since, Warn: 45 * time.Minute, Fail: 2 * time.Hour}}), nil).Outcomes[0]
		t.Log(o.State, o.Message)
		return o
	}
	says := "pod " + namespace + "/stray has no controller"
	if o := look(r.Finished); o.State != check.PendingState || !strings.Contains(o.Message, says) {
		t.Errorf("%s %q does not say %q", o.State, o.Message, says)
	}
	if o := look(r.Finished.Add(-3 * time.Hour)); o.State != check.Failed || !strings.Contains(o.Message, says) {
		t.Errorf("%s %q does not say %q", o.State, o.Message, says)
	}
	if err := c.DeletePod(t.Context(), namespace, "stray"); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	for look(r.Finished).State == check.PendingState {
		if kube.Sleep(ctx, 2*time.Second) != nil {
			t.Fatal("the node is not gone")
		}
	}
	if o := look(r.Finished); o.State != check.Passed {
		t.Errorf("%s %s", o.State, o.Message)
	}
}
