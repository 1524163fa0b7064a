// Package gather collects the facts that preflight judges: from the hub's cluster, its
// hub and the registries of its images. It changes nothing. Everything it asks is
// bounded, and what does not answer is named among the facts.
package gather

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"gauntlet/internal/config"
	"gauntlet/internal/deploy"
	"gauntlet/internal/deploy/helm"
	"gauntlet/internal/kube"
	"gauntlet/internal/lint"
	"gauntlet/internal/preflight"
	"gauntlet/internal/release"
)

// askTime bounds each thing that is asked of the cluster or the hub.
const askTime = 8 * time.Second

// A Target is a deployment that is to be looked at.
type Target struct {
	Hub     string // by its name in gauntlet.yaml
	Request deploy.Request
	Own     release.Values // what the team wrote: no decrypted secrets
	Tested  string         // version of JupyterHub that the image suite saw in the notebook image
	Whose   bool           // find out whose the hub is; a deployment has done so before
	URL     string         // of the hub, "" when it is not to be asked
	Token   config.SecretKey
}

// Facts gathers all of them. An error means that the cluster cannot be asked at all.
func Facts(ctx context.Context, t Target) (*preflight.Facts, error) {
	r := t.Request
	f := &preflight.Facts{
		Hub: t.Hub, Cluster: r.Client.Context, Namespace: r.Namespace, Release: r.ReleaseName,
		Adopt: r.Adopt, Tested: t.Tested,
	}
	var err error
	if f.Now, err = r.Client.ServerTime(ctx); err != nil {
		return nil, fmt.Errorf("cluster %s is down or cannot be reached: %w", r.Client.Context, err)
	}
	g := &gathering{t: t, f: f}
	g.rehearse(ctx) // first: Helm's calls take the longest
	if t.Whose {
		g.standing(ctx)
	}
	g.cluster(ctx)
	g.hub(ctx)
	if err := g.files(); err != nil {
		g.missed("the chart", err)
	}
	g.wait.Wait()
	g.images(ctx)
	return f, ctx.Err()
}

// A gathering is one collection of facts. Every fact has one writer; f.Unseen has
// several.
type gathering struct {
	t Target
	f *preflight.Facts

	wait sync.WaitGroup
	mu   sync.Mutex // of f.Unseen
}

// ask gathers something on the side. What fails is unseen.
func (g *gathering) ask(ctx context.Context, what string, do func(context.Context) error) {
	g.wait.Go(func() {
		bounded, cancel := context.WithTimeoutCause(ctx, askTime, fmt.Errorf("no answer in %s", askTime))
		defer cancel()
		if err := do(bounded); err != nil {
			if bounded.Err() != nil {
				err = context.Cause(bounded)
			}
			g.missed(what, err)
		}
	})
}

func (g *gathering) missed(what string, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.f.Unseen = append(g.f.Unseen, preflight.Unseen{What: what, Why: kube.OneLine(err.Error())})
}

// rehearse tries the release on the cluster.
func (g *gathering) rehearse(ctx context.Context) {
	g.wait.Go(func() {
		seen, err := deploy.Rehearse(ctx, g.t.Request)
		if err != nil {
			g.missed("what Helm would do", err)
			return
		}
		f := g.f
		if seen.Installed() {
			ch := seen.Newest.Chart()
			f.Helm = preflight.Record{
				Revision: seen.Newest.Revision, Status: seen.Newest.Status, Ours: !seen.Foreign, Pending: seen.Newest.Pending(),
				Chart: preflight.Chart(ch),
			}
		}
		f.Reused = seen.Reused
		f.Objects, f.Deprecated = seen.Pairs, seen.Warnings
		for _, h := range seen.Hooks {
			f.Hooks = append(f.Hooks, h.Manifest)
		}
		if seen.Refused != nil {
			f.Refused = seen.Refused.Error()
			f.NoKind = strings.Contains(f.Refused, "no matches for kind")
		}
	})
}

// standing finds what would make the deployment leave the hub alone.
func (g *gathering) standing(ctx context.Context) {
	g.ask(ctx, "whose the hub is", func(ctx context.Context) error {
		err := deploy.Standing(ctx, g.t.Request)
		var (
			foreign *deploy.ForeignError
			owned   *deploy.OwnedError
			lost    *deploy.LostError
		)
		switch {
		case errors.As(err, &foreign): // the record says so too
		case errors.As(err, &owned):
			g.f.Owned = kube.OneLine(err.Error())
		case errors.As(err, &lost):
			g.f.Lost = kube.OneLine(err.Error())
		default:
			return err
		}
		return nil
	})
}

// files reads chart and values.
func (g *gathering) files() error {
	charts, whole, err := helm.Charts(g.t.Request.Chart, g.t.Request.Values)
	if err != nil {
		return err
	}
	for _, c := range charts {
		g.f.Charts = append(g.f.Charts, preflight.Chart(c))
	}
	g.f.Values = whole
	keys, err := lint.KeysOf(g.t.Request.Chart)
	if err != nil {
		return err
	}
	g.f.Linted = append(lint.Secrets(g.t.Own), keys.Unknown(g.t.Own)...)
	return nil
}
