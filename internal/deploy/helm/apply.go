package helm

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"time"

	"helm.sh/helm/v4/pkg/action"
	chart "helm.sh/helm/v4/pkg/chart/v2"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	helmkube "helm.sh/helm/v4/pkg/kube"
	helmrelease "helm.sh/helm/v4/pkg/release"
	"helm.sh/helm/v4/pkg/storage/driver"

	"gauntlet/internal/release"
)

// An Apply is what a Helm release shall become.
type Apply struct {
	Name        string
	Chart       []byte         // packaged, .tgz
	Values      release.Values // over the chart's own
	Since       []Record       // revisions of which something may be left: it is removed
	Labels      map[string]string
	Description string
	Timeout     time.Duration // for each hook and the rollout
	Waits       Waiter
}

// InstallOrUpgrade makes the next revision of a Helm release. It cannot be
// cancelled, on purpose: Helm goes on applying behind a cancelled call and records
// the wrong outcome. To stop it, end the waits.
//
// Hooks run as the chart says. Nothing is rolled back on failure: that is a
// decision of its own. A new release is applied server-side, an old one in the way
// its last revision was.
func (h *Helm) InstallOrUpgrade(a Apply, history []Record) (Record, error) {
	ch, values, err := load(a.Chart, a.Values)
	if err != nil {
		return Record{}, err
	}
	s, err := h.open(h.sweeping(a.Waits, a.Name, a.Since))
	if err != nil {
		return Record{}, err
	}
	var made helmrelease.Releaser
	if len(history) == 0 || history[0].Status == Uninstalled {
		in := action.NewInstall(s.Configuration)
		in.ReleaseName, in.Namespace = a.Name, h.namespace
		in.Labels, in.Description = a.Labels, a.Description
		in.Timeout, in.WaitStrategy = a.Timeout, helmkube.HookOnlyStrategy
		in.Replace = len(history) > 0
		made, err = in.Run(ch, values)
	} else {
		up := action.NewUpgrade(s.Configuration)
		up.Namespace = h.namespace
		up.Labels, up.Description = a.Labels, a.Description
		up.Timeout, up.WaitStrategy = a.Timeout, helmkube.HookOnlyStrategy
		up.ServerSideApply = "auto"
		up.ResetValues = true // the values are whole: nothing of the last revision stays
		up.MaxHistory = maxHistory
		made, err = up.Run(a.Name, ch, values)
	}
	rec, rerr := record(made)
	if err != nil {
		return rec, err
	}
	return rec, rerr
}

// Uninstall removes a Helm release and its history.
func (h *Helm) Uninstall(name string, timeout time.Duration) error {
	s, err := h.open(nil)
	if err != nil {
		return err
	}
	un := action.NewUninstall(s.Configuration)
	un.Timeout, un.WaitStrategy = timeout, helmkube.StatusWatcherStrategy
	un.DeletionPropagation = "background"
	if _, err := un.Run(name); err != nil && !errors.Is(err, driver.ErrReleaseNotFound) {
		return fmt.Errorf("uninstall Helm release %s/%s: %w", h.namespace, name, err)
	}
	return nil
}

// load reads a chart and takes a copy of the values: Helm changes both while it
// renders.
func load(tgz []byte, values release.Values) (*chart.Chart, map[string]any, error) {
	ch, err := loader.LoadArchive(bytes.NewReader(tgz))
	if err != nil {
		return nil, nil, fmt.Errorf("read the packaged chart: %w", err)
	}
	have := map[string]bool{}
	for _, d := range ch.Dependencies() {
		have[d.Name()] = true
	}
	for _, d := range ch.Metadata.Dependencies {
		if !have[d.Name] {
			return nil, nil, fmt.Errorf("chart %s asks for the chart %s, which is not in it: "+
				"run `helm dependency build` in the chart's folder", ch.Name(), d.Name)
		}
	}
	return ch, clone(map[string]any(values)).(map[string]any), nil
}

// clone copies a tree of values.
func clone(v any) any {
	switch v := v.(type) {
	case map[string]any:
		c := maps.Clone(v)
		if c == nil {
			c = map[string]any{}
		}
		for k, x := range c {
			c[k] = clone(x)
		}
		return c
	case release.Values:
		return clone(map[string]any(v))
	case []any:
		c := make([]any, len(v))
		for i, x := range v {
			c[i] = clone(x)
		}
		return c
	default:
		return v
	}
}
