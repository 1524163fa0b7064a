package release

import (
	"errors"
	"fmt"
	"strings"
)

// A Path is the keys that lead to a value: jupyterhub.singleuser.image.tag.
type Path []string

// ParsePath reads a dotted path. A backslash makes the character after it part of
// the key: nodeSelector.kubernetes\.io/hostname. List elements have no path: a
// list is one value.
func ParsePath(s string) (Path, error) {
	if s == "" {
		return nil, errors.New("the value path is empty")
	}
	var p Path
	var key strings.Builder
	end := func() error {
		if key.Len() == 0 {
			return fmt.Errorf("value path %q has an empty key: write a.b, or a\\.b for a key that holds a dot", s)
		}
		p = append(p, key.String())
		key.Reset()
		return nil
	}
	escaped := false
	for _, r := range s {
		switch {
		case escaped:
			key.WriteRune(r)
			escaped = false
		case r == '\\':
			escaped = true
		case r == '.':
			if err := end(); err != nil {
				return nil, err
			}
		case r == '[':
			return nil, fmt.Errorf("value path %q names a list element: only whole lists have a path", s)
		default:
			key.WriteRune(r)
		}
	}
	if escaped {
		return nil, fmt.Errorf("value path %q ends in a backslash", s)
	}
	if err := end(); err != nil {
		return nil, err
	}
	return p, nil
}

// String is the path as ParsePath reads it.
func (p Path) String() string {
	keys := make([]string, len(p))
	for i, k := range p {
		keys[i] = pathEscaper.Replace(k)
	}
	return strings.Join(keys, ".")
}

var pathEscaper = strings.NewReplacer(`\`, `\\`, `.`, `\.`, `[`, `\[`)

// Within says whether p is q or lies under it.
func (p Path) Within(q Path) bool {
	if len(p) < len(q) {
		return false
	}
	for i := range q {
		if p[i] != q[i] {
			return false
		}
	}
	return true
}
