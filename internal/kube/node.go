package kube

import (
	"fmt"
	"strings"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Reasons of a NodeError, the worst first.
const (
	NodeLeaving  = "NodeLeaving"  // it is being deleted, drained by an autoscaler, or taken back by its cloud
	NodeNotReady = "NodeNotReady" // its kubelet says so, or is called unreachable by the control plane
	NodeSilent   = "NodeSilent"   // called Ready, but its kubelet has stopped to renew its lease
	NodePressure = "NodePressure" // short of disk, memory or process ids: it takes no pods, or throws some out
	NodeCordoned = "NodeCordoned" // somebody lets no new pods onto it
)

// A NodeError is why a node does not do what its pods need.
type NodeError struct {
	Node    string
	Reason  string // the worst of the constants above that applies
	Message string // one line; all that is wrong with it
	Leaving bool   // it goes away: nothing that is only there is worth waiting for
}

func (e *NodeError) Error() string {
	return fmt.Sprintf("node %s: %s: %s", e.Node, e.Reason, e.Message)
}

// leavingTaints say that a node goes away. A taint that only marks a candidate
// (DeletionCandidateOfClusterAutoscaler) is none of them: most stay.
var leavingTaints = map[string]string{
	"ToBeDeletedByClusterAutoscaler":                         "the cluster autoscaler removes it",
	"karpenter.sh/disrupted":                                 "Karpenter removes it",
	"karpenter.sh/disruption":                                "Karpenter removes it",
	"node.cloudprovider.kubernetes.io/shutdown":              "its machine is shut down",
	"node.kubernetes.io/out-of-service":                      "it is marked out of service",
	"cloud.google.com/impending-node-termination":            "its cloud takes it back",
	"aws-node-termination-handler/spot-itn":                  "its cloud takes it back (spot interruption)",
	"aws-node-termination-handler/scheduled-maintenance":     "its cloud stops it for maintenance",
	"aws-node-termination-handler/asg-lifecycle-termination": "its autoscaling group removes it",
	"aws-node-termination-handler/rebalance-recommendation":  "its cloud is about to take it back",
}

// leavingConditions are what node problem detectors of clouds say about events that
// the cloud has planned.
var leavingConditions = map[corev1.NodeConditionType]string{
	"PreemptScheduled":   "its cloud takes it back (spot)",
	"TerminateScheduled": "its cloud takes it back",
	"RedeployScheduled":  "its cloud moves it to another machine",
	"RebootScheduled":    "its cloud restarts it",
}

// newTaints are on a node that has just appeared: Ready says the same.
var newTaints = map[string]string{
	"node.cloudprovider.kubernetes.io/uninitialized": "new, and not yet set up by its cloud",
	"node.kubernetes.io/network-unavailable":         "its network is not set up",
}

// TroubleTaint says whether a taint is on a node because of what NodeProblem tells:
// it keeps pods away for as long as the trouble lasts, and says nothing of the pods
// that the node is meant for.
func TroubleTaint(key string) bool {
	_, leaving := leavingTaints[key]
	return leaving || strings.HasPrefix(key, "node.kubernetes.io/") || strings.HasPrefix(key, "node.cloudprovider.kubernetes.io/")
}

// NodeProblem says why a node does not do what its pods need, and nil when nothing
// is wrong with it. lease is the node's own in the namespace kube-node-lease; nil
// leaves its word out. now is the time by the API server (Client.ServerTime): the
// age of a lease is the time since the API server last took a renewal, so neither
// the local clock nor that of the node has a say.
func NodeProblem(node *corev1.Node, lease *coordinationv1.Lease, now time.Time) *NodeError {
	e := &NodeError{Node: node.Name}
	var all []string
	add := func(reason, text string) {
		if e.Reason == "" {
			e.Reason = reason
		}
		all = append(all, text)
	}

	if t := node.DeletionTimestamp; t != nil {
		e.Leaving = true
		add(NodeLeaving, "it is being deleted since "+clockOf(t.Time))
	}
	for _, t := range node.Spec.Taints {
		if text, ok := leavingTaints[t.Key]; ok {
			e.Leaving = true
			add(NodeLeaving, text+" (taint "+t.Key+")")
		}
	}
	for _, c := range node.Status.Conditions {
		if text, ok := leavingConditions[c.Type]; ok && c.Status == corev1.ConditionTrue {
			e.Leaving = true
			add(NodeLeaving, text+" (condition "+string(c.Type)+")")
		}
	}

	ready := condition(node, corev1.NodeReady)
	switch {
	case ready == nil:
		add(NodeNotReady, "its kubelet has not yet said that it is ready")
	case ready.Status == corev1.ConditionUnknown:
		add(NodeNotReady, "unreachable: its kubelet is not heard of, says the control plane since "+clockOf(ready.LastTransitionTime.Time))
	case ready.Status != corev1.ConditionTrue:
		add(NodeNotReady, "not ready since "+clockOf(ready.LastTransitionTime.Time)+": "+ready.Message)
	default:
		if age, every, ok := leaseAge(lease, now); ok && age > every*staleRenewals {
			add(NodeSilent, fmt.Sprintf("called Ready, but its kubelet last renewed its lease %s ago, and does so every %s: it is dead, hangs or is cut off",
				age.Round(time.Second), every.Round(time.Second)))
		}
	}
	for _, t := range node.Spec.Taints {
		if text, ok := newTaints[t.Key]; ok {
			add(NodeNotReady, text+" (taint "+t.Key+")")
		}
	}

	for _, p := range []struct {
		condition corev1.NodeConditionType
		words     string
	}{
		{corev1.NodeDiskPressure, "its disk is nearly full"},
		{corev1.NodeMemoryPressure, "its memory is nearly used up"},
		{corev1.NodePIDPressure, "it has nearly no process ids left"},
	} {
		if c := condition(node, p.condition); c != nil && c.Status == corev1.ConditionTrue {
			add(NodePressure, p.words+" ("+string(p.condition)+" since "+clockOf(c.LastTransitionTime.Time)+")")
		}
	}
	if node.Spec.Unschedulable {
		add(NodeCordoned, "cordoned")
	}
	if e.Reason == "" {
		return nil
	}
	e.Message = OneLine(strings.Join(all, "; "))
	return e
}

// staleRenewals is how many times its usual interval a kubelet may take to renew
// its lease. With the defaults (every 10 s) it is called silent after 20 s; the
// control plane calls it unreachable after 50 s.
const staleRenewals = 2

// renewalsPerLease: a kubelet renews its lease after a quarter of its duration.
const renewalsPerLease = 4

// leaseAge is the time since the API server last took a renewal of a node's lease,
// and how often its kubelet renews it.
func leaseAge(lease *coordinationv1.Lease, now time.Time) (age, every time.Duration, ok bool) {
	if lease == nil || lease.Spec.LeaseDurationSeconds == nil || *lease.Spec.LeaseDurationSeconds <= 0 || now.IsZero() {
		return 0, 0, false
	}
	every = time.Duration(*lease.Spec.LeaseDurationSeconds) * time.Second / renewalsPerLease
	last := lastWrite(lease.ManagedFields)
	if last.IsZero() {
		// Somebody strips the managed fields: only the kubelet's own clock is left.
		if lease.Spec.RenewTime == nil {
			return 0, 0, false
		}
		last = lease.Spec.RenewTime.Time
	}
	return now.Sub(last), every, true
}

// lastWrite is when the API server last took a change of an object, to the second;
// zero when the object does not tell.
func lastWrite(fields []metav1.ManagedFieldsEntry) time.Time {
	var last time.Time
	for _, f := range fields {
		if f.Time != nil && f.Time.After(last) {
			last = f.Time.Time
		}
	}
	return last
}

func condition(node *corev1.Node, t corev1.NodeConditionType) *corev1.NodeCondition {
	for i := range node.Status.Conditions {
		if node.Status.Conditions[i].Type == t {
			return &node.Status.Conditions[i]
		}
	}
	return nil
}

// clockOf is a time of the cluster as messages show it.
func clockOf(t time.Time) string {
	if t.IsZero() {
		return "an unknown time"
	}
	return t.UTC().Format("15:04:05Z")
}

// Away says that nothing runs on the node, or soon nothing will: it leaves, or its
// kubelet is not heard of.
func (e *NodeError) Away() bool {
	return e.Leaving || e.Reason == NodeNotReady || e.Reason == NodeSilent
}
