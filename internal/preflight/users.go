package preflight

import (
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"gauntlet/internal/plan"
	"gauntlet/internal/preflight/codes"
)

// cutOff tells of what users come in by and that restarts or moves.
func cutOff(f *Facts) []Finding {
	var out []Finding
	for _, g := range plan.Compare(plan.Input{Pairs: f.Objects, Doors: f.Doors}) {
		if g.Name != plan.CutOff {
			continue
		}
		for _, it := range g.Items {
			out = append(out, Finding{Code: codes.UsersCutOff, Object: it.Object, Cause: it.Action + ": " + it.Effect,
				Fix: "see `gauntlet plan` for what changes, and deploy when few are connected"})
		}
	}
	return out
}

// networkPolicies tells of policies that change under a hub that runs.
func networkPolicies(f *Facts) []Finding {
	if !f.Helm.Installed() {
		return nil
	}
	var out []Finding
	for _, g := range plan.Compare(plan.Input{Pairs: f.Objects, Doors: f.Doors}) {
		if g.Name != plan.Network {
			continue
		}
		for _, it := range g.Items {
			if !strings.HasPrefix(it.Object, "NetworkPolicy/") || it.Action == plan.Kept {
				continue
			}
			what := it.Action
			if it.Action == plan.Changed {
				lines := slices.DeleteFunc(slices.Clone(it.Lines), func(l string) bool { return strings.HasPrefix(l, "metadata.") })
				if len(lines) == 0 && it.More == 0 {
					continue // a label lets nothing through
				}
				what += ": " + strings.Join(lines[:min(3, len(lines))], "; ")
			}
			out = append(out, Finding{Code: codes.NetworkPolicy, Object: it.Object, Cause: what,
				Fix: "make sure that users' servers still reach the hub, their gateway and what they work with"})
		}
	}
	return out
}

// young is how new a pod may be without the hub's list, which was asked for at
// another moment, naming it.
const young = 2 * time.Minute

// leaked tells of users' pods that the hub does not know and that hold a volume: the
// user's next server waits for it.
func leaked(f *Facts) []Finding {
	if !f.UsersKnown {
		return nil
	}
	var out []Finding
	for i := range f.Pods {
		p := &f.Pods[i]
		user, ours := p.Annotations["hub.jupyter.org/username"]
		if p.Labels["component"] != "singleuser-server" || !ours || ended(p) || f.Now.Sub(p.CreationTimestamp.Time) < young {
			continue
		}
		if f.Servers[user+"/"+p.Annotations["hub.jupyter.org/servername"]] {
			continue
		}
		for _, v := range p.Spec.Volumes {
			if v.PersistentVolumeClaim == nil {
				continue
			}
			out = append(out, Finding{Code: codes.ServerLeaked, Object: "Pod/" + p.Name,
				Cause: fmt.Sprintf("the hub has no such server, and the pod holds claim %s of a user", v.PersistentVolumeClaim.ClaimName),
				Fix:   fmt.Sprintf("kubectl --context %s -n %s delete pod %s, once nothing in it is needed", f.Cluster, f.Namespace, p.Name)})
			break
		}
	}
	return out
}

func ended(p *corev1.Pod) bool {
	return p.Status.Phase == corev1.PodSucceeded || p.Status.Phase == corev1.PodFailed
}
