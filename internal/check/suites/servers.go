package suites

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"gauntlet/internal/hub"
	"gauntlet/internal/kube"
	"gauntlet/internal/release"
)

// serverKey is the annotation that KubeSpawner sets beside userKey: the name of the
// server, "" for the default one.
const serverKey = "hub.jupyter.org/servername"

// A UserServer is a server of a user that runs.
type UserServer struct {
	User string `json:"user"`
	Name string `json:"name,omitempty"` // of the server; "" for the default one
	Pod  string `json:"pod"`
	Node string `json:"node,omitempty"`

	uid    string
	path   string           // on the hub's address
	images []release.Digest // that its containers run
}

func (s UserServer) String() string {
	if s.Name == "" {
		return kube.OneLine(s.User)
	}
	return kube.OneLine(s.User + "/" + s.Name)
}

// key names a server.
type key struct{ user, server string }

// servers are the servers that the hub says are ready, by name: their paths.
func (p *probe) servers(ctx context.Context) (map[key]string, error) {
	users, err := p.hub.Running(ctx)
	if err != nil {
		return nil, err
	}
	out := map[key]string{}
	for _, u := range users {
		for name, s := range u.Servers {
			if s.Ready {
				out[key{u.Name, name}] = s.URL
			}
		}
	}
	return out, nil
}

// userPods are the pods of users that run, by uid.
func (p *probe) userPods(ctx context.Context) (map[string]corev1.Pod, error) {
	list, err := p.t.Client.CoreV1().Pods(p.t.Namespace).List(ctx, metav1.ListOptions{LabelSelector: userKey})
	if err != nil {
		return nil, fmt.Errorf("list the pods of users: %w", err)
	}
	out := map[string]corev1.Pod{}
	for _, pod := range list.Items {
		if pod.Status.Phase == corev1.PodRunning && pod.DeletionTimestamp == nil {
			out[string(pod.UID)] = pod
		}
	}
	return out, nil
}

// running are the servers of people that the hub and the cluster agree on.
func (p *probe) running(ctx context.Context) ([]UserServer, error) {
	ready, err := p.servers(ctx)
	if err != nil {
		return nil, err
	}
	pods, err := p.userPods(ctx)
	if err != nil {
		return nil, err
	}
	var out []UserServer
	for uid, pod := range pods {
		k := keyOf(pod)
		path, ok := ready[k]
		if !ok || strings.HasPrefix(k.user, hub.ProbePrefix) {
			continue
		}
		s := UserServer{User: k.user, Name: k.server, Pod: pod.Name, Node: pod.Spec.NodeName, uid: uid, path: path}
		for _, c := range pod.Status.ContainerStatuses {
			if d := digestIn(c.ImageID); d != "" {
				s.images = append(s.images, d)
			}
			if d := digestIn(askedFor(&pod, c.Name)); d != "" {
				s.images = append(s.images, d)
			}
		}
		out = append(out, s)
	}
	slices.SortFunc(out, func(a, b UserServer) int {
		return cmp.Or(cmp.Compare(a.User, b.User), cmp.Compare(a.Name, b.Name))
	})
	return out, nil
}

func keyOf(pod corev1.Pod) key { return key{pod.Annotations[userKey], pod.Annotations[serverKey]} }

// A fate is what became of servers that ran before.
type fate struct {
	kept     []UserServer
	orphaned []UserServer // their pods run, and the hub does not know them
	ended    []UserServer // their pods are gone
}

// fateOf compares the servers from before with the pods that run now, by uid, and the
// servers that the hub says are ready.
func fateOf(before []UserServer, pods map[string]corev1.Pod, ready map[key]string) fate {
	var f fate
	for _, s := range before {
		_, runs := pods[s.uid]
		_, known := ready[key{s.User, s.Name}]
		switch {
		case runs && known:
			f.kept = append(f.kept, s)
		case runs:
			f.orphaned = append(f.orphaned, s)
		default:
			f.ended = append(f.ended, s)
		}
	}
	return f
}

// named are servers for people: a few by name, and how many more.
func named(servers []UserServer) string {
	const most = 5
	var names []string
	for _, s := range servers[:min(most, len(servers))] {
		names = append(names, s.String())
	}
	out := strings.Join(names, ", ")
	if more := len(servers) - most; more > 0 {
		out += fmt.Sprintf(" and %d more", more)
	}
	return out
}
