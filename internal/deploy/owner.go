package deploy

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"gauntlet/internal/deploy/helm"
	"gauntlet/internal/kube"
)

// Tools that keep a cluster as they want it.
const (
	argo = "Argo CD"
	flux = "Flux"
)

// An owner is what a tool has noted on an object, in one line.
type owner struct {
	Tool      string
	Kind      string // "Application", "HelmRelease", "Kustomization"; "" when it is not known
	Name      string // "" when it is not known
	Namespace string // of Name; "" when it is not known
	Mark      string // where it is noted
}

// An OwnedError says that another tool keeps a hub's objects as it wants them: it would
// undo what gauntlet does.
type OwnedError struct {
	Context, Namespace string
	Owner              owner
	Objects            []string // sorted
}

func (e *OwnedError) Error() string {
	o := e.Owner
	whose := o.Tool
	if o.Name != "" {
		whose = fmt.Sprintf("%s (%s %s)", o.Tool, strings.ToLower(o.Kind), strings.TrimPrefix(o.Namespace+"/"+o.Name, "/"))
	}
	return fmt.Sprintf("%s owns objects of this hub in namespace %s of cluster %s, and would put back what gauntlet changes: %s bear %s\n    fix: %s",
		kube.OneLine(whose), e.Namespace, e.Context, listed(e.Objects[:min(len(e.Objects), 5)])+more(len(e.Objects)-5), o.Mark, e.fix())
}

func more(n int) string {
	if n <= 0 {
		return ""
	}
	return fmt.Sprintf(" and %d more", n)
}

// fix is how the tool lets go of the hub.
func (e *OwnedError) fix() string {
	o := e.Owner
	in := ""
	if o.Namespace != "" {
		in = " -n " + o.Namespace
	}
	switch {
	case o.Tool == argo && o.Name != "":
		return fmt.Sprintf("`argocd app set %[1]s --sync-policy none` lets it rest, `argocd app delete %[1]s --cascade=false` lets it go; "+
			"where its Application is not in this cluster, take the mark off too: `kubectl --context %[2]s -n %[3]s annotate %[4]s %[5]s-`",
			o.Name, e.Context, e.Namespace, e.Objects[0], o.Mark)
	case o.Tool == flux && o.Name != "":
		kind := strings.ToLower(o.Kind)
		return fmt.Sprintf("`flux suspend %[1]s %[2]s%[3]s` lets it rest; suspended, `kubectl delete %[1]s %[2]s%[3]s` lets it go and keeps the hub; "+
			"where it is not in this cluster, take the mark off too: `kubectl --context %[4]s -n %[5]s label %[6]s %[7]s-`",
			kind, o.Name, in, e.Context, e.Namespace, e.Objects[0], o.Mark)
	}
	return fmt.Sprintf("find out who still applies them (`kubectl --context %s -n %s get %s -o yaml --show-managed-fields`) and take the hub out of there",
		e.Context, e.Namespace, e.Objects[0])
}

// ownerOf reads what tools note on objects, the plainest first.
func ownerOf(m helm.Meta) (owner, bool) {
	const (
		tracking  = "argocd.argoproj.io/tracking-id"
		instance  = "argocd.argoproj.io/instance"
		release   = "helm.toolkit.fluxcd.io/"
		kustomize = "kustomize.toolkit.fluxcd.io/"
		managedBy = "app.kubernetes.io/managed-by"
	)
	if id := m.Annotations[tracking]; id != "" { // of any form; labels are of a strict one
		app, _, _ := strings.Cut(kube.OneLine(id), ":")
		o := owner{Tool: argo, Kind: "Application", Name: app, Mark: tracking}
		if ns, name, ok := strings.Cut(app, "_"); ok { // an application outside of Argo's own namespace
			o.Namespace, o.Name = ns, name
		}
		return o, true
	}
	if app := m.Labels[instance]; app != "" {
		return owner{Tool: argo, Kind: "Application", Name: app, Mark: instance}, true
	}
	for prefix, kind := range map[string]string{release: "HelmRelease", kustomize: "Kustomization"} {
		if name := m.Labels[prefix+"name"]; name != "" {
			return owner{Tool: flux, Kind: kind, Name: name, Namespace: m.Labels[prefix+"namespace"], Mark: prefix + "name"}, true
		}
	}
	switch strings.ToLower(m.Labels[managedBy]) {
	case "argocd", "argo-cd":
		return owner{Tool: argo, Mark: managedBy}, true
	case "flux", "fluxcd":
		return owner{Tool: flux, Mark: managedBy}, true
	}
	for _, who := range m.Managers {
		switch who {
		case "argocd-controller", "argocd-application-controller":
			return owner{Tool: argo, Mark: "fields of manager " + who}, true
		case "helm-controller", "kustomize-controller":
			return owner{Tool: flux, Mark: "fields of manager " + who}, true
		}
	}
	return owner{}, false
}

