package preflight

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	schedulingv1 "k8s.io/api/scheduling/v1"
	"k8s.io/component-helpers/scheduling/corev1/nodeaffinity"

	"gauntlet/internal/kube"
	"gauntlet/internal/preflight/codes"
)

// fits says whether a node takes a pod by its labels and taints: "" when it does,
// else what keeps the pod away. meant asks only whether the node is meant for it,
// whatever state the node is in: Kubernetes taints nodes by their state.
func fits(n *corev1.Node, pod *corev1.PodSpec, meant bool) string {
	if ok, err := nodeaffinity.GetRequiredNodeAffinity(&corev1.Pod{Spec: *pod}).Match(n); err != nil || !ok {
		return "selector"
	}
	for _, t := range n.Spec.Taints {
		if t.Effect == corev1.TaintEffectPreferNoSchedule {
			continue
		}
		if meant && strings.HasPrefix(t.Key, "node.kubernetes.io/") {
			continue
		}
		if !slices.ContainsFunc(pod.Tolerations, func(tol corev1.Toleration) bool { return tolerates(tol, t) }) {
			return "taint " + t.Key
		}
	}
	return ""
}

// tolerates is the rule of the scheduler for one toleration and one taint.
func tolerates(tol corev1.Toleration, t corev1.Taint) bool {
	if tol.Effect != "" && tol.Effect != t.Effect || tol.Key != "" && tol.Key != t.Key {
		return false
	}
	switch tol.Operator {
	case corev1.TolerationOpExists:
		return true
	case "", corev1.TolerationOpEqual:
		return tol.Key != "" && tol.Value == t.Value
	}
	return true // an operator that is newer than this: the scheduler knows
}

// sick says why a node does not do what its pods need, "" when it does.
func sick(f *Facts, n *corev1.Node) string {
	if e := kube.NodeProblem(n, f.Leases[n.Name], f.Now); e != nil {
		return e.Message
	}
	return ""
}

// room is how many more pods a node takes.
func room(f *Facts, n *corev1.Node) int {
	limit, ok := n.Status.Allocatable[corev1.ResourcePods]
	if !ok {
		return 1 // it says nothing
	}
	return int(limit.Value()) - f.NodePods[n.Name]
}

// userPod is the pod of a user's server, as far as the scheduler looks at it.
func (c hubConfig) userPod() *corev1.PodSpec {
	var p corev1.PodSpec
	decode(at(c.next, "singleuser", "nodeSelector"), &p.NodeSelector)
	for _, list := range []any{
		at(c.next, "singleuser", "extraTolerations"), at(c.next, "scheduling", "userPods", "tolerations"),
		at(c.next, "hub", "config", "KubeSpawner", "tolerations"),
	} {
		var more []corev1.Toleration
		decode(list, &more)
		p.Tolerations = append(p.Tolerations, more...)
	}
	var terms []corev1.NodeSelectorTerm
	decode(at(c.next, "singleuser", "extraNodeAffinity", "required"), &terms)
	if text(c.next, "scheduling", "userPods", "nodeAffinity", "matchNodePurpose") == "require" {
		terms = append(terms, corev1.NodeSelectorTerm{MatchExpressions: []corev1.NodeSelectorRequirement{
			{Key: "hub.jupyter.org/node-purpose", Operator: corev1.NodeSelectorOpIn, Values: []string{"user"}}}})
	}
	if len(terms) > 0 {
		p.Affinity = &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{NodeSelectorTerms: terms}}}
	}
	return &p
}

