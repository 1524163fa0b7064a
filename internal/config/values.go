package config

import (
	"fmt"
	"maps"
	"slices"
	"strconv"

	"go.yaml.in/yaml/v3"

	"gauntlet/internal/preflight/codes"
	"gauntlet/internal/release"
)

// CheckValues looks for what is wrong in a values file. Keys that stand twice are
// warnings, since Helm takes the last and so do we; a tag that moves in an image
// slot is not. slots are chart.images of gauntlet.yaml. An empty tag in a slot is
// right: it asks for the images of this commit.
func CheckValues(file string, data []byte, slots map[string]ImageSlot) Problems {
	d := newDocument(file)
	_, err := release.ParseValues(file, data)
	roots, yamlErr := documents(data)
	switch {
	case err != nil && yamlErr != nil:
		d.syntax(yamlErr)
		return d.problems
	case err != nil:
		d.bad("", err.Error(), "")
		return d.problems
	case yamlErr != nil:
		// Helm reads it. Where things stand cannot be told then.
		d.syntax(yamlErr)
		d.problems[0].Warning = true
	}
	for _, r := range roots {
		d.duplicates(r, "")
	}
	for i := range d.problems {
		d.problems[i].Warning = true
	}
	for _, image := range slices.Sorted(maps.Keys(slots)) {
		d.checkSlot(roots, image, slots[image])
	}
	d.problems.sort()
	return d.problems
}

// duplicates reports keys that stand twice in a map, wherever it is.
func (d *document) duplicates(n *yaml.Node, field string) {
	switch n.Kind {
	case yaml.SequenceNode:
		for i, x := range n.Content {
			d.duplicates(x, item(field, i))
		}
	case yaml.MappingNode:
		first := map[string]int{}
		for i := 0; i+1 < len(n.Content); i += 2 {
			k := n.Content[i]
			if line, ok := first[k.Value]; ok && k.ShortTag() != "!!merge" && k.Kind == yaml.ScalarNode {
				d.coded(codes.KeyTwice, k, child(field, k.Value), "the key stands twice: Helm drops what it has on line "+strconv.Itoa(line),
					"move what is still wanted here, and delete the other")
			}
			first[k.Value] = k.Line
			d.duplicates(n.Content[i+1], child(field, k.Value))
		}
	}
}

// checkSlot checks the request that stands in an image slot.
func (d *document) checkSlot(roots []*yaml.Node, image string, slot ImageSlot) {
	at := slot.Tag
	if at == "" {
		at = slot.Name
	}
	path, err := release.ParsePath(at)
	if err != nil {
		return // a problem of gauntlet.yaml
	}
	n, _ := find(roots, path)
	if n == nil {
		return
	}
	d.at[at] = markOf(n)
	if n.Kind != yaml.ScalarNode {
		d.bad(at, fmt.Sprintf("it is %s where the tag of %s belongs", kindOf(n), image), "write a tag, or take it out")
		return
	}
	var value any
	if err := n.Decode(&value); err != nil {
		return
	}
	d.checkRequest(at, slot, image, value, at)
}

// find is the node that decides the value at a path, as Helm reads it: of the last
// document that has it, through the last of keys that stand twice. shared says that
// an alias or merged map leads to it. nil when there is none.
func find(roots []*yaml.Node, path release.Path) (n *yaml.Node, shared bool) {
	for _, r := range slices.Backward(roots) {
		if n, shared = descend(r, path); n != nil {
			return n, shared
		}
	}
	return nil, false
}

func descend(n *yaml.Node, path release.Path) (*yaml.Node, bool) {
	shared := false
	for _, key := range path {
		if n.Kind == yaml.AliasNode {
			n, shared = n.Alias, true
		}
		if n.Kind != yaml.MappingNode {
			return nil, false
		}
		next := valueOf(n, key)
		for _, m := range mergedMaps(n) {
			if next == nil {
				next = valueOf(m, key)
				shared = shared || next != nil
			}
		}
		if next == nil {
			return nil, false
		}
		n = next
	}
	if n.Kind == yaml.AliasNode {
		n, shared = n.Alias, true
	}
	return n, shared
}

// valueOf is the value of the last key of that name.
func valueOf(n *yaml.Node, key string) *yaml.Node {
	for i := len(n.Content) - 2; i >= 0; i -= 2 {
		if k := n.Content[i]; k.Kind == yaml.ScalarNode && k.Value == key && k.ShortTag() != "!!merge" {
			return n.Content[i+1]
		}
	}
	return nil
}
