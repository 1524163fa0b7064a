package helm

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"time"

	helmkube "helm.sh/helm/v4/pkg/kube"
	release1 "helm.sh/helm/v4/pkg/release/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/cli-runtime/pkg/resource"
)

// sweeping removes what earlier revisions have left between applying and waiting: a
// revision becomes deployed only when that is gone. Helm itself compares with one
// earlier revision alone, so that what a failed attempt made would stay for ever.
func (h *Helm) sweeping(w Waiter, name string, since []Record) Waiter {
	if w == nil || len(since) == 0 {
		return w
	}
	return sweeper{Waiter: w, sweep: func(keep []Object) error { return h.sweep(name, since, keep) }}
}

type sweeper struct {
	Waiter
	sweep func(keep []Object) error
}

func (w sweeper) Rollout(objects []Object, timeout time.Duration) error {
	if err := w.sweep(objects); err != nil {
		return err
	}
	return w.Waiter.Rollout(objects, timeout)
}

// sweep removes what the revisions have made, but for what shall be kept: objects of
// this Helm release only, and none that the chart says to keep. Of attempts that
// failed it also removes the hooks that are in nobody's manifest.
func (h *Helm) sweep(name string, since []Record, keep []Object) error {
	s, err := h.open(nil)
	if err != nil {
		return err
	}
	for _, r := range since {
		list, err := s.kube.Build(bytes.NewBufferString(r.release.Manifest), false)
		if err != nil {
			return fmt.Errorf("read the manifest of revision %d: %w", r.Revision, err)
		}
		left, err := leftOf(list, keep, func(live runtime.Object, notes map[string]string) bool {
			return notes["meta.helm.sh/release-name"] == name && notes["meta.helm.sh/release-namespace"] == h.namespace
		})
		if err == nil && r.Status == Failed {
			var hooks helmkube.ResourceList
			hooks, err = hooksLeft(s, r, keep)
			left = append(left, hooks...)
		}
		if err != nil {
			return fmt.Errorf("look for what is left of revision %d: %w", r.Revision, err)
		}
		if len(left) == 0 {
			continue
		}
		if _, errs := s.kube.Delete(left, metav1.DeletePropagationBackground); len(errs) > 0 {
			return fmt.Errorf("remove what is left of revision %d: %w", r.Revision, errors.Join(errs...))
		}
	}
	return nil
}

// hooksLeft are the hooks of a failed revision that are there and were not meant to
// stay: the chart has Helm delete them when they are done, or they are still at work.
func hooksLeft(s session, r Record, keep []Object) (helmkube.ResourceList, error) {
	var left helmkube.ResourceList
	for _, hook := range r.release.Hooks {
		list, err := s.kube.Build(bytes.NewBufferString(hook.Manifest), false)
		if err != nil {
			return nil, err
		}
		passing := slices.Contains(hook.DeletePolicies, release1.HookSucceeded) || slices.Contains(hook.DeletePolicies, release1.HookFailed)
		more, err := leftOf(list, keep, func(live runtime.Object, _ map[string]string) bool { return passing || atWork(live) })
		if err != nil {
			return nil, err
		}
		left = append(left, more...)
	}
	return left, nil
}

// leftOf are the objects of a list that are there, are not to be kept and that the
// caller wants gone.
func leftOf(list helmkube.ResourceList, keep []Object, unwanted func(live runtime.Object, notes map[string]string) bool) (helmkube.ResourceList, error) {
	var left helmkube.ResourceList
	for _, info := range list {
		if slices.Contains(keep, object(info)) {
			continue
		}
		live, err := resource.NewHelper(info.Client, info.Mapping).Get(info.Namespace, info.Name)
		if apierrors.IsNotFound(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		m, err := meta.Accessor(live)
		if err != nil {
			return nil, err
		}
		notes := m.GetAnnotations()
		if notes[helmkube.ResourcePolicyAnno] != helmkube.KeepPolicy && unwanted(live, notes) {
			left.Append(info)
		}
	}
	return left, nil
}

// atWork says whether a Job or Pod has not ended.
func atWork(live runtime.Object) bool {
	u, ok := live.(*unstructured.Unstructured)
	if !ok {
		return false
	}
	switch u.GetKind() {
	case "Pod":
		phase, _, _ := unstructured.NestedString(u.Object, "status", "phase")
		return phase != "Succeeded" && phase != "Failed"
	case "Job":
		conditions, _, _ := unstructured.NestedSlice(u.Object, "status", "conditions")
		return !slices.ContainsFunc(conditions, func(c any) bool {
			m, _ := c.(map[string]any)
			return m["status"] == "True" && (m["type"] == "Complete" || m["type"] == "Failed")
		})
	}
	return false
}
