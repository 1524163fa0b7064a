package deploy

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"gauntlet/internal/deploy/helm"
	"gauntlet/internal/kube"
)

// A Hang is a revision of Helm that was begun and has not ended, or one that failed and
// has left hooks at work.
type Hang struct {
	Revision int    `json:"revision"`
	Status   string `json:"status"`   // Helm's word
	Gauntlet bool   `json:"gauntlet"` // gauntlet began it

	Helm    int       `json:"helm"`              // major version of the Helm that began it, by the form of its record
	Manager string    `json:"manager,omitempty"` // what wrote the record, by the API server; untrusted
	Begun   time.Time `json:"begun"`             // by the API server
	Written time.Time `json:"written"`           // when the record was written last, by the API server
	Now     time.Time `json:"now"`               // by the API server

	Hook      *HangingHook `json:"hook,omitempty"`
	Unapplied bool         `json:"unapplied"` // nothing of the revision has been applied: its hooks come before
	Causes    []kube.Cause `json:"causes"`
	Nodes     []HeldNode   `json:"nodes"`     // that hold a DaemonSet of a hook
	Ready     int          `json:"ready"`     // nodes where such a DaemonSet is ready
	Leftovers []string     `json:"leftovers"` // hooks that are there and were not meant to stay

	version string // resource version of the record
}

// A HangingHook is the hook that Helm waits for.
type HangingHook struct {
	Object  string    `json:"object"`
	Started time.Time `json:"started"`        // by the clock of whoever ran Helm
	Says    string    `json:"says,omitempty"` // the telling line of its log; untrusted

	object helm.Object
}

// stoppable says whether the hook can be ended so that a helm which waits for it ends.
func (h *HangingHook) stoppable() bool {
	return h != nil && (h.object.Kind == "Job" || h.object.Kind == "Pod")
}

// A HeldNode is a node where a hook's pod is not ready.
type HeldNode struct {
	Node string `json:"node"`
	Pod  string `json:"pod"`
	Why  string `json:"why"` // one line; quotes the cluster, so untrusted

	daemonSet helm.Object
}

// Pending says that Helm has not noted the revision's end.
func (h *Hang) Pending() bool { return helm.Record{Status: h.Status}.Pending() }

// defaultTimeout is how long helm waits for one hook, or the rollout, unless told
// otherwise.
const defaultTimeout = 5 * time.Minute

// Alive says in words what speaks for and against a helm that is still at work. That
// cannot be known: Helm's record is no lock and names no process.
func (h *Hang) Alive() string {
	age := h.Now.Sub(h.Written).Round(time.Second)
	if age <= defaultTimeout {
		return fmt.Sprintf("its record was written %s ago, and helm waits 5 minutes for each hook unless told otherwise: it may well be at work still", age)
	}
	return fmt.Sprintf("its record was written last %s ago, and helm waits 5 minutes for each hook unless told otherwise: it was most likely killed, or has a longer --timeout", age)
}

// hanging reads whether the newest revision hangs; nil when it does not.
func hanging(ctx context.Context, c *kube.Client, h *helm.Helm, namespace, releaseName string) (*Hang, []helm.Record, error) {
	history, err := h.History(releaseName)
	if err != nil || len(history) == 0 {
		return nil, nil, err
	}
	newest := history[0]
	if !newest.Pending() && newest.Status != helm.Failed {
		return nil, history, nil
	}
	left, err := h.HooksLeft(newest)
	if err != nil {
		return nil, nil, err
	}
	if !newest.Pending() && len(left) == 0 {
		return nil, history, nil
	}
	hang := &Hang{
		Revision: newest.Revision, Status: newest.Status, Helm: newest.Version(),
		Gauntlet: ours(newest.Labels, newest.Revision),
		Causes:   []kube.Cause{}, Nodes: []HeldNode{}, Leftovers: []string{},
	}
	for _, o := range left {
		hang.Leftovers = append(hang.Leftovers, o.String())
	}
	if hang.Now, err = c.ServerTime(ctx); err != nil {
		return nil, nil, err
	}
	if err := hang.dates(ctx, c, namespace, releaseName); err != nil {
		return nil, nil, err
	}
	hooks, err := h.Hooks(newest)
	if err != nil {
		return nil, nil, err
	}
	watched := []helm.Object{}
	for _, hook := range hooks {
		early := hook.Before(newest.Status)
		switch {
		case hook.Phase == helm.HookRunning:
			hang.Hook = &HangingHook{Object: hook.Object.String(), Started: hook.Started, object: hook.Object}
			watched = append(watched, hook.Object)
		case hook.Phase != "" && hook.Object.Kind == "DaemonSet", slices.Contains(left, hook.Object):
			watched = append(watched, hook.Object)
		}
		hang.Unapplied = hang.Unapplied || early && hook.Phase != helm.HookSucceeded
	}
	if newest.Pending() && !hang.Unapplied {
		workloads, err := h.Workloads(newest)
		if err != nil {
			return nil, nil, err
		}
		watched = append(watched, workloads...)
	}
	return hang, history, hang.diagnose(ctx, c, namespace, watched)
}

