package config

import (
	"fmt"
	"slices"
)

// Plan is how a release goes over hubs of the tier: one wave after another, the hubs of a
// wave side by side. Without waves each hub is one of its own, in order. Hubs that the
// policy does not name come last, one after another, by name.
func (t Tier) Plan(hubs []string) [][]string {
	waves := t.Waves
	if len(waves) == 0 {
		waves = alone(t.Order)
	}
	var plan [][]string
	named := map[string]bool{}
	for _, wave := range waves {
		var here []string
		for _, h := range wave {
			if slices.Contains(hubs, h) && !named[h] {
				named[h] = true
				here = append(here, h)
			}
		}
		if len(here) > 0 {
			plan = append(plan, here)
		}
	}
	others := slices.DeleteFunc(slices.Sorted(slices.Values(hubs)), func(h string) bool { return named[h] })
	return append(plan, alone(slices.Compact(others))...)
}

// alone makes each hub a wave.
func alone(hubs []string) [][]string {
	var waves [][]string
	for _, h := range hubs {
		waves = append(waves, []string{h})
	}
	return waves
}

// checkWaves checks what a policy says of waves, but for which hubs there are.
func (d *document) checkWaves(field string, t *Tier) {
	f := child(field, "waves")
	parallel := child(field, "maxParallel")
	if _, written := d.at[f]; written && !d.reported(f) {
		switch {
		case len(t.Order) > 0:
			d.bad(f, "there is an order too: nobody could tell which holds", "keep one of the two; a wave of one hub is [[HUB], …]")
		case t.Hubs == "any":
			d.bad(f, "one hub of the tier is enough, so there is nothing that waves would go over", "take it out, or write hubs: all")
		}
	}
	seen := map[string]bool{}
	for i, wave := range t.Waves {
		g := item(f, i)
		if len(wave) == 0 && !d.reported(g) {
			d.bad(g, "it names no hub", "name one, or take the wave out")
		}
		for j, h := range wave {
			switch e := item(g, j); {
			case d.reported(e):
			case h == "":
				d.bad(e, "it names no hub", "name one, or take the entry out")
			case seen[h]:
				d.bad(e, fmt.Sprintf("%q stands twice", h), "keep one of the two")
			}
			seen[h] = true
		}
	}
	if _, written := d.at[parallel]; !written || d.reported(parallel) {
		return
	}
	switch {
	case t.MaxParallel < 1:
		d.bad(parallel, "no hub could ever be deployed", "write 1 or more, or take it out")
	case len(t.Waves) == 0 && !d.reported(f):
		d.bad(parallel, "without waves the hubs follow each other one by one", "add waves: [[HUB, HUB], …], or take it out")
	}
}

// checkHubs checks that hubs which a tier names are hubs of it.
func (t Tier) checkHubs(p *Platform, policy *document, field string, names, of []string) {
	for i, name := range names {
		if slices.Contains(of, name) {
			continue
		}
		cause := fmt.Sprintf("there is no hub %q", name)
		if h, ok := p.Hubs[name]; ok {
			cause = fmt.Sprintf("hub %s belongs to tier %s", name, h.Tier)
		}
		policy.bad(item(field, i), cause, "name hubs of this tier: "+oneOf(of))
	}
}
