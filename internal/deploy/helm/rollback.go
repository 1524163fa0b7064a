package helm

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	"helm.sh/helm/v4/pkg/action"
	helmkube "helm.sh/helm/v4/pkg/kube"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/cli-runtime/pkg/resource"
)

// A Rollback is an earlier revision that a Helm release shall go back to.
type Rollback struct {
	Name        string
	To          Record
	Since       []Record          // revisions of which something may be left
	Labels      map[string]string // of the revision that is made
	Description string            // at most 256 characters
	Timeout     time.Duration     // for each hook and the rollout
	Waits       Waiter
}

// Rollback makes the next revision of what an earlier one applied. Like
// InstallOrUpgrade it cannot be cancelled. Hooks run as the chart says.
//
// Helm itself removes only what the newest revision has and the target has not. Where
// an attempt before this one ended early, things of the revisions before it may be
// left: what only Since has is removed too.
func (h *Helm) Rollback(b Rollback) (Record, error) {
	waits := &sweeping{Waiter: b.Waits}
	s, err := h.openTo("rollback", waits, b.Labels)
	if err != nil {
		return Record{}, err
	}
	waits.sweep = func() error { return h.sweep(s, b) }
	back := action.NewRollback(s.Configuration)
	back.Version, back.Description = b.To.Revision, b.Description
	back.Timeout, back.WaitStrategy = b.Timeout, helmkube.HookOnlyStrategy
	back.ServerSideApply = "auto"
	back.MaxHistory = 0 // nothing is forgotten that one may yet want to go back to
	runErr := back.Run(b.Name)
	history, err := h.History(b.Name)
	if err != nil || len(history) == 0 {
		return Record{}, errors.Join(runErr, err)
	}
	made := history[0]
	if runErr != nil && made.Pending() {
		// Helm leaves the revision pending when a hook fails.
		runErr = errors.Join(runErr, h.MarkFailed(made, "rollback failed: "+runErr.Error()))
	}
	return made, runErr
}

// sweeping removes leftovers between applying and waiting: a revision becomes
// deployed only when they are gone.
type sweeping struct {
	Waiter
	sweep func() error
}

func (w *sweeping) Rollout(objects []Object, timeout time.Duration) error {
	if err := w.sweep(); err != nil {
		return err
	}
	return w.Waiter.Rollout(objects, timeout)
}

// sweep removes what the revisions since have and the target has not: objects of
// this Helm release only, and none that the chart says to keep.
func (h *Helm) sweep(s session, b Rollback) error {
	target, err := s.kube.Build(bytes.NewBufferString(b.To.release.Manifest), false)
	if err != nil {
		return fmt.Errorf("read the manifest of revision %d: %w", b.To.Revision, err)
	}
	for _, r := range b.Since {
		list, err := s.kube.Build(bytes.NewBufferString(r.release.Manifest), false)
		if err != nil {
			return fmt.Errorf("read the manifest of revision %d: %w", r.Revision, err)
		}
		var left helmkube.ResourceList
		for _, info := range list.Difference(target) {
			live, err := resource.NewHelper(info.Client, info.Mapping).Get(info.Namespace, info.Name)
			if apierrors.IsNotFound(err) {
				continue
			}
			if err != nil {
				return fmt.Errorf("look for what is left of revision %d: %w", r.Revision, err)
			}
			m, err := meta.Accessor(live)
			if err != nil {
				return err
			}
			notes := m.GetAnnotations()
			mine := notes["meta.helm.sh/release-name"] == b.Name && notes["meta.helm.sh/release-namespace"] == h.namespace
			if mine && notes[helmkube.ResourcePolicyAnno] != helmkube.KeepPolicy {
				left.Append(info)
			}
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
