package prepull

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"gauntlet/internal/config"
)

// Pools are the pools of a hub: those of gauntlet.yaml, else one, where the values let
// users' pods run. refs are the references of the image set by name; usual names those
// that users run.
func Pools(hub string, h config.Hub, u Users, refs map[string]string, usual []string) ([]Pool, error) {
	quorum := int(h.PrePull.Quorum)
	if quorum == 0 {
		quorum = 100
	}
	var images []Image
	add := func(to []Image, ref string) []Image {
		ref = Pinned(ref)
		if ref == "" || slices.ContainsFunc(to, func(i Image) bool { return i.Ref == ref }) {
			return to
		}
		return append(to, Image{Ref: ref})
	}
	for _, name := range usual {
		images = add(images, refs[name])
	}
	for _, ref := range u.Images {
		images = add(images, ref)
	}
	if len(h.Pools) == 0 {
		return []Pool{{
			Name: "users", NodeSelector: u.NodeSelector, Terms: u.Terms, Tolerations: u.Tolerations, Images: images,
			Min: 1, Quorum: quorum, From: "the values of hub " + hub,
		}}, nil
	}
	var out []Pool
	for _, c := range h.Pools {
		p := Pool{Name: c.Name, NodeSelector: c.NodeSelector, Images: slices.Clone(images), Min: 1, Quorum: quorum, From: "hubs." + hub + ".pools"}
		if c.Min != nil {
			p.Min = *c.Min
		}
		if err := recode(c.Tolerations, &p.Tolerations); err != nil {
			return nil, fmt.Errorf("hubs.%s.pools: pool %s: tolerations: each must be a Kubernetes Toleration (key, operator, value, effect): %w", hub, c.Name, err)
		}
		if c.Images != nil {
			p.Images = nil
		}
		for _, name := range c.Images {
			ref, ok := refs[name]
			if !ok && !strings.Contains(name, "/") {
				return nil, fmt.Errorf("hubs.%s.pools: pool %s: the release has no image %q", hub, c.Name, name)
			}
			if !ok {
				ref = name
			}
			p.Images = add(p.Images, ref)
		}
		out = append(out, p)
	}
	return out, nil
}

func recode(from, to any) error {
	b, err := json.Marshal(from)
	if err != nil {
		return err
	}
	dec := json.NewDecoder(strings.NewReader(string(b)))
	dec.DisallowUnknownFields()
	return dec.Decode(to)
}
