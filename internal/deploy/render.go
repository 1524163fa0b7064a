package deploy

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"gauntlet/internal/check"
	"gauntlet/internal/deploy/helm"
	"gauntlet/internal/kube"
	"gauntlet/internal/release"
)

// A Rendering is one hub's chart and values, to be tried against its cluster.
type Rendering struct {
	Hub         string
	Cluster     string                       // kubeconfig context, to name it when it is down
	Connect     func() (*kube.Client, error) // to that cluster
	Namespace   string                       // made when it does not exist: without it nothing can be tried
	ReleaseName string
	Chart       []byte
	Values      release.Values
}

// renderForm says what the suite does; it changes when that changes.
const renderForm = "render v1: schema, lookups, server-side dry run of every object and hook"

// RenderSuite is the suite "render": each hub's chart and values are rendered and
// dry-run against its own cluster, one check per hub ("HUB renders"). Nothing but
// an absent namespace is made.
func RenderSuite(hubs []Rendering) check.Suite {
	sum := sha256.Sum256([]byte(renderForm))
	s := check.Suite{Name: "render", Digest: hex.EncodeToString(sum[:])}
	for _, r := range hubs {
		s.Checks = append(s.Checks, check.Check{
			Name: r.Hub + " renders", Timeout: 2 * time.Minute,
			Run: func(ctx context.Context) (string, error) { return r.try(ctx) },
		})
	}
	return s
}

func (r Rendering) try(ctx context.Context) (string, error) {
	c, err := r.Connect()
	if err != nil {
		return "", err
	}
	if _, err := c.ServerTime(ctx); err != nil {
		return "", fmt.Errorf("cluster %s is down or cannot be reached: %w", r.Cluster, err)
	}
	if err := c.EnsureNamespace(ctx, r.Namespace); err != nil {
		return "", err
	}
	h := helm.New(c, r.Namespace, nil)
	history, err := h.History(r.ReleaseName)
	if err != nil {
		return "", err
	}
	n, untried, err := h.DryRun(helm.Apply{Name: r.ReleaseName, Chart: r.Chart, Values: r.Values}, history)
	if err != nil {
		return "", errors.New(clip(err))
	}
	pass := "objects pass"
	if n == 1 {
		pass = "object passes"
	}
	text := fmt.Sprintf("%d %s a dry run in cluster %s", n, pass, r.Cluster)
	if len(untried) > 0 {
		var names []string
		for _, o := range untried {
			names = append(names, o.String())
		}
		text += fmt.Sprintf("; not tried, since the chart brings their kinds when it is installed: %s", kube.OneLine(strings.Join(names, ", ")))
	}
	return text, nil
}

// toldRefusals is how many objects that were refused are told of.
const toldRefusals = 5

// clip makes a bounded line of what Helm or the API server says: of every object that
// was refused, when there are several.
func clip(err error) string {
	text, all := err.Error(), joined(err)
	if len(all) < 2 {
		return shorten(text)
	}
	said, _, _ := strings.Cut(text, all[0].Error())
	var parts []string
	for _, one := range all[:min(len(all), toldRefusals)] {
		parts = append(parts, shorten(one.Error()))
	}
	if n := len(all) - toldRefusals; n > 0 {
		parts = append(parts, fmt.Sprintf("and %d more", n))
	}
	return shorten(said) + " " + strings.Join(parts, "; ")
}

// joined are the errors that one of several was made of, at whatever depth.
func joined(err error) []error {
	switch e := err.(type) {
	case interface{ Unwrap() []error }:
		var out []error
		for _, one := range e.Unwrap() {
			if more := joined(one); len(more) > 1 {
				out = append(out, more...)
			} else {
				out = append(out, one)
			}
		}
		return out
	case interface{ Unwrap() error }:
		return joined(e.Unwrap())
	}
	return nil
}

// shorten makes a bounded line. Errors are wrapped deeply: the object comes first and
// the cause last, so those two stay.
func shorten(s string) string {
	const head, tail = 100, 180
	r := []rune(strings.Join(strings.Fields(s), " "))
	if len(r) > head+tail {
		return kube.OneLine(string(r[:head]) + " … " + string(r[len(r)-tail:]))
	}
	return kube.OneLine(string(r))
}