// dates reads when the record was made and written, and by what.
func (h *Hang) dates(ctx context.Context, c *kube.Client, namespace, releaseName string) error {
	records, err := readRecords(ctx, c, namespace, releaseName)
	if err != nil {
		return fmt.Errorf("read the records of Helm release %s/%s: %w", namespace, releaseName, err)
	}
	for _, r := range records {
		if revisionOf(r) != h.Revision {
			continue
		}
		h.Begun, h.Written, h.version = r.CreationTimestamp.Time, lastWrite(r), r.ResourceVersion
		for _, f := range r.ManagedFields {
			if f.Operation == metav1.ManagedFieldsOperationUpdate {
				h.Manager = kube.OneLine(f.Manager)
			}
		}
	}
	return nil
}

// diagnose says what holds the objects up.
func (h *Hang) diagnose(ctx context.Context, c *kube.Client, namespace string, objects []helm.Object) error {
	bounded, cancel := context.WithTimeoutCause(ctx, 2*askTime, fmt.Errorf("no answer in %s", 2*askTime))
	defer cancel()
	view, err := c.View(bounded, namespace)
	if err != nil {
		return fmt.Errorf("look at namespace %s: %w", namespace, err)
	}
	defer view.Close()
	snap := view.Snapshot()
	snap.Nodes = map[string]kube.NodeFacts{}
	for _, o := range objects {
		for _, p := range podsOf(snap, o) {
			if n := p.Spec.NodeName; n != "" && !up(p) {
				if _, known := snap.Nodes[n]; !known {
					if f, err := c.AskNode(bounded, n, snap.Now); err == nil {
						snap.Nodes[n] = f // it is only for the words
					}
				}
			}
		}
	}
	h.read(snap, objects)
	if h.Hook != nil {
		for _, p := range podsOf(snap, h.Hook.object) {
			if len(p.Spec.Containers) == 0 {
				continue
			}
			if log, err := c.Logs(bounded, namespace, p.Name, p.Spec.Containers[0].Name, 40); err == nil {
				h.Hook.Says = kube.Salient(log)
			}
		}
	}
	return nil
}

// read is diagnose on what has been read.
func (h *Hang) read(snap *kube.Snapshot, objects []helm.Object) {
	for _, o := range objects {
		for _, e := range slices.Backward(snap.EventsOf(o.Kind, o.Name)) {
			if e.Reason != "FailedCreate" {
				continue
			}
			if cause := kube.Refusal(o.String(), e.Message); cause != nil {
				h.add(*cause)
			}
			break
		}
		for _, p := range podsOf(snap, o) {
			cause := snap.PodCause(p)
			if o.Kind == "DaemonSet" && up(p) {
				h.Ready++
			}
			if o.Kind == "DaemonSet" && !up(p) {
				held := HeldNode{Node: nodeOf(p), Pod: p.Name, Why: "it is on its way", daemonSet: o}
				if cause != nil {
					held.Why = cause.Message
				}
				h.Nodes = append(h.Nodes, held)
			}
			if cause != nil && !up(p) {
				h.add(*cause)
			}
		}
	}
}

// add takes a cause in, unless it is there already on another pod.
func (h *Hang) add(c kube.Cause) {
	if !slices.ContainsFunc(h.Causes, func(o kube.Cause) bool { return o.Reason == c.Reason && o.Message == c.Message }) {
		h.Causes = append(h.Causes, c)
	}
}

// podsOf are the pods of a workload that ought to be there.
func podsOf(snap *kube.Snapshot, o helm.Object) []*corev1.Pod {
	var pods []*corev1.Pod
	switch o.Kind {
	case "Job":
		for _, j := range snap.Jobs {
			if j.Name == o.Name {
				pods = snap.PodsOf(j, j.Spec.Selector)
			}
		}
	case "DaemonSet":
		for _, d := range snap.DaemonSets {
			if d.Name == o.Name {
				pods = snap.PodsOf(d, d.Spec.Selector)
			}
		}
	case "StatefulSet":
		for _, s := range snap.StatefulSets {
			if s.Name == o.Name {
				pods = snap.PodsOf(s, s.Spec.Selector)
			}
		}
	case "Deployment":
		for _, d := range snap.Deployments {
			for _, rs := range snap.ReplicaSets {
				if d.Name == o.Name && metav1.IsControlledBy(rs, d) {
					pods = append(pods, snap.PodsOf(rs, rs.Spec.Selector)...)
				}
			}
		}
	case "Pod":
		for _, p := range snap.Pods {
			if p.Name == o.Name {
				pods = append(pods, p)
			}
		}
	}
	return slices.DeleteFunc(pods, func(p *corev1.Pod) bool {
		return p.DeletionTimestamp != nil || p.Status.Phase == corev1.PodSucceeded
	})
}

// up says whether a pod is ready, by its own word.
func up(p *corev1.Pod) bool {
	return slices.ContainsFunc(p.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
	})
}

// noNode stands for the node of a pod that names none.
const noNode = "no node"

// nodeOf is the node of a pod, or the one that a DaemonSet's pod is for and that does
// not take it.
func nodeOf(p *corev1.Pod) string {
	if a := p.Spec.Affinity; p.Spec.NodeName == "" && a != nil && a.NodeAffinity != nil && a.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution != nil {
		for _, t := range a.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms {
			for _, f := range t.MatchFields {
				if f.Key == metav1.ObjectNameField && len(f.Values) == 1 {
					return f.Values[0]
				}
			}
		}
	}
	return cmp.Or(p.Spec.NodeName, noNode)
}
