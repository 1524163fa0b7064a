package release

import "maps"

// splitAccess takes the values at the access paths out of v. What is left does not
// show whether there was anything: maps that it empties, or finds empty on the way,
// go along with it. Merge(rest, access) is v again.
func splitAccess(v Values, paths []Path) (rest, access Values) {
	rest, access = v, Values{}
	for _, p := range paths {
		r, a := split(rest, p)
		rest, access = r, Merge(access, a)
	}
	return rest, access
}

// split is m without what is at p, and a tree of only that.
func split(m map[string]any, p Path) (rest, taken map[string]any) {
	x, ok := m[p[0]]
	if !ok {
		return m, map[string]any{}
	}
	if len(p) > 1 {
		child, ok := asMap(x)
		if !ok {
			return m, map[string]any{}
		}
		left, t := split(child, p[1:])
		if len(left) > 0 {
			if len(t) == 0 {
				return m, map[string]any{}
			}
			rest = maps.Clone(m)
			rest[p[0]] = left
			return rest, map[string]any{p[0]: t}
		}
		x = t
	}
	rest = maps.Clone(m)
	delete(rest, p[0])
	return rest, map[string]any{p[0]: x}
}
