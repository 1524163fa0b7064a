package deploy

import (
	"context"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/retry"

	"gauntlet/internal/deploy/helm"
)

// How a helm that hangs can be let go on.
const (
	WithoutNodes = "nodes" // the hook's DaemonSet leaves out the nodes that hold it: every Helm
	WithoutHook  = "hook"  // the hook's Job is deleted, which Helm 3 takes for done
)

// WayOn is how the helm that hangs can be let go on, or why it cannot.
func WayOn(h *Hang) (way, why string) {
	switch {
	case h.Gauntlet:
		return "", "gauntlet began this revision: deploy again, it goes on by itself"
	case !h.Pending():
		return "", "no helm waits: the revision is " + h.Status
	case h.Hook == nil || h.Hook.object.Kind != "Job":
		return "", "no Job of a hook is waited for, so there is nothing to go on without"
	case h.Ready > 0 && len(h.Nodes) > 0 && !slices.ContainsFunc(h.Nodes, func(n HeldNode) bool { return n.Node == noNode }):
		return WithoutNodes, ""
	case h.Helm == 3:
		return WithoutHook, ""
	}
	return "", "Helm 4 takes a hook's Job that is deleted for a failure, and only after its whole timeout: mend what the hook waits for, or end the upgrade"
}

// HeldBy are the names of the nodes that hold the hook.
func (h *Hang) HeldBy() string {
	var names []string
	for _, n := range h.Nodes {
		names = append(names, n.Node)
	}
	return strings.Join(names, ", ")
}

// release makes a helm that waits for the hook notice: the hook's Job or Pod fails or,
// with goOn, what it waits for is made to be so, or it is deleted.
func (u *unstick) release(ctx context.Context, hang *Hang) error {
	o := hang.Hook.object
	if !u.goOn {
		return u.fail(ctx, o)
	}
	if way, _ := WayOn(hang); way == WithoutNodes {
		return u.leaveOut(ctx, hang)
	}
	u.tell(Event{Step: "unstick", Object: o.String(), Message: "deleted, which Helm 3 takes for done"})
	background := metav1.DeletePropagationBackground
	err := u.client.BatchV1().Jobs(o.Namespace).Delete(ctx, o.Name, metav1.DeleteOptions{PropagationPolicy: &background})
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("delete hook %s: %w", o, err)
	}
	return nil
}

// fail ends a hook: its time is up. Its controller, or the kubelet, then fails it for
// being late, and every Helm understands that.
func (u *unstick) fail(ctx context.Context, o helm.Object) error {
	u.tell(Event{Step: "unstick", Object: o.String(), Message: "its time is up: it fails, and a helm that waits for it ends"})
	late := []byte(`{"spec":{"activeDeadlineSeconds":1}}`)
	var err error
	if o.Kind == "Job" {
		_, err = u.client.BatchV1().Jobs(o.Namespace).Patch(ctx, o.Name, types.MergePatchType, late, metav1.PatchOptions{})
	} else {
		_, err = u.client.CoreV1().Pods(o.Namespace).Patch(ctx, o.Name, types.MergePatchType, late, metav1.PatchOptions{})
	}
	if err != nil && !apierrors.IsNotFound(err) { // deleted by somebody: there is nothing to fail
		return fmt.Errorf("end hook %s: %w", o, err)
	}
	return nil
}

// leaveOut takes the nodes that hold the hook out of its DaemonSets, so that what the
// hook waits for is there on all that remain.
func (u *unstick) leaveOut(ctx context.Context, hang *Hang) error {
	sets := map[helm.Object][]string{}
	for _, n := range hang.Nodes {
		sets[n.daemonSet] = append(sets[n.daemonSet], n.Node)
	}
	for o, nodes := range sets {
		u.tell(Event{Step: "unstick", Object: o.String(), Message: "goes on without " + strings.Join(nodes, ", ")})
		err := retry.RetryOnConflict(retry.DefaultRetry, func() error {
			d, err := u.client.AppsV1().DaemonSets(o.Namespace).Get(ctx, o.Name, metav1.GetOptions{})
			if err != nil {
				return err
			}
			d.Spec.Template.Spec.Affinity = avoiding(d.Spec.Template.Spec.Affinity, nodes)
			_, err = u.client.AppsV1().DaemonSets(o.Namespace).Update(ctx, d, metav1.UpdateOptions{})
			return err
		})
		if err != nil {
			return fmt.Errorf("leave nodes out of hook %s: %w", o, err)
		}
	}
	return nil
}

// avoiding is an affinity that also keeps away from nodes.
func avoiding(a *corev1.Affinity, nodes []string) *corev1.Affinity {
	a = a.DeepCopy()
	if a == nil {
		a = &corev1.Affinity{}
	}
	if a.NodeAffinity == nil {
		a.NodeAffinity = &corev1.NodeAffinity{}
	}
	required := a.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution
	if required == nil || len(required.NodeSelectorTerms) == 0 {
		required = &corev1.NodeSelector{NodeSelectorTerms: []corev1.NodeSelectorTerm{{}}}
		a.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution = required
	}
	for i := range required.NodeSelectorTerms {
		t := &required.NodeSelectorTerms[i] // any of them is enough, so each must say it
		for _, n := range nodes {
			t.MatchFields = append(t.MatchFields, corev1.NodeSelectorRequirement{
				Key: metav1.ObjectNameField, Operator: corev1.NodeSelectorOpNotIn, Values: []string{n}})
		}
	}
	return a
}
