package helm

import (
	"bytes"
	"context"
	"fmt"
	"slices"

	"golang.org/x/sync/errgroup"
	helmkube "helm.sh/helm/v4/pkg/kube"
	release1 "helm.sh/helm/v4/pkg/release/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/cli-runtime/pkg/resource"
)

// A Preview is what InstallOrUpgrade would do now.
type Preview struct {
	Objects []Previewed
	Hooks   []PreviewedHook // that it would run, by their weight
	// ClientSide says that the release is applied in the way of Helm 3, which the
	// preview is not: fields that the new manifest no longer sets still show.
	ClientSide bool
}

// Previewed is one object of the manifests, as JSON decodes; nil where there is none.
type Previewed struct {
	Live        map[string]any // as the API server has it
	New         map[string]any // as a server-side dry run returns it
	Once, Again map[string]any // two renderings, which differ in what is random
}

// A PreviewedHook is an object of a hook and the events it runs on.
type PreviewedHook struct {
	Object   string
	On       []string
	Manifest map[string]any // as it is rendered
}

// readsAtOnce is how many objects are asked for at the same time.
const readsAtOnce = 10

// Preview renders what InstallOrUpgrade would apply, tries it as DryRun does, and
// reads what is there now. Nothing is kept.
func (h *Helm) Preview(ctx context.Context, a Apply, history []Record) (Preview, error) {
	var (
		s             session
		first, second *release1.Release
		both          errgroup.Group // each asks the cluster much and computes little
	)
	both.Go(func() (err error) {
		s, first, err = h.render(a, history)
		return err
	})
	both.Go(func() (err error) {
		_, second, err = h.render(a, history)
		return err
	})
	if err := both.Wait(); err != nil {
		return Preview{}, err
	}
	list, left, err := s.dry.build(first.Manifest, true)
	if err != nil {
		return Preview{}, err
	}
	again, leftAgain, err := s.dry.build(second.Manifest, false)
	if err != nil {
		return Preview{}, err
	}
	p := Preview{ClientSide: clientSide(history), Objects: make([]Previewed, len(list))}
	var reads errgroup.Group
	reads.SetLimit(readsAtOnce)
	for i, info := range list {
		o := &p.Objects[i]
		reads.Go(func() (err error) {
			o.Live, err = live(ctx, info)
			return err
		})
		if o.Once, err = content(info.Object); err != nil {
			return Preview{}, err
		}
		o.Once = runtime.DeepCopyJSON(o.Once)
		if twin := again.Get(info); twin != nil {
			if o.Again, err = content(twin.Object); err != nil {
				return Preview{}, err
			}
		}
	}
	if err := reads.Wait(); err != nil {
		return Preview{}, err
	}
	if _, err := h.tryOut(s, list, first, history); err != nil {
		return Preview{}, err
	}
	for i, info := range list { // each now holds the answer
		if p.Objects[i].New, err = content(info.Object); err != nil {
			return Preview{}, err
		}
	}
	for i, o := range left { // nobody can say more of them
		made := Previewed{New: o, Once: o}
		if i < len(leftAgain) {
			made.Again = leftAgain[i]
		}
		p.Objects = append(p.Objects, made)
	}
	gone, err := h.gone(ctx, s, list, history)
	if err != nil {
		return Preview{}, err
	}
	p.Objects = append(p.Objects, gone...)
	p.Hooks, err = hooksOf(s, first, upgrades(history))
	return p, err
}

// gone are the objects of the manifest that runs which the new one lacks.
func (h *Helm) gone(ctx context.Context, s session, list helmkube.ResourceList, history []Record) ([]Previewed, error) {
	if !upgrades(history) {
		return nil, nil
	}
	runs := history[0]
	if i := slices.IndexFunc(history, func(r Record) bool { return r.Status == Deployed }); i >= 0 {
		runs = history[i]
	}
	old, err := s.kube.Build(bytes.NewBufferString(runs.release.Manifest), false)
	if err != nil {
		return nil, fmt.Errorf("read the manifest of revision %d: %w", runs.Revision, err)
	}
	var out []Previewed
	for _, info := range old.Difference(list) {
		o, err := live(ctx, info)
		if err != nil {
			return nil, err
		}
		if o != nil {
			out = append(out, Previewed{Live: o})
		}
	}
	return out, nil
}

// hooksOf are the hooks that run.
func hooksOf(s session, r *release1.Release, upgrade bool) ([]PreviewedHook, error) {
	events := []release1.HookEvent{release1.HookPreInstall, release1.HookPostInstall}
	if upgrade {
		events = []release1.HookEvent{release1.HookPreUpgrade, release1.HookPostUpgrade}
	}
	hooks := slices.Clone(r.Hooks)
	slices.SortStableFunc(hooks, func(a, b *release1.Hook) int { return a.Weight - b.Weight })
	var out []PreviewedHook
	for _, e := range events {
		for _, hook := range hooks {
			if !slices.Contains(hook.Events, e) {
				continue
			}
			list, _, err := s.dry.build(hook.Manifest, false)
			if err != nil {
				return nil, fmt.Errorf("hook %s: %w", hook.Path, err)
			}
			for i, o := range objects(list) {
				m, err := content(list[i].Object)
				if err != nil {
					return nil, fmt.Errorf("hook %s: %w", hook.Path, err)
				}
				out = append(out, PreviewedHook{Object: o.String(), On: []string{string(e)}, Manifest: m})
			}
		}
	}
	return out, nil
}

// live is an object as the API server has it, nil when it has none.
func live(ctx context.Context, info *resource.Info) (map[string]any, error) {
	if err := ctx.Err(); err != nil {
		return nil, context.Cause(ctx)
	}
	o, err := resource.NewHelper(info.Client, info.Mapping).Get(info.Namespace, info.Name)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read %s/%s: %w", info.Mapping.GroupVersionKind.Kind, info.Name, err)
	}
	return content(o)
}

func content(o runtime.Object) (map[string]any, error) {
	if u, ok := o.(*unstructured.Unstructured); ok {
		return u.Object, nil
	}
	m, err := runtime.DefaultUnstructuredConverter.ToUnstructured(o)
	if err != nil {
		return nil, fmt.Errorf("read an object: %w", err)
	}
	return m, nil
}
