package deploy

import (
	"context"
	"fmt"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"gauntlet/internal/deploy/helm"
	"gauntlet/internal/kube"
	"gauntlet/internal/plan"
)

// A Plan is what Deploy would do with a request now.
type Plan struct {
	Revision int           // that the hub is at; 0: nothing is installed
	Reused   bool          // the hub runs it already: Deploy makes no revision
	Groups   []plan.Group  // what would change
	Differs  []string      // objects that somebody changed and that a reused revision leaves so
	Notes    []string      // what else there is to know; may quote the cluster
	Blocked  *ForeignError // another tool's revision, which Deploy refuses without Adopt
	Seen     plan.Input    // what was compared; nothing when it could not be
}

// Preview says what Deploy would change, and changes nothing. The namespace must
// exist. It takes no lock: what it says holds until somebody changes the hub.
func Preview(ctx context.Context, r Request) (Plan, error) {
	if _, err := r.Client.ServerTime(ctx); err != nil {
		return Plan{}, fmt.Errorf("cluster %s is down or cannot be reached: %w", r.Client.Context, err)
	}
	seen, err := Rehearse(ctx, r)
	if err != nil {
		return Plan{}, err
	}
	p := r.standing(seen.history)
	if seen.Refused != nil {
		if p.Reused { // a deploy would not even try
			p.Notes = append(p.Notes, "it cannot be compared with what is live: "+seen.Refused.Error())
			return p, nil
		}
		return Plan{}, seen.Refused
	}
	in := plan.Input{Pairs: seen.Pairs}
	missing := slices.ContainsFunc(seen.Pairs, func(p plan.Pair) bool { return p.Live == nil })
	for _, hook := range seen.Hooks {
		in.Hooks = append(in.Hooks, plan.Hook{Object: hook.Object, On: hook.On, Manifest: hook.Manifest})
	}
	if in.Doors, err = Doors(ctx, r.Client, r.Namespace); err != nil {
		p.Notes = append(p.Notes, fmt.Sprintf("how users come in is judged by the release alone: %v", err))
	}
	if seen.ClientSide {
		p.Notes = append(p.Notes, "Helm applies this release client-side: what the new version no longer sets is not shown as removed")
	}
	p.Groups, p.Seen = plan.Compare(in), in
	p.Reused = p.Reused && !missing // what somebody deleted is put back
	if p.Reused {
		p.Differs, p.Groups = objectsOf(p.Groups), nil
	}
	return p, nil
}

// standing is what the history says of the deployment to come.
func (r Request) standing(history []helm.Record) Plan {
	if len(history) == 0 || history[0].Status == helm.Uninstalled {
		return Plan{}
	}
	newest := history[0]
	p := Plan{Revision: newest.Revision, Reused: r.isAt(newest)}
	switch {
	case adopted(newest.Labels, newest.Revision) && !newest.Pending():
		p.Notes = append(p.Notes, fmt.Sprintf("revision %d was made by another tool and taken over", newest.Revision))
	case !ours(newest.Labels, newest.Revision):
		p.Blocked = &ForeignError{Context: r.Client.Context, Namespace: r.Namespace, ReleaseName: r.ReleaseName,
			Revision: newest.Revision, Status: newest.Status, Pending: newest.Pending()}
	case newest.Pending():
		p.Notes = append(p.Notes, fmt.Sprintf("revision %d is unfinished (%s): a deploy is at work, or was interrupted", newest.Revision, newest.Status))
	case newest.Status == helm.Failed:
		p.Notes = append(p.Notes, fmt.Sprintf("revision %d failed: what is live may be of it", newest.Revision))
	}
	return p
}

func objectsOf(groups []plan.Group) []string {
	var out []string
	for _, g := range groups {
		for _, it := range g.Items {
			if it.Action == plan.Changed && g.Name != plan.Images && !slices.Contains(out, it.Object) {
				out = append(out, it.Object)
			}
		}
	}
	return out
}

// Doors are the Services, Ingresses and HTTPRoutes of a namespace, whoever made them.
func Doors(ctx context.Context, c *kube.Client, namespace string) ([]plan.Object, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, askTime, fmt.Errorf("no answer in %s", askTime))
	defer cancel()
	services, err := c.CoreV1().Services(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, fmt.Errorf("list the Services: %w", err)
	}
	ingresses, err := c.NetworkingV1().Ingresses(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, fmt.Errorf("list the Ingresses: %w", err)
	}
	var out []plan.Object
	add := func(kind string, o any) error {
		m, err := runtime.DefaultUnstructuredConverter.ToUnstructured(o)
		if err != nil {
			return fmt.Errorf("read a %s: %w", kind, err)
		}
		m["kind"] = kind // lists leave it out
		out = append(out, m)
		return nil
	}
	for i := range services.Items {
		if err := add("Service", &services.Items[i]); err != nil {
			return nil, err
		}
	}
	for i := range ingresses.Items {
		if err := add("Ingress", &ingresses.Items[i]); err != nil {
			return nil, err
		}
	}
	routes, _, err := helm.New(c, namespace, nil).Custom(ctx, httpRoute, namespace)
	if err != nil {
		return out, fmt.Errorf("list the HTTPRoutes: %w", err)
	}
	for i := range routes {
		out = append(out, routes[i].Object)
	}
	return out, nil
}

// httpRoute is the kind of the Gateway API that leads users to a Service.
var httpRoute = schema.GroupKind{Group: "gateway.networking.k8s.io", Kind: "HTTPRoute"}
