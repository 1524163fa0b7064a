package deploy

import (
	"context"
	"errors"
	"sync"

	corev1 "k8s.io/api/core/v1"

	"gauntlet/internal/deploy/helm"
	"gauntlet/internal/plan"
)

// A Rehearsal is what Helm would do with a request now, object by object.
type Rehearsal struct {
	Newest     helm.Record // of the history; Revision 0: nothing is installed
	Foreign    bool        // another tool made the newest revision, and nobody took it over
	Reused     bool        // the hub runs it already, as far as Helm's record says
	Pairs      []plan.Pair
	Hooks      []helm.PreviewedHook
	ClientSide bool     // see helm.Preview
	Warnings   []string // of the API server, each once; untrusted
	Refused    error    // why Helm or the API server would refuse it; then there are no pairs

	history []helm.Record
}

// Installed says that there is a release to upgrade.
func (r Rehearsal) Installed() bool { return r.Newest.Revision > 0 }

// Rehearse tries a request on the hub's cluster without changing anything (a server-
// side dry run). The namespace must exist. It takes no lock: what it says holds until
// somebody changes the hub.
func Rehearse(ctx context.Context, r Request) (Rehearsal, error) {
	var out Rehearsal
	var mu sync.Mutex
	h := helm.New(r.Client, r.Namespace, func(w string) {
		mu.Lock()
		defer mu.Unlock()
		out.warn(w)
	})
	history, err := h.History(r.ReleaseName)
	if err != nil {
		return Rehearsal{}, err
	}
	out.history = history
	if len(history) > 0 && history[0].Status != helm.Uninstalled {
		out.Newest = history[0]
		out.Foreign = r.standing(history).Blocked != nil
		out.Reused = r.isAt(out.Newest)
	}
	seen, err := h.Preview(ctx, helm.Apply{Name: r.ReleaseName, Chart: r.Chart, Values: r.Values}, history)
	if ctx.Err() != nil {
		return Rehearsal{}, context.Cause(ctx)
	}
	mu.Lock()
	defer mu.Unlock()
	if err != nil {
		out.Refused = errors.New(clip(err))
		return out, nil
	}
	for _, o := range seen.Objects {
		out.Pairs = append(out.Pairs, plan.Pair{Live: o.Live, New: o.New, Once: o.Once, Again: o.Again})
	}
	out.Hooks, out.ClientSide = seen.Hooks, seen.ClientSide
	return out, nil
}

func (r *Rehearsal) warn(w string) {
	for _, known := range r.Warnings {
		if known == w {
			return
		}
	}
	r.Warnings = append(r.Warnings, w)
}

// Secrets are those that the release of a request would make now, by name.
func Secrets(ctx context.Context, r Request) (map[string]corev1.Secret, error) {
	h := helm.New(r.Client, r.Namespace, nil)
	history, err := h.History(r.ReleaseName)
	if err != nil {
		return nil, err
	}
	out, err := h.Secrets(helm.Apply{Name: r.ReleaseName, Chart: r.Chart, Values: r.Values}, history)
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if err != nil {
		return nil, errors.New(clip(err))
	}
	return out, nil
}

// Current says whether the hub runs what the request asks, by Helm's record: then a
// deployment makes no revision.
func Current(r Request) (bool, error) {
	history, err := helm.New(r.Client, r.Namespace, nil).History(r.ReleaseName)
	if err != nil {
		return false, err
	}
	return len(history) > 0 && r.isAt(history[0]), nil
}
