package release

import (
	"cmp"
	"slices"
)

// A Leaf is a value that is no map, or an empty one.
type Leaf struct {
	Path  Path
	Value any
}

// Leaves are the leaves of values, by their paths.
func (v Values) Leaves() []Leaf {
	var out []Leaf
	var walk func(p Path, x any)
	walk = func(p Path, x any) {
		m, ok := asMap(x)
		if !ok || len(m) == 0 {
			out = append(out, Leaf{p, x})
			return
		}
		for k, y := range m {
			walk(append(slices.Clip(p), k), y)
		}
	}
	for k, x := range v {
		walk(Path{k}, x)
	}
	slices.SortFunc(out, func(a, b Leaf) int { return cmp.Compare(a.Path.String(), b.Path.String()) })
	return out
}

// LackingIn are the paths of values in whose place others have nothing at all, sorted:
// changed is not lacking. An empty map says nothing.
func (v Values) LackingIn(others Values) []string {
	var out []string
	for _, l := range v.Leaves() {
		if m, ok := asMap(l.Value); ok && len(m) == 0 {
			continue
		}
		if !others.decides(l.Path) {
			out = append(out, l.Path.String())
		}
	}
	return out
}

// decides says whether something is at a path, or above it and no map.
func (v Values) decides(p Path) bool {
	var at any = map[string]any(v)
	for _, k := range p {
		m, ok := asMap(at)
		if !ok {
			return true
		}
		if at, ok = m[k]; !ok {
			return false
		}
	}
	return true
}