// owners is an *OwnedError when another tool keeps the hub's objects: those of what
// runs and, where nothing is installed, those that next would make. One that has been
// told to let them rest is none.
func owners(ctx context.Context, c *kube.Client, h *helm.Helm, namespace string, history []helm.Record, next *helm.Apply) error {
	ctx, cancel := context.WithTimeoutCause(ctx, 3*askTime, fmt.Errorf("no answer in %s", 3*askTime))
	defer cancel()
	runs := history[:min(1, len(history))]
	if i := slices.IndexFunc(history, func(r helm.Record) bool { return r.Status == helm.Deployed }); i > 0 {
		runs = []helm.Record{history[0], history[i]}
	}
	if len(runs) > 0 {
		next = nil
	}
	metas, err := h.Metas(ctx, runs, next, history)
	if err != nil && len(runs) == 0 && ctx.Err() == nil {
		return nil // what cannot be rendered is told where it is to be applied
	}
	if err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return fmt.Errorf("find out whose the hub's objects are: %w", err)
	}
	by := map[owner][]string{}
	for _, m := range metas {
		if o, ok := ownerOf(m); ok {
			by[o] = append(by[o], m.String())
		}
	}
	var first *OwnedError
	for o, objects := range by {
		if rests(ctx, h, o) {
			continue
		}
		slices.Sort(objects)
		e := &OwnedError{Context: c.Context, Namespace: namespace, Owner: o, Objects: objects}
		if first == nil || len(objects) > len(first.Objects) || len(objects) == len(first.Objects) && e.Error() < first.Error() {
			first = e
		}
	}
	if first != nil {
		return first
	}
	return nil
}

// rests says whether an owner leaves its objects alone: it was told to, or it is gone
// from a cluster that knows its kind. What cannot be read is taken to be at work.
func rests(ctx context.Context, h *helm.Helm, o owner) bool {
	kinds := map[string]schema.GroupKind{
		"Application":   {Group: "argoproj.io", Kind: "Application"},
		"HelmRelease":   {Group: "helm.toolkit.fluxcd.io", Kind: "HelmRelease"},
		"Kustomization": {Group: "kustomize.toolkit.fluxcd.io", Kind: "Kustomization"},
	}
	kind, ok := kinds[o.Kind]
	if !ok || o.Name == "" {
		return false
	}
	list, known, err := h.Custom(ctx, kind, o.Namespace)
	if err != nil || !known {
		return false
	}
	return !slices.ContainsFunc(list, func(u unstructured.Unstructured) bool { return u.GetName() == o.Name && atWork(o.Kind, u) })
}

// atWork says whether what a tool was told lets it change the cluster by itself.
func atWork(kind string, u unstructured.Unstructured) bool {
	if kind != "Application" {
		suspended, _, _ := unstructured.NestedBool(u.Object, "spec", "suspend")
		return !suspended
	}
	auto, found, err := unstructured.NestedMap(u.Object, "spec", "syncPolicy", "automated")
	if err != nil {
		return true
	}
	enabled, said := auto["enabled"].(bool)
	return found && (!said || enabled)
}

// Standing is nil when Deploy may change the hub: nobody else owns it, and nothing that
// another tool gave it would be lost. Deploy looks at the latter again, under the lock.
func Standing(ctx context.Context, r Request) error {
	h := helm.New(r.Client, r.Namespace, nil)
	history, err := h.History(r.ReleaseName)
	if err != nil {
		return err
	}
	if len(history) > 0 && history[0].Status == helm.Uninstalled {
		history = nil
	}
	next := &helm.Apply{Name: r.ReleaseName, Chart: r.Chart, Values: r.Values}
	if err := owners(ctx, r.Client, h, r.Namespace, history, next); err != nil {
		return err
	}
	if blocked := r.standing(history).Blocked; blocked != nil && (blocked.Pending || !r.Adopt) {
		return blocked
	}
	return r.lost(history)
}