// placing tells of pods that no node takes.
func placing(f *Facts) []Finding {
	if !f.NodesKnown {
		return nil
	}
	var out []Finding
	tell := func(object string, pod *corev1.PodSpec, severity codes.Severity) {
		away := map[string]int{}
		for i := range f.Nodes {
			why := fits(&f.Nodes[i], pod, false)
			if why == "" {
				return
			}
			away[why]++
		}
		cause := fmt.Sprintf("none of the %d nodes takes its pods: %s", len(f.Nodes), reasons(away))
		fix := "mend its node selector or tolerations in the values, or add a node"
		if f.Autoscaled {
			severity, cause = codes.Warning, cause+"; an autoscaler may bring one"
		}
		out = append(out, Finding{Code: codes.NodeNone, Severity: severity, Object: object, Cause: cause, Fix: fix})
	}
	for _, w := range workloads(f) {
		// A DaemonSet may rightly be on no node. What already waits in vain is no
		// worse afterwards, but worth a word.
		if w.kind == "DaemonSet" || w.kind == "CronJob" || w.pod.NodeName != "" || stopped(w) {
			continue
		}
		severity := codes.Severity("")
		if yields(f, &w.pod) {
			severity = codes.Warning
		}
		tell(w.object, &w.pod, severity)
	}
	for _, c := range hubConfigs(f) {
		// User pools often shrink to nothing, and grow by means that cannot be seen.
		tell("value "+below(c.path, "singleuser.nodeSelector"), c.userPod(), codes.Warning)
	}
	return out
}

func reasons(away map[string]int) string {
	var parts []string
	for _, why := range sortedKeys(away) {
		if why == "selector" {
			parts = append(parts, fmt.Sprintf("%d do not match its node selector", away[why]))
		} else {
			parts = append(parts, fmt.Sprintf("%d have a %s that it does not tolerate", away[why], why))
		}
	}
	return strings.Join(parts, ", ")
}

// yields says whether pods have a priority below zero, by a class that the release
// brings: they hold places for others, and may wait for ever without harm.
func yields(f *Facts, pod *corev1.PodSpec) bool {
	for _, o := range Brought(f) {
		if text(o, "kind") == "PriorityClass" && text(o, "metadata", "name") == pod.PriorityClassName {
			var class schedulingv1.PriorityClass
			decode(map[string]any(o), &class)
			return class.Value < 0
		}
	}
	return false
}

// stopped says whether a workload is kept at no pods.
func stopped(w workload) bool {
	n := at(w.raw, "spec", "replicas")
	return n == int64(0) || n == float64(0)
}

// nodes tells of nodes that users' servers go to and that take none now.
func nodes(f *Facts) []Finding {
	var out []Finding
	for i := range f.Nodes {
		n := &f.Nodes[i]
		if !slices.ContainsFunc(hubConfigs(f), func(c hubConfig) bool { return fits(n, c.userPod(), true) == "" }) {
			continue
		}
		if why := sick(f, n); why != "" {
			out = append(out, Finding{Code: codes.NodeSick, Object: "Node/" + n.Name, Cause: "users' servers go to it: " + why,
				Fix: "kubectl describe node " + n.Name})
		} else if left := room(f, n); left <= 0 {
			out = append(out, Finding{Code: codes.NodeFull, Object: "Node/" + n.Name,
				Cause: fmt.Sprintf("users' servers go to it, and it has all the %d pods it takes", f.NodePods[n.Name]),
				Fix:   "stop what is not needed there, or add a node"})
		}
	}
	return out
}

// pullHook tells of nodes that would hold up a hook which waits for a DaemonSet: such
// a hook has no end of its own.
func pullHook(f *Facts) []Finding {
	var daemons []workload
	waits := false
	for _, w := range workloads(f) {
		waits = waits || w.hook && (w.kind == "Job" || w.kind == "Pod")
		if w.hook && w.kind == "DaemonSet" {
			daemons = append(daemons, w)
		}
	}
	if !waits {
		return nil
	}
	var out []Finding
	for _, d := range daemons {
		var bad []string
		for i := range f.Nodes {
			n := &f.Nodes[i]
			if fits(n, &d.pod, true) != "" {
				continue
			}
			if why := sick(f, n); why != "" {
				bad = append(bad, n.Name+" ("+why+")")
			} else if room(f, n) <= 0 {
				bad = append(bad, n.Name+" (full)")
			}
		}
		if len(bad) > 0 {
			out = append(out, Finding{Code: codes.PullHook, Object: d.object,
				Cause: "a hook waits until it is ready on every node, and some may hold it up: " + few(bad),
				Fix:   "turn the chart's image puller hook off (in zero-to-jupyterhub prePuller.hook.enabled: false): gauntlet pulls the images itself"})
		}
	}
	return out
}
