package plan

import (
	"slices"
)

// workloads are the kinds whose controller replaces its pods when their template
// changes.
var workloads = []string{"Deployment", "StatefulSet", "DaemonSet"}

// template is the template of a workload's pods, nil when the object is none.
func template(o Object) map[string]any {
	if !slices.Contains(workloads, text(o, "kind")) {
		return nil
	}
	return mapAt(o, "spec", "template")
}

// doors are how users come in: the Services that are open to the outside, or that an
// Ingress or HTTPRoute leads to.
type doors struct {
	services []Object
	behind   map[string]bool // names of Services behind one of those
}

// doorsOf finds them among what is live and what is to come.
func doorsOf(in Input) doors {
	d := doors{behind: map[string]bool{}}
	see := func(o Object) {
		switch text(o, "kind") {
		case "Service":
			d.services = append(d.services, o)
		case "Ingress":
			d.lead(at(o, "spec", "defaultBackend"))
			for _, r := range listAt(o, "spec", "rules") {
				for _, p := range listAt(r, "http", "paths") {
					d.lead(at(p, "backend"))
				}
			}
		case "HTTPRoute":
			for _, r := range listAt(o, "spec", "rules") {
				for _, b := range listAt(r, "backendRefs") {
					if kind := at(b, "kind"); kind == nil || kind == "Service" {
						d.lead(map[string]any{"service": b})
					}
				}
			}
		}
	}
	for _, o := range in.Doors {
		see(o)
	}
	for _, p := range in.Pairs {
		see(p.Live)
		see(p.New)
	}
	return d
}

func (d doors) lead(backend any) {
	if n, ok := at(backend, "service", "name").(string); ok {
		d.behind[n] = true
	}
}

// opens says whether users come in by a Service.
func (d doors) opens(service Object) bool {
	switch text(service, "spec", "type") {
	case "NodePort", "LoadBalancer":
		return true
	}
	return d.behind[text(service, "metadata", "name")]
}

// reach says whether users' traffic goes to pods of a template.
func (d doors) reach(template map[string]any) bool {
	labels := mapAt(template, "metadata", "labels")
	return slices.ContainsFunc(d.services, func(s Object) bool {
		selector := mapAt(s, "spec", "selector")
		if len(selector) == 0 || !d.opens(s) {
			return false
		}
		for k, v := range selector {
			if labels[k] != v {
				return false
			}
		}
		return true
	})
}

// workload tells of a workload: its pods restart when their template differs.
func (c *comparison) workload(it Item, live, next Object, changes []change, again string) {
	it.Effect = again
	group, means := Restarts, ""
	if live != nil && c.doors.reach(template(live)) {
		group, means = CutOff, ", and users are cut off meanwhile"
	}
	stopped := func(o Object) bool { // kept at no pods at all
		n, ok := at(o, "spec", "replicas").(int64)
		return ok && n == 0
	}
	restarts := slices.ContainsFunc(changes, func(ch change) bool {
		return len(ch.path) > 1 && ch.under("spec") && ch.path[1].name == "template"
	})
	onDelete := text(next, "spec", "updateStrategy", "type") == "OnDelete"
	switch {
	case it.Action == Added:
		it.Effect = "its pods start"
		c.add(Others, it, nil)
	case it.Action == Removed:
		it.Effect = "its pods end"
		if group == CutOff {
			it.Effect += ": users come in through them"
		}
		c.add(group, it, nil)
	case stopped(live):
		it.Effect = join("it runs no pod now", again)
		c.add(Others, it, changes)
	case stopped(next):
		it.Effect = join("its pods end"+means, again)
		c.add(group, it, changes)
	case restarts && onDelete:
		it.Effect = join("its pods restart only when somebody deletes them (updateStrategy OnDelete)", again)
		c.add(Others, it, changes)
	case restarts:
		it.Effect = join("its pods restart"+means, again)
		c.add(group, it, changes)
	default:
		it.Effect = join("no pod restarts", again)
		c.add(Others, it, changes)
	}
}
