package helm

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"time"

	"helm.sh/helm/v4/pkg/release/common"
	release1 "helm.sh/helm/v4/pkg/release/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// A Hook is one hook of a revision and how its last run went.
type Hook struct {
	Object  Object
	Events  []string  // "pre-upgrade"
	Phase   string    // of its run in this revision: HookRunning (begun, and no end noted), HookSucceeded, HookFailed or ""
	Started time.Time // by the clock of whoever ran Helm
}

// Phases of a hook's run.
const (
	HookRunning   = string(release1.HookPhaseRunning)
	HookSucceeded = string(release1.HookPhaseSucceeded)
	HookFailed    = string(release1.HookPhaseFailed)
)

// Before says whether the hook runs before a record of that status has applied
// anything.
func (h Hook) Before(status string) bool {
	event := map[common.Status]release1.HookEvent{
		common.StatusPendingInstall: release1.HookPreInstall, common.StatusPendingUpgrade: release1.HookPreUpgrade,
		common.StatusPendingRollback: release1.HookPreRollback,
	}[common.Status(status)]
	return event != "" && slices.Contains(h.Events, string(event))
}

// Hooks are the hooks of a revision, in the order in which the record has them.
func (h *Helm) Hooks(r Record) ([]Hook, error) {
	s, err := h.open(nil)
	if err != nil {
		return nil, err
	}
	var out []Hook
	for _, hook := range r.release.Hooks {
		list, err := s.kube.Build(bytes.NewBufferString(hook.Manifest), false)
		if err != nil {
			return nil, fmt.Errorf("read hook %s of revision %d of Helm release %s/%s: %w", hook.Name, r.Revision, h.namespace, r.release.Name, err)
		}
		for _, o := range objects(list) {
			run := Hook{Object: o, Phase: string(hook.LastRun.Phase), Started: hook.LastRun.StartedAt}
			for _, e := range hook.Events {
				run.Events = append(run.Events, e.String())
			}
			out = append(out, run)
		}
	}
	return out, nil
}

// HooksLeft are the hooks of a revision that are there and were not meant to stay.
func (h *Helm) HooksLeft(r Record) ([]Object, error) {
	s, err := h.open(nil)
	if err != nil {
		return nil, err
	}
	left, err := hooksLeft(s, r, nil)
	if err != nil {
		return nil, fmt.Errorf("look for hooks of revision %d of Helm release %s/%s: %w", r.Revision, h.namespace, r.release.Name, err)
	}
	return objects(left), nil
}

// RemoveHooks removes what HooksLeft names.
func (h *Helm) RemoveHooks(r Record) ([]Object, error) {
	s, err := h.open(nil)
	if err != nil {
		return nil, err
	}
	left, err := hooksLeft(s, r, nil)
	if err != nil || len(left) == 0 {
		return nil, err
	}
	if _, errs := s.kube.Delete(left, metav1.DeletePropagationBackground); len(errs) > 0 {
		return nil, fmt.Errorf("remove the hooks of revision %d of Helm release %s/%s: %w", r.Revision, h.namespace, r.release.Name, errors.Join(errs...))
	}
	return objects(left), nil
}

// Workloads are the objects of a revision's manifest that run pods and are waited for.
func (h *Helm) Workloads(r Record) ([]Object, error) {
	all, err := h.Objects(r)
	return slices.DeleteFunc(all, func(o Object) bool {
		return o.Kind != "Deployment" && o.Kind != "StatefulSet" && o.Kind != "DaemonSet"
	}), err
}

// Version is the major version of the Helm that made the revision, by the form of
// its record: 4 notes how it applies, 3 does not.
func (r Record) Version() int {
	if r.release.ApplyMethod != "" {
		return 4
	}
	return 3
}

// Begun is when the revision was begun, by the clock of whoever ran Helm.
func (r Record) Begun() time.Time { return r.release.Info.LastDeployed }
