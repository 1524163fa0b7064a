package prepull

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"

	"gauntlet/internal/kube"
)

// A board holds what was seen of all nodes and pods. Its methods may be called from
// several goroutines.
type board struct {
	mu      sync.Mutex
	pools   []*poolBoard
	nodes   map[string]*corev1.Node
	leases  map[string]*coordinationv1.Lease
	skew    time.Duration // of the API server's clock against ours
	begun   bool          // nodes that appear from now on are late
	changed chan struct{} // holds a token when something has changed
}

// poolBoard is a pool with its nodes.
type poolBoard struct {
	Pool
	set        string // name of its DaemonSet
	containers []container
	tracks     map[string]*track          // by node
	pods       map[string]string          // to their nodes
	early      map[string][]*corev1.Event // of pods that were not seen yet
	refused    *failure                   // its pods may not be made
}

// A container is one of a pool's pods: it stands for its image.
type container struct {
	name  string
	image Image
}

func newBoard(pools []Pool) *board {
	b := &board{nodes: map[string]*corev1.Node{}, leases: map[string]*coordinationv1.Lease{}, changed: make(chan struct{}, 1)}
	for _, p := range pools {
		pb := &poolBoard{Pool: p, tracks: map[string]*track{}, pods: map[string]string{}, early: map[string][]*corev1.Event{}}
		for i, image := range p.Images {
			pb.containers = append(pb.containers, container{fmt.Sprintf("image-%d", i), image})
		}
		b.pools = append(b.pools, pb)
	}
	return b
}

// change changes the board and says so.
func (b *board) change(do func()) {
	b.mu.Lock()
	do()
	b.mu.Unlock()
	select {
	case b.changed <- struct{}{}:
	default:
	}
}

// wanted are the images of all pools, as runtimes write them.
func (b *board) wanted() map[string]bool {
	out := map[string]bool{}
	for _, p := range b.pools {
		for _, i := range p.Images {
			out[canonical(i.Ref)] = true
		}
	}
	return out
}

// lean is a node without what is not needed: of thousands, all are kept.
func lean(n *corev1.Node, wanted map[string]bool) *corev1.Node {
	out := &corev1.Node{}
	out.Name, out.UID, out.Labels, out.DeletionTimestamp = n.Name, n.UID, n.Labels, n.DeletionTimestamp
	out.Spec.Taints, out.Spec.Unschedulable = n.Spec.Taints, n.Spec.Unschedulable
	out.Status.Conditions = n.Status.Conditions
	for _, i := range n.Status.Images {
		if names := slices.DeleteFunc(slices.Clone(i.Names), func(s string) bool { return !wanted[s] }); len(names) > 0 {
			out.Status.Images = append(out.Status.Images, corev1.ContainerImage{Names: names})
		}
	}
	return out
}

// sawNode takes a node as it is now.
func (b *board) sawNode(n *corev1.Node, now time.Time) {
	b.nodes[n.Name] = n
	for _, p := range b.pools {
		t := p.tracks[n.Name]
		if !p.takes(n) {
			delete(p.tracks, n.Name) // its labels or taints have changed
			continue
		}
		if t == nil {
			t = newTrack(n)
			t.late = b.begun
			p.tracks[n.Name] = t
		}
		t.sawNode(n, b.trouble(n, now), now)
		t.had = t.had || len(p.missing(n)) == 0
	}
}

// trouble is what is wrong with a node by the API server's clock.
func (b *board) trouble(n *corev1.Node, now time.Time) *kube.NodeError {
	return kube.NodeProblem(n, b.leases[n.Name], now.Add(b.skew))
}

func (b *board) lostNode(name string, now time.Time) {
	delete(b.nodes, name)
	delete(b.leases, name)
	for _, p := range b.pools {
		if t := p.tracks[name]; t != nil {
			t.sawNode(nil, nil, now)
		}
	}
}

