package deploy

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"gauntlet/internal/deploy/helm"
	"gauntlet/internal/kube"
)

// Afterwards is what a hub runs after it was unstuck.
type Afterwards struct {
	Revision int    `json:"revision"` // the newest that is deployed; 0: none
	Newest   int    `json:"newest"`   // revision of the history
	Status   string `json:"status"`   // of the newest
	Gauntlet bool   `json:"gauntlet"` // gauntlet made the deployed one
	Up       bool   `json:"up"`       // all its workloads are
	Why      string `json:"why,omitempty"`
}

// upTime is how long the workloads of what the hub runs may take to be up.
const upTime = 30 * time.Second

// runs says what the hub runs, and whether it is up.
func (u *unstick) runs(ctx context.Context) (Afterwards, error) {
	history, err := u.helm.History(u.ReleaseName)
	if err != nil || len(history) == 0 {
		return Afterwards{Why: "there is no such Helm release"}, err
	}
	out := Afterwards{Newest: history[0].Revision, Status: history[0].Status}
	i := slices.IndexFunc(history, func(r helm.Record) bool { return r.Status == helm.Deployed })
	if i < 0 {
		out.Why = "no revision is deployed"
		return out, nil
	}
	out.Revision, out.Gauntlet = history[i].Revision, ours(history[i].Labels, history[i].Revision)
	workloads, err := u.helm.Workloads(history[i])
	if err != nil {
		return out, err
	}
	view, err := u.client.View(ctx, u.Namespace)
	if err != nil {
		return out, err
	}
	defer view.Close()
	ctx, cancel := context.WithTimeoutCause(ctx, upTime, errLate)
	defer cancel()
	for {
		if out.Why = notUp(view.Snapshot(), workloads); out.Why == "" {
			out.Up = true
			return out, nil
		}
		select {
		case <-view.Changed():
		case <-ctx.Done():
			if errors.Is(context.Cause(ctx), errLate) {
				return out, nil
			}
			return out, context.Cause(ctx)
		}
	}
}

// notUp says which workload is not up, and how far it is; "" when all are.
func notUp(snap *kube.Snapshot, workloads []helm.Object) string {
	var why []string
	for _, o := range workloads {
		done, text := false, "does not exist"
		switch o.Kind {
		case "Deployment":
			for _, d := range snap.Deployments {
				if d.Name == o.Name {
					done, text = deploymentStatus(d)
				}
			}
		case "StatefulSet":
			for _, s := range snap.StatefulSets {
				if s.Name == o.Name {
					done, text = statefulSetStatus(s)
				}
			}
		case "DaemonSet":
			for _, d := range snap.DaemonSets {
				if d.Name == o.Name {
					done, text = daemonSetStatus(d)
				}
			}
		}
		if !done {
			why = append(why, o.String()+": "+text)
		}
	}
	return strings.Join(why, "; ")
}
