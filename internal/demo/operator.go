package demo

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"gauntlet/internal/chart"
	"gauntlet/internal/deploy/helm"
	"gauntlet/internal/kube"
	"gauntlet/internal/release"
	"gauntlet/lab"
)

// operator is the namespace and the Helm release of the Dask operator.
const operator = "dask-operator"

// operatorStarts bounds the wait until the operator runs in every cluster.
const operatorStarts = 3 * time.Minute

// installOperator brings the Dask operator into every cluster, once per cluster: what
// the platform stands on and no release of gauntlet's carries.
func (d *Demo) installOperator(ctx context.Context) error {
	if err := InstallOperator(ctx, d.opts.Example, d.title, d.progress); err != nil {
		return fmt.Errorf("install the Dask operator: %w", err)
	}
	return nil
}

// InstallOperator makes the image of the Dask operator and installs its chart in every
// cluster of the lab, unless it runs there so already.
func InstallOperator(ctx context.Context, example string, title func(string, ...any), progress func(string)) error {
	folder := filepath.Join(example, operator)
	digest, err := makeImage(ctx, made{
		name: operator, example: example, title: "the image of the Dask operator (about 15 s)",
		recipe: []string{filepath.Join(folder, "Dockerfile"), filepath.Join(folder, "operator.lock")},
	}, title, progress)
	if err != nil {
		return err
	}
	packed, err := chart.Fetcher{}.Pack(ctx, filepath.Join(folder, "chart"))
	if err != nil {
		return err
	}
	tag, err := tagIn(filepath.Join(folder, "chart", "values.yaml"), "image.tag")
	if err != nil {
		return err
	}
	values, err := release.ParseValues("values", fmt.Appendf(nil, "image: {tag: %q}", tag+"@"+string(digest)))
	if err != nil {
		return err
	}
	said := fmt.Sprintf("chart %s, image %s", release.DigestOf(packed).Short(), digest.Short())
	var clusters []*kube.Client
	for _, cluster := range lab.Clusters() {
		c, err := kube.Connect(cluster.Name)
		if err != nil {
			return err
		}
		h := helm.New(c, operator, nil)
		history, err := h.History(operator)
		if err != nil {
			return err
		}
		if len(history) > 0 && history[0].Status == helm.Deployed && history[0].Description == said {
			continue
		}
		if len(clusters) == 0 {
			title("the Dask operator, in every cluster")
		}
		if err := c.EnsureNamespace(ctx, operator); err != nil {
			return err
		}
		if _, err := h.InstallOrUpgrade(helm.Apply{Name: operator, Chart: packed, Values: values, Description: said, Timeout: time.Minute}, history); err != nil {
			return fmt.Errorf("%s: %w", cluster.Name, err)
		}
		progress(cluster.Name)
		clusters = append(clusters, c)
	}
	ctx, cancel := context.WithTimeout(ctx, operatorStarts)
	defer cancel()
	for _, c := range clusters {
		for {
			dep, err := c.AppsV1().Deployments(operator).Get(ctx, operator, metav1.GetOptions{})
			if err == nil && dep.Status.ObservedGeneration >= dep.Generation && dep.Status.UpdatedReplicas > 0 && dep.Status.AvailableReplicas > 0 {
				break
			}
			if kube.Sleep(ctx, time.Second) != nil {
				return fmt.Errorf("it does not run in cluster %s after %s: see kubectl --context %s -n %s get pods", c.Context, operatorStarts, c.Context, operator)
			}
		}
	}
	return nil
}
