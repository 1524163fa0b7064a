package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// maxPrePull bounds how long images may be waited for.
const maxPrePull = 24 * time.Hour

// checkPrePuller checks the value paths of a chart's puller.
func (d *document) checkPrePuller(p PrePuller) {
	const field = "chart.prePuller"
	for at, s := range map[string]string{"nodeSelector": p.NodeSelector, "startTimeout": p.StartTimeout} {
		if s != "" {
			d.path(child(field, at), s)
		}
	}
	for i, s := range p.Tolerations {
		d.path(item(child(field, "tolerations"), i), s)
	}
	for i, s := range p.PullSecrets {
		d.path(item(child(field, "pullSecrets"), i), s)
	}
}

func (d *document) checkPools(p *Platform, field string, pools []Pool) {
	for i, pool := range pools {
		f := item(field, i)
		if d.need(child(f, "name"), pool.Name, "users") {
			d.label(child(f, "name"), pool.Name)
			if slices.IndexFunc(pools, func(o Pool) bool { return o.Name == pool.Name }) < i {
				d.bad(child(f, "name"), fmt.Sprintf("the pool %q stands twice", pool.Name), "give each pool its own name")
			}
		}
		if pool.Min != nil && *pool.Min < 0 {
			d.bad(child(f, "min"), fmt.Sprintf("%d is no number of nodes", *pool.Min), "write 0 when the pool may be scaled to nothing, else how many nodes it always has")
		}
		for _, key := range slices.Sorted(maps.Keys(pool.NodeSelector)) {
			if key == "" {
				d.bad(child(f, "nodeSelector"), "a label has no name", "write LABEL: VALUE")
			}
		}
		for j, t := range pool.Tolerations {
			d.checkToleration(item(child(f, "tolerations"), j), t)
		}
		d.names(child(f, "images"), "image", pool.Images)
		for j, image := range pool.Images {
			// With a slash it is a reference of an image that others built.
			if at := item(child(f, "images"), j); strings.Contains(image, "/") {
				d.reference(at, image)
			} else {
				d.knownImage(p, at, image)
			}
		}
	}
}

// checkToleration checks what Kubernetes would refuse of a toleration.
func (d *document) checkToleration(field string, t map[string]any) {
	for _, key := range slices.Sorted(maps.Keys(t)) {
		if !slices.Contains([]string{"key", "operator", "value", "effect", "tolerationSeconds"}, key) {
			d.bad(child(field, key), "a toleration has no such key", "write key, operator (Exists or Equal), value and effect")
		}
	}
	for key, words := range map[string][]string{
		"operator": {"Exists", "Equal"},
		"effect":   {"NoSchedule", "PreferNoSchedule", "NoExecute"},
	} {
		if v, ok := t[key]; ok && !slices.Contains(words, fmt.Sprint(v)) {
			d.bad(child(field, key), fmt.Sprintf("%q is not known here", fmt.Sprint(v)), "write "+oneOf(words))
		}
	}
	if fmt.Sprint(t["operator"]) == "Exists" && t["value"] != nil {
		d.bad(child(field, "value"), "a toleration that only asks whether the taint exists has no value", "take out value, or write operator: Equal")
	}
}
