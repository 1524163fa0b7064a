package helm

import (
	"errors"
	"time"

	"helm.sh/helm/v4/pkg/action"
	helmkube "helm.sh/helm/v4/pkg/kube"
	release1 "helm.sh/helm/v4/pkg/release/v1"
)

// A Rollback is an earlier revision that a Helm release shall go back to.
type Rollback struct {
	Name        string
	To          Record
	Since       []Record          // as in Apply
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
	s, err := h.openTo("rollback", h.sweeping(b.Waits, b.Name, b.Since), b.Labels)
	if err != nil {
		return Record{}, err
	}
	back := action.NewRollback(s.Configuration)
	back.Version, back.Description = b.To.Revision, b.Description
	back.Timeout, back.WaitStrategy = b.Timeout, helmkube.HookOnlyStrategy
	back.ServerSideApply = "auto" // as the target was applied
	// What somebody has changed by hand meanwhile, in an emergency more than ever, is to
	// go back too. Only server-side apply knows of conflicts.
	back.ForceConflicts = b.To.release.ApplyMethod == string(release1.ApplyMethodServerSideApply)
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
