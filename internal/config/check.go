package config

import (
	"fmt"
	"maps"
	"slices"

	"gauntlet/internal/lint"
)

// Check reports where a platform and a policy do not fit each other: hubs of
// unknown tiers, tiers without hubs, hubs that a tier's suites could not reach. The
// error is Problems.
func Check(p *Platform, pol *Policy) error {
	hubs, policy := p.src.again(), pol.src.again()
	tiers := make([]string, len(pol.Tiers))
	for i, t := range pol.Tiers {
		tiers[i] = t.Name
	}
	byTier := map[string][]string{}
	for _, name := range slices.Sorted(maps.Keys(p.Hubs)) {
		h, field := p.Hubs[name], child("hubs", name)
		byTier[h.Tier] = append(byTier[h.Tier], name)
		if !slices.Contains(tiers, h.Tier) {
			fix := "write " + oneOf(tiers) + ", or add the tier to the policy"
			if near := lint.Nearest(h.Tier, tiers); near != "" {
				fix = "did you mean " + near + "?"
			}
			hubs.bad(child(field, "tier"), fmt.Sprintf("the policy has no tier %q", h.Tier), fix)
			continue
		}
		const why = "the suites of tier %s ask the hub itself"
		hubs.needFor(child(field, "url"), h.URL, fmt.Sprintf(why, h.Tier), "add url: https://HOST")
		hubs.needFor(child(field, "apiTokenFrom"), h.APITokenFrom.Secret, fmt.Sprintf(why, h.Tier), "add apiTokenFrom: {secret: NAME, key: KEY}, a Secret in namespace "+h.Namespace)
	}
	for _, t := range pol.Tiers {
		field := child("tiers", t.Name)
		if len(byTier[t.Name]) == 0 {
			policy.bad(field, "no hub belongs to this tier: it would pass with nothing checked", "give a hub tier: "+t.Name+", or take the tier out")
			continue
		}
		t.checkHubs(p, policy, child(field, "order"), t.Order, byTier[t.Name])
		for i, wave := range t.Waves {
			t.checkHubs(p, policy, item(child(field, "waves"), i), wave, byTier[t.Name])
		}
	}
	for i, w := range pol.Freeze {
		for j, name := range w.Hubs {
			if _, ok := p.Hubs[name]; ok {
				continue
			}
			names := slices.Sorted(maps.Keys(p.Hubs))
			fix := "write " + oneOf(names)
			if near := lint.Nearest(name, names); near != "" {
				fix = "did you mean " + near + "?"
			}
			policy.bad(item(child(item("freeze", i), "hubs"), j), fmt.Sprintf("there is no hub %q", name), fix)
		}
	}
	all := append(hubs.problems, policy.problems...)
	all.sort()
	return all.Err()
}

// again is the document with no problems yet. One that was never parsed has only
// names for places.
func (d *document) again() *document {
	if d == nil {
		return newDocument("configuration")
	}
	return &document{file: d.file, at: d.at, unread: d.unread}
}

func (d *document) needFor(field, value, why, fix string) {
	if value == "" {
		d.bad(field, "it is required: "+why, fix)
	}
}
