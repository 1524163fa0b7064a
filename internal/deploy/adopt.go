package deploy

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"gauntlet/internal/deploy/helm"
	"gauntlet/internal/kill"
	"gauntlet/internal/kube"
)

// Running is what a hub was found to run.
type Running struct {
	helm.Running
	Revision int
	Status   string // Helm's word
	Ours     bool   // gauntlet made it
	Adopted  bool   // gauntlet did not, and somebody took it over
}

// Look reads what a hub runs: the newest revision of its Helm release. It is an error
// when there is none, and an *OwnedError when another tool keeps its objects as that
// tool wants them.
func Look(ctx context.Context, c *kube.Client, namespace, releaseName string) (Running, error) {
	if _, err := c.ServerTime(ctx); err != nil {
		return Running{}, fmt.Errorf("cluster %s is down or cannot be reached: %w", c.Context, err)
	}
	h := helm.New(c, namespace, nil)
	history, err := h.History(releaseName)
	if err != nil {
		return Running{}, err
	}
	if len(history) == 0 || history[0].Status == helm.Uninstalled {
		return Running{}, fmt.Errorf("there is no Helm release %s/%s in cluster %s, so nothing to take over: deploy one with `gauntlet deploy`", namespace, releaseName, c.Context)
	}
	if err := owners(ctx, c, h, namespace, history, nil); err != nil {
		return Running{}, err
	}
	return runningOf(history[0]), nil
}

func runningOf(r helm.Record) Running {
	return Running{
		Running: r.Running(), Revision: r.Revision, Status: r.Status,
		Ours: ours(r.Labels, r.Revision), Adopted: adopted(r.Labels, r.Revision),
	}
}

// Adoptable is nil when what was found can be taken over: it is done, and another
// tool's.
func (r Running) Adoptable(c *kube.Client, namespace, releaseName string) error {
	at := fmt.Sprintf("revision %d of Helm release %s/%s in cluster %s", r.Revision, namespace, releaseName, c.Context)
	again := fmt.Sprintf("`helm --kube-context %s -n %s rollback %s`", c.Context, namespace, releaseName)
	switch {
	case r.Ours:
		return fmt.Errorf("%s was made by gauntlet: there is nothing to take over", at)
	case r.Status == helm.Failed:
		return fmt.Errorf("%s failed, so what is live may be of it or of the one before: bring the hub right first, with %s or an upgrade that succeeds", at, again)
	case r.Status != helm.Deployed:
		return fmt.Errorf("%s is %s: wait until whoever is at work there has ended; if nobody is, end it with %s", at, r.Status, again)
	}
	return nil
}

// AdoptRequest is a hub whose newest revision, another tool's, is to be taken over.
type AdoptRequest struct {
	Client      *kube.Client
	Namespace   string
	ReleaseName string
	Revision    int         // that was looked at: another one is refused
	Holder      string      // as in Request
	Observe     func(Event) // as in Request
}

// Adopt marks a revision as taken over, under the lock of its namespace: the next
// deploy goes on from it. Nothing else changes, neither the objects nor what Helm keeps
// of the revision. Done again it changes nothing. It returns the time by the cluster.
func Adopt(ctx context.Context, q AdoptRequest) (time.Time, error) {
	r := Request{Client: q.Client, Namespace: q.Namespace, ReleaseName: q.ReleaseName, Holder: q.Holder, Observe: oneAtATime(q.Observe)}
	if r.Holder == "" {
		r.Holder = kube.DefaultHolder()
	}
	var at time.Time
	err := underLock(ctx, r, "adopt", func(locked context.Context, held *kube.Held) error {
		fenced, err := held.Client(r.Client)
		if err != nil {
			return err
		}
		history, err := helm.New(fenced, r.Namespace, nil).History(r.ReleaseName)
		if err != nil {
			return err
		}
		if len(history) == 0 || history[0].Revision != q.Revision {
			return errors.New("somebody has changed the hub meanwhile: run the same command again")
		}
		now := runningOf(history[0])
		if err := now.Adoptable(fenced, r.Namespace, r.ReleaseName); err != nil {
			return err
		}
		if at, err = fenced.ServerTime(locked); err != nil || now.Adopted {
			return err
		}
		patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"labels": map[string]string{labelAdopted: strconv.Itoa(q.Revision)}}})
		if err != nil {
			return err
		}
		name := fmt.Sprintf("sh.helm.release.v1.%s.v%d", r.ReleaseName, q.Revision)
		if _, err := fenced.CoreV1().Secrets(r.Namespace).Patch(locked, name, types.MergePatchType, patch, metav1.PatchOptions{}); err != nil {
			return fmt.Errorf("mark revision %d as taken over: %w", q.Revision, err)
		}
		kill.At("adopt:marked")
		return nil
	})
	return at, err
}
