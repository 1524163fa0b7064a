// Package adopt works out what a hub that plain helm runs was given by hand and no file
// holds: what goes into a values file and what into an encrypted one. It does no I/O.
package adopt

import (
	"fmt"
	"reflect"
	"slices"

	"gauntlet/internal/plan"
	"gauntlet/internal/release"
)

// Files are what the team's files give a hub, in the order in which they win.
type Files struct {
	Values  release.Values // of the values files
	Set     release.Values // of set in gauntlet.yaml, over them
	Secrets release.Values // of the encrypted files, over both
}

func (f Files) all() release.Values {
	return release.Merge(release.Merge(f.Values, f.Set), f.Secrets)
}

// An Import is what files lack of what a hub was given.
type Import struct {
	Values  release.Values // for a values file that comes last of them
	Secrets release.Values // for an encrypted file that comes last of them
	Same    int            // how many values the files have already
	Extra   []string       // paths that the files have and the hub was not given, sorted
}

// Empty says that the files lack nothing.
func (i Import) Empty() bool { return len(i.Values) == 0 && len(i.Secrets) == 0 }

// A SetError says that gauntlet.yaml sets other values than the hub has, over every
// file that could say so.
type SetError struct{ Paths []string }

func (e *SetError) Error() string {
	return fmt.Sprintf("set of this hub says otherwise than what runs, and would win over every file: take out %v, or let it stand and change the hub first", e.Paths)
}

// Compare finds what files lack of live, the values that a hub was given. slots are the
// value paths of images, which a release fills. kept are texts that the hub's Secrets
// hold: a value that is one is a secret whatever it is called.
func Compare(live release.Values, files Files, slots []string, kept []string) (Import, error) {
	have := files.all()
	out := Import{Values: release.Values{}, Secrets: release.Values{}}
	for _, l := range live.Leaves() {
		if within(l.Path, slots) || empty(l.Value) && !clashes(have, l.Path) {
			continue
		}
		if equal(have, l) {
			out.Same++
			continue
		}
		to := &out.Values
		if secret(l, kept) || decided(files.Secrets, l.Path) {
			to = &out.Secrets
		}
		next, err := to.Set(l.Path.String(), l.Value)
		if err != nil {
			return Import{}, err
		}
		*to = next
	}
	for _, l := range have.Leaves() {
		if _, ok := live.Get(l.Path.String()); !ok && !within(l.Path, slots) && !empty(l.Value) {
			out.Extra = append(out.Extra, l.Path.String())
		}
	}
	// What was taken in must win, or nothing was gained.
	now := Files{release.Merge(files.Values, out.Values), files.Set, release.Merge(files.Secrets, out.Secrets)}.all()
	var lost []string
	for _, l := range live.Leaves() {
		if !within(l.Path, slots) && !empty(l.Value) && !equal(now, l) {
			lost = append(lost, l.Path.String())
		}
	}
	if len(lost) > 0 {
		return out, &SetError{lost}
	}
	return out, nil
}

// secret says whether a value is for nobody's eyes.
func secret(l release.Leaf, kept []string) bool {
	s, ok := l.Value.(string)
	return plan.Hides(l.Path, l.Value) || ok && s != "" && slices.Contains(kept, s)
}

func equal(v release.Values, l release.Leaf) bool {
	x, ok := v.Get(l.Path.String())
	return ok && reflect.DeepEqual(x, l.Value)
}

func decided(v release.Values, p release.Path) bool {
	_, ok := v.Get(p.String())
	return ok
}

// empty is a map that says nothing.
func empty(v any) bool {
	m, ok := v.(map[string]any)
	return ok && len(m) == 0
}

// clashes says whether values have something else than a map at a path.
func clashes(v release.Values, p release.Path) bool {
	x, ok := v.Get(p.String())
	if !ok {
		return false
	}
	_, isMap := x.(map[string]any)
	return !isMap
}

func within(p release.Path, others []string) bool {
	return slices.ContainsFunc(others, func(o string) bool {
		q, err := release.ParsePath(o)
		return err == nil && p.Within(q)
	})
}

// Paths are the places of values, sorted.
func Paths(v release.Values) []string {
	var out []string
	for _, l := range v.Leaves() {
		out = append(out, l.Path.String())
	}
	return out
}
