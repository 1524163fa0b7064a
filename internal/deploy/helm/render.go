package helm

import (
	"bytes"
	"fmt"

	"helm.sh/helm/v4/pkg/action"
	helmkube "helm.sh/helm/v4/pkg/kube"
	release1 "helm.sh/helm/v4/pkg/release/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/cli-runtime/pkg/resource"
)

// DryRun renders what InstallOrUpgrade would apply, with the cluster's versions and
// with lookups into it, and sends every object to the API server as a server-side
// dry run: schema, admission and quota have their say, nothing is kept. The
// namespace must exist. It returns how many objects it tried.
//
// An interrupted or failed release is no hindrance.
func (h *Helm) DryRun(a Apply, history []Record) (int, error) {
	ch, values, err := load(a.Chart, a.Values)
	if err != nil {
		return 0, err
	}
	s, err := h.open(nil)
	if err != nil {
		return 0, err
	}
	upgrade := len(history) > 0 && history[0].Status != Uninstalled
	in := action.NewInstall(s.Configuration)
	in.DryRunStrategy = action.DryRunServer
	in.ReleaseName, in.Namespace, in.IsUpgrade = a.Name, h.namespace, upgrade
	in.WaitStrategy = helmkube.HookOnlyStrategy
	made, err := in.Run(ch, values)
	if err != nil {
		return 0, err
	}
	r, ok := made.(*release1.Release)
	if !ok {
		return 0, fmt.Errorf("helm rendered something of an unknown form (%T)", made)
	}
	// A release that was never applied server-side has fields that helm owns
	// under another title: no conflict of Helm's own way to apply.
	force := upgrade && history[0].release.ApplyMethod != string(release1.ApplyMethodServerSideApply)

	list, err := s.kube.Build(bytes.NewBufferString(r.Manifest), true)
	if err != nil {
		return 0, err
	}
	for _, hook := range r.Hooks {
		more, err := s.kube.Build(bytes.NewBufferString(hook.Manifest), true)
		if err != nil {
			return 0, fmt.Errorf("hook %s: %w", hook.Path, err)
		}
		for _, info := range more {
			// What is left of an earlier run goes away before the hook is made.
			switch _, err := resource.NewHelper(info.Client, info.Mapping).Get(info.Namespace, info.Name); {
			case apierrors.IsNotFound(err):
				list.Append(info)
			case err != nil:
				return 0, fmt.Errorf("hook %s: %w", hook.Path, err)
			}
		}
	}
	if len(list) == 0 {
		return 0, fmt.Errorf("chart %s renders no object at all with these values", ch.Name())
	}
	_, err = s.kube.Create(list,
		helmkube.ClientCreateOptionServerSideApply(true, force),
		helmkube.ClientCreateOptionDryRun(true))
	if err != nil {
		return 0, fmt.Errorf("the API server refuses it: %w", err)
	}
	return len(list), nil
}
