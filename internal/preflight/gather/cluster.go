package gather

import (
	"context"
	"fmt"
	"strings"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"gauntlet/internal/deploy"
	"gauntlet/internal/hub"
	"gauntlet/internal/kube"
)

// alive leaves out what has ended: it takes no room.
const alive = "status.phase!=Succeeded,status.phase!=Failed"

// cached lets the API server answer from memory: what is a moment old will do.
var cached = metav1.ListOptions{ResourceVersion: "0"}

// cluster reads nodes, pods, claims and who holds the lock.
func (g *gathering) cluster(ctx context.Context) {
	c, f, ns := g.t.Request.Client, g.f, g.t.Request.Namespace
	many, err := compact(c)
	if err != nil {
		g.missed("the cluster", err)
		return
	}
	g.ask(ctx, "the nodes", func(ctx context.Context) error {
		list, err := many.CoreV1().Nodes().List(ctx, cached)
		if err != nil {
			return err
		}
		f.Nodes, f.NodesKnown = list.Items, true
		return nil
	})
	g.ask(ctx, "the nodes' leases", func(ctx context.Context) error {
		list, err := many.CoordinationV1().Leases(corev1.NamespaceNodeLease).List(ctx, cached)
		if err != nil {
			return err
		}
		f.Leases = map[string]*coordinationv1.Lease{}
		for i := range list.Items {
			f.Leases[list.Items[i].Name] = &list.Items[i]
		}
		return nil
	})
	g.ask(ctx, "the pods of all namespaces", func(ctx context.Context) error {
		list, err := many.CoreV1().Pods("").List(ctx, metav1.ListOptions{FieldSelector: alive, ResourceVersion: "0"})
		if err != nil {
			return err
		}
		f.NodePods = map[string]int{}
		for i := range list.Items {
			f.NodePods[list.Items[i].Spec.NodeName]++
		}
		return nil
	})
	g.ask(ctx, "the claims", func(ctx context.Context) error {
		list, err := many.CoreV1().PersistentVolumeClaims(ns).List(ctx, cached)
		if err != nil {
			return err
		}
		f.Claims = list.Items
		return nil
	})
	g.ask(ctx, "how users come in", func(ctx context.Context) (err error) {
		f.Doors, err = deploy.Doors(ctx, c, ns)
		return err
	})
	g.ask(ctx, "the lock", func(ctx context.Context) error {
		l, err := c.CoordinationV1().Leases(ns).Get(ctx, kube.LockName, metav1.GetOptions{})
		if err == nil {
			f.Lock = holder(l, f.Now)
		}
		if apierrors.IsNotFound(err) {
			return nil
		}
		return err
	})
	g.wait.Go(func() { // whoever may not see it knows of no autoscaler
		ctx, cancel := context.WithTimeout(ctx, askTime)
		defer cancel()
		f.Autoscaled = autoscaled(ctx, c)
	})
}

// compact is a client that asks for protobuf, which is much less to read where there
// are many nodes and pods.
func compact(c *kube.Client) (kubernetes.Interface, error) {
	cfg := rest.CopyConfig(c.Config)
	cfg.AcceptContentTypes = "application/vnd.kubernetes.protobuf,application/json"
	return kubernetes.NewForConfig(cfg)
}

// autoscaled says whether something brings nodes: the cluster autoscaler, or
// Karpenter.
func autoscaled(ctx context.Context, c *kube.Client) bool {
	if _, err := c.CoreV1().ConfigMaps(metav1.NamespaceSystem).Get(ctx, "cluster-autoscaler-status", metav1.GetOptions{}); err == nil {
		return true
	}
	groups, err := c.Discovery().ServerGroups()
	if err != nil {
		return false
	}
	for _, g := range groups.Groups {
		if g.Name == "karpenter.sh" {
			return true
		}
	}
	return false
}

// skew is how far apart the holder's clock and the API server's may be.
const skew = time.Minute

// holder is who holds a lock by its last word, "" when it has been silent too long.
func holder(l *coordinationv1.Lease, now time.Time) string {
	if l.Spec.HolderIdentity == nil || *l.Spec.HolderIdentity == "" || l.Spec.RenewTime == nil || l.Spec.LeaseDurationSeconds == nil {
		return ""
	}
	if now.Sub(l.Spec.RenewTime.Time) > time.Duration(*l.Spec.LeaseDurationSeconds)*time.Second+skew {
		return ""
	}
	who, _, _ := strings.Cut(*l.Spec.HolderIdentity, " ")
	return kube.OneLine(who)
}

// hub asks the hub that runs for its version, its users and their servers. Pods come
// first: a server that starts in between is then in the hub's list, not missing in it.
func (g *gathering) hub(ctx context.Context) {
	c, f, ns := g.t.Request.Client, g.f, g.t.Request.Namespace
	g.ask(ctx, "the users' servers", func(ctx context.Context) error {
		list, err := c.CoreV1().Pods(ns).List(ctx, metav1.ListOptions{})
		if err != nil {
			return err
		}
		f.Pods = list.Items
		if g.t.URL == "" || !runsHub(list.Items) {
			return nil
		}
		token, err := hub.Token(ctx, c, ns, g.t.Token)
		if err != nil {
			return err
		}
		h := hub.New(g.t.URL, token)
		if f.LiveVersion, err = h.Version(ctx); err != nil {
			return err
		}
		users, err := h.Users(ctx)
		if err != nil {
			return fmt.Errorf("the hub at %s: %w", g.t.URL, err)
		}
		f.Servers = map[string]bool{}
		for _, u := range users {
			f.Users = append(f.Users, u.Name)
			for _, s := range u.Servers {
				f.Servers[u.Name+"/"+s.Name] = true
			}
		}
		f.UsersKnown = true
		return nil
	})
}

// runsHub says whether a hub runs among pods: another one that does not answer is no
// surprise.
func runsHub(pods []corev1.Pod) bool {
	for _, p := range pods {
		if p.Labels["component"] == "hub" || p.Labels["app.kubernetes.io/component"] == "hub" {
			return true
		}
	}
	return false
}