// sawLeases takes the nodes' leases, and looks at all nodes again.
func (b *board) sawLeases(list []coordinationv1.Lease, now time.Time) {
	for i := range list {
		b.leases[list[i].Name] = &list[i]
	}
	for _, n := range b.nodes {
		why := b.trouble(n, now)
		for _, p := range b.pools {
			if t := p.tracks[n.Name]; t != nil {
				t.sawNode(n, why, now)
			}
		}
	}
}

// sawPod takes a pod of this run.
func (b *board) sawPod(pod *corev1.Pod, now time.Time) {
	p := b.of(pod.Name)
	if p == nil {
		return
	}
	node := nodeOf(pod)
	t := p.tracks[node]
	if t == nil {
		return // the node is not known yet, or not one of the pool
	}
	p.refused = nil
	p.pods[pod.Name] = node
	t.sawPod(pod, now)
	for _, e := range p.early[pod.Name] {
		t.sawEvent(e, now)
	}
	delete(p.early, pod.Name)
}

// of is the pool whose pod, or DaemonSet, has that name.
func (b *board) of(name string) *poolBoard {
	for _, p := range b.pools {
		if p.set != "" && (name == p.set || strings.HasPrefix(name, p.set+"-")) {
			return p
		}
	}
	return nil
}

// nodeOf is the node that a pod runs on or, before it does, the one that its
// DaemonSet has made it for.
func nodeOf(pod *corev1.Pod) string {
	if pod.Spec.NodeName != "" {
		return pod.Spec.NodeName
	}
	a := pod.Spec.Affinity
	if a == nil || a.NodeAffinity == nil || a.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution == nil {
		return ""
	}
	for _, term := range a.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms {
		for _, f := range term.MatchFields {
			if f.Key == "metadata.name" && len(f.Values) == 1 {
				return f.Values[0]
			}
		}
	}
	return ""
}

// maxEarly bounds the events that are kept for a pod that was not seen yet.
const maxEarly = 20

// sawEvent takes an event of the namespace; it may be about anything.
func (b *board) sawEvent(e *corev1.Event, now time.Time) {
	p := b.of(e.InvolvedObject.Name)
	if p == nil {
		return
	}
	switch e.InvolvedObject.Kind {
	case "DaemonSet":
		if e.Reason == "FailedCreate" {
			p.refuse(e.Message, now)
		}
	case "Pod":
		name := e.InvolvedObject.Name
		if t := p.tracks[p.pods[name]]; t != nil {
			t.sawEvent(e, now)
		} else if len(p.early[name]) < maxEarly {
			p.early[name] = append(p.early[name], e)
		}
	}
}

// refuse says that the pool's pods may not be made.
func (p *poolBoard) refuse(message string, now time.Time) {
	f := &failure{message: kube.OneLine(message), since: now}
	if p.refused != nil {
		f.since = p.refused.since
	}
	// A quota may have room again in a moment; a rule goes on to say no.
	f.permanent = !strings.Contains(message, "exceeded quota") && (strings.Contains(message, "forbidden") || strings.Contains(message, "denied") || strings.Contains(message, "invalid"))
	p.refused = f
}

// reports are how far all pools are.
func (b *board) reports(now time.Time) []Report {
	b.mu.Lock()
	defer b.mu.Unlock()
	var out []Report
	for _, p := range b.pools {
		out = append(out, p.report(now))
	}
	return out
}

func (p *poolBoard) report(now time.Time) Report {
	all := make([]Node, 0, len(p.tracks))
	somewhere := map[string]bool{} // images that some node has
	for _, t := range p.tracks {
		for _, c := range p.containers {
			if t.had || t.pulled[c.name] {
				somewhere[c.image.Ref] = true
			}
		}
	}
	for _, t := range p.tracks {
		n := t.state(p.containers, now)
		n.nowhere = n.final && !somewhere[n.ref]
		all = append(all, n)
	}
	refused := ""
	if f := p.refused; f != nil && (f.permanent || now.Sub(f.since) >= refuseGrace) {
		refused = fmt.Sprintf("pool %s: its pods are refused: %s", p.Name, f.message)
	}
	return p.judge(all, refused, now)
}
