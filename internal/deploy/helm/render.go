package helm

import (
	"fmt"
	"slices"

	"helm.sh/helm/v4/pkg/action"
	helmkube "helm.sh/helm/v4/pkg/kube"
	release1 "helm.sh/helm/v4/pkg/release/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/cli-runtime/pkg/resource"
)

// DryRun renders what InstallOrUpgrade would apply, with the cluster's versions and
// with lookups into it, and sends every object to the API server as a server-side
// dry run: schema, admission and quota have their say, nothing is kept. The
// namespace must exist. It returns how many objects it tried, and which it could not
// because the chart brings their kinds.
//
// An interrupted or failed release is no hindrance.
func (h *Helm) DryRun(a Apply, history []Record) (tried int, untried []Object, err error) {
	s, r, err := h.render(a, history)
	if err != nil {
		return 0, nil, err
	}
	list, left, err := s.dry.build(r.Manifest, true)
	if err != nil {
		return 0, nil, err
	}
	for _, o := range left {
		u := unstructured.Unstructured{Object: o}
		untried = append(untried, Object{u.GetKind(), u.GetNamespace(), u.GetName()})
	}
	tried, err = h.tryOut(s, list, r, history)
	return tried, untried, err
}

// upgrades says whether the next revision upgrades a release that is there.
func upgrades(history []Record) bool { return len(history) > 0 && history[0].Status != Uninstalled }

// clientSide says whether a release was never applied server-side.
func clientSide(history []Record) bool {
	return upgrades(history) && history[0].release.ApplyMethod != string(release1.ApplyMethodServerSideApply)
}

// render renders a release and keeps nothing of it.
func (h *Helm) render(a Apply, history []Record) (session, *release1.Release, error) {
	ch, values, err := load(a.Chart, a.Values)
	if err != nil {
		return session{}, nil, err
	}
	s, err := h.open(nil)
	if err != nil {
		return session{}, nil, err
	}
	s.dry = forgiving{waiting: waiting{Client: s.kube, verb: "deploy"}}
	if !upgrades(history) {
		if s.dry.brought, err = s.bringsKinds(ch); err != nil {
			return session{}, nil, err
		}
	}
	s.KubeClient = s.dry
	in := action.NewInstall(s.Configuration)
	in.DryRunStrategy = action.DryRunServer
	in.ReleaseName, in.Namespace, in.IsUpgrade = a.Name, h.namespace, upgrades(history)
	in.WaitStrategy = helmkube.HookOnlyStrategy
	made, err := in.Run(ch, values)
	if err != nil {
		return session{}, nil, err
	}
	r, ok := made.(*release1.Release)
	if !ok {
		return session{}, nil, fmt.Errorf("helm rendered something of an unknown form (%T)", made)
	}
	return s, r, nil
}

// tryOut sends objects, and the hooks of their release, as a dry run. Each object
// then holds what the API server would make of it. It returns how many it tried.
func (h *Helm) tryOut(s session, objects helmkube.ResourceList, r *release1.Release, history []Record) (int, error) {
	list := slices.Clone(objects)
	for _, hook := range r.Hooks {
		more, _, err := s.dry.build(hook.Manifest, true)
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
		return 0, fmt.Errorf("chart %s renders no object at all with these values", r.Chart.Name())
	}
	// A release that was never applied server-side has fields that helm owns
	// under another title: no conflict of Helm's own way to apply.
	_, err := s.kube.Create(list,
		helmkube.ClientCreateOptionServerSideApply(true, clientSide(history)),
		helmkube.ClientCreateOptionDryRun(true))
	if err != nil {
		return 0, fmt.Errorf("the API server refuses it: %w", err)
	}
	return len(list), nil
}
