// Package prepull brings a release's images to the nodes where users and their Dask
// workers will run, before the release is deployed: a step of its own in place of
// the hooks of charts, which wait in silence and for ever. It says of every node
// how far it is, leaves out those that cannot take images, and names them.
package prepull

import (
	"fmt"
	"maps"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/component-helpers/scheduling/corev1/nodeaffinity"
	"k8s.io/klog/v2"

	"gauntlet/internal/kube"
)

// A Pool is a group of nodes that the same images are brought to.
type Pool struct {
	Name         string
	NodeSelector map[string]string
	Terms        []corev1.NodeSelectorTerm // a node must match one of them, when there are any
	Tolerations  []corev1.Toleration
	Images       []Image
	Min          int    // nodes it must have; 0: it may be scaled to nothing
	Quorum       int    // percent of the nodes that can be had which must have the images
	From         string // where it is described, for messages: "hubs.compute.pools" or "the values of hub compute"
}

// An Image is one image by a whole reference.
type Image struct {
	Ref  string
	Size int64 // compressed, in bytes; 0: not known
}

// Name is the image for people: the last part of its name.
func (i Image) Name() string {
	name, _, _ := strings.Cut(i.Ref, "@")
	name = name[strings.LastIndexByte(name, '/')+1:]
	return name
}

// takes says whether the pool's pods are meant for a node, whatever troubles it now.
func (p Pool) takes(n *corev1.Node) bool {
	pod := &corev1.Pod{Spec: corev1.PodSpec{NodeSelector: p.NodeSelector, Affinity: p.affinity()}}
	if ok, err := nodeaffinity.GetRequiredNodeAffinity(pod).Match(n); err != nil || !ok {
		return false
	}
	for i := range n.Spec.Taints {
		if t := &n.Spec.Taints[i]; !kube.TroubleTaint(t.Key) && !p.tolerates(t) {
			return false
		}
	}
	return true
}

// affinity is what the pool's terms are in a pod, nil for none.
func (p Pool) affinity() *corev1.Affinity {
	if len(p.Terms) == 0 {
		return nil
	}
	return &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{
		RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{NodeSelectorTerms: p.Terms}}}
}

func (p Pool) tolerates(t *corev1.Taint) bool {
	if t.Effect == corev1.TaintEffectPreferNoSchedule {
		return true
	}
	for i := range p.Tolerations {
		if p.Tolerations[i].ToleratesTaint(klog.Background(), t, true) {
			return true
		}
	}
	return false
}

// size is what a node pulls that has nothing, in bytes; 0 when some of it is not known.
func (p Pool) size() int64 {
	sum := int64(0)
	for _, i := range p.Images {
		if i.Size == 0 {
			return 0
		}
		sum += i.Size
	}
	return sum
}

// imageNames are the pool's images for people.
func (p Pool) imageNames() string {
	var names []string
	for _, i := range p.Images {
		names = append(names, i.Name())
	}
	return listed(names)
}

// selected says which nodes the pool is, for people.
func (p Pool) selected() string {
	var parts []string
	if len(p.NodeSelector) > 0 {
		parts = append(parts, labelList(p.NodeSelector))
	}
	if len(p.Terms) > 0 {
		parts = append(parts, termList(p.Terms))
	}
	if parts == nil {
		return "any label"
	}
	return strings.Join(parts, " and ")
}

// missing are the images that a node does not say it has. A kubelet lists its
// largest images, at most fifty by default: one that is not listed may be there all
// the same. One that is listed was there a minute ago at most, when its kubelet is
// alive, which is as much as is known of one that was just pulled.
func (p Pool) missing(n *corev1.Node) []Image {
	has := map[string]bool{}
	for _, i := range n.Status.Images {
		for _, name := range i.Names {
			has[name] = true
		}
	}
	var out []Image
	for _, i := range p.Images {
		if !has[canonical(i.Ref)] {
			out = append(out, i)
		}
	}
	return out
}

// canonical is a reference as container runtimes write it.
func canonical(ref string) string {
	ref = Pinned(ref)
	host, rest, ok := strings.Cut(ref, "/")
	switch {
	case !ok:
		ref = "docker.io/library/" + ref
	case !strings.ContainsAny(host, ".:") && host != "localhost":
		ref = "docker.io/" + ref
	case host == "index.docker.io":
		ref = "docker.io/" + rest
	}
	if last := ref[strings.LastIndexByte(ref, '/')+1:]; !strings.ContainsAny(last, ":@") {
		ref += ":latest"
	}
	return ref
}

// noNodes is the error of a pool that has no node though nobody said that it may
// have none.
func (p Pool) noNodes() string {
	return fmt.Sprintf("pool %s has no node: no node of the cluster has %s and only taints that the pool tolerates (%s). "+
		"Correct that, or, if the pool may be scaled to nothing, say so: hubs.HUB.pools: [{name: %s, %smin: 0}]",
		p.Name, p.selected(), p.From, p.Name, selectorYAML(p.labels()))
}

// labels are those that every node of the pool has.
func (p Pool) labels() map[string]string {
	out := map[string]string{}
	maps.Copy(out, p.NodeSelector)
	if len(p.Terms) == 1 {
		for _, e := range p.Terms[0].MatchExpressions {
			if e.Operator == corev1.NodeSelectorOpIn && len(e.Values) == 1 {
				out[e.Key] = e.Values[0]
			}
		}
	}
	return out
}

func selectorYAML(m map[string]string) string {
	if len(m) == 0 {
		return ""
	}
	return "nodeSelector: {" + strings.ReplaceAll(labelList(m), "=", ": ") + "}, "
}
