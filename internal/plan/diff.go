package plan

import (
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"
)

// A step of a path: a key, or an element of a list.
type step struct {
	name    string
	element bool
}

// A change is one place where two trees differ.
type change struct {
	path  []step
	text  string   // "path: old → new", without secrets
	lines []string // of a text of several lines: those that differ
}

// under says whether the change lies below a key of the object.
func (c change) under(key string) bool { return len(c.path) > 0 && c.path[0].name == key }

// spawner is how what starts users' servers is called: the key of charts that follow
// zero-to-jupyterhub, and the class that JupyterHub's configuration sets.
var spawner = regexp.MustCompile(`(?i)singleuser|spawner`)

// spawns says whether the change is to what starts users' servers.
func (c change) spawns() bool {
	return slices.ContainsFunc(c.path, func(s step) bool { return spawner.MatchString(s.name) }) ||
		slices.ContainsFunc(c.lines, spawner.MatchString)
}

// diff is where two trees differ, in the order of their keys.
func diff(path []step, a, b any) []change {
	if reflect.DeepEqual(a, b) {
		return nil
	}
	am, aMap := a.(map[string]any)
	bm, bMap := b.(map[string]any)
	if (aMap || a == nil) && (bMap || b == nil) && len(am)+len(bm) > 0 {
		return keyed(path, am, bm)
	}
	al, aList := a.([]any)
	bl, bList := b.([]any)
	if (aList || a == nil) && (bList || b == nil) && len(al)+len(bl) > 0 {
		return lists(path, al, bl)
	}
	return []change{leaf(path, a, b)}
}

func keyed(path []step, a, b map[string]any) []change {
	all := map[string]bool{}
	for k := range a {
		all[k] = true
	}
	for k := range b {
		all[k] = true
	}
	var out []change
	for _, k := range slices.Sorted(maps.Keys(all)) {
		out = append(out, diff(with(path, step{name: k}), a[k], b[k])...)
	}
	return out
}

func lists(path []step, a, b []any) []change {
	an, aok := named(a)
	bn, bok := named(b)
	switch {
	case aok && bok:
		var out []change
		for _, k := range append(names(a), names(b)...) {
			if x, y := an[k], bn[k]; x != nil || y != nil {
				out = append(out, diff(with(path, step{k, true}), x, y)...)
				delete(an, k)
				delete(bn, k)
			}
		}
		if len(out) == 0 {
			out = append(out, change{path: path, text: written(path) + ": another order"})
		}
		return out
	case scalars(a) && scalars(b):
		return []change{elements(path, a, b)}
	}
	var out []change
	for i := range max(len(a), len(b)) {
		var x, y any
		if i < len(a) {
			x = a[i]
		}
		if i < len(b) {
			y = b[i]
		}
		out = append(out, diff(with(path, step{place(i, x, y), true}), x, y)...)
	}
	return out
}

// place is where elements are in a list, with their name, if they have one: it may
// say that what is below is a secret.
func place(i int, x, y any) string {
	for _, v := range []any{x, y} {
		if n, ok := at(v, "name").(string); ok {
			return fmt.Sprintf("%d %s", i, n)
		}
	}
	return fmt.Sprint(i)
}

// named is a list by the names of its elements, when each has one of its own.
func named(l []any) (map[string]any, bool) {
	out := map[string]any{}
	for _, v := range l {
		n, ok := at(v, "name").(string)
		if !ok || out[n] != nil {
			return nil, false
		}
		out[n] = v
	}
	return out, true
}

func names(l []any) []string {
	var out []string
	for _, v := range l {
		out = append(out, at(v, "name").(string))
	}
	return out
}

func scalars(l []any) bool {
	return !slices.ContainsFunc(l, func(v any) bool {
		switch v.(type) {
		case map[string]any, []any:
			return true
		}
		return false
	})
}

// elements says what a list of words loses and gains.
func elements(path []step, a, b []any) change {
	lost, gained := map[any]int{}, map[any]int{} // how many more one side has
	for _, v := range a {
		lost[v]++
		gained[v]--
	}
	for _, v := range b {
		lost[v]--
		gained[v]++
	}
	var said []string
	tell := func(mark string, l []any, more map[any]int) {
		for i, v := range l {
			if more[v] > 0 {
				more[v]--
				said = append(said, mark+word(path, l, i))
			}
		}
	}
	tell("−", a, lost)
	tell("+", b, gained)
	if len(said) == 0 {
		said = []string{"another order"}
	}
	return change{path: path, text: written(path) + ": " + clip(strings.Join(said, " "))}
}

// word is an element of a list; what follows an option for a secret is one.
func word(path []step, l []any, i int) string {
	if i > 0 {
		if option, ok := l[i-1].(string); ok && strings.HasPrefix(option, "-") && !strings.Contains(option, "=") && secretish.MatchString(option) {
			return hidden
		}
	}
	return shown(path, l[i])
}

func leaf(path []step, a, b any) change {
	c := change{path: path}
	x, _ := a.(string)
	y, _ := b.(string)
	if strings.Contains(x, "\n") || strings.Contains(y, "\n") {
		out, in := lineDiff(x, y)
		c.lines = append(out, in...)
		c.text = fmt.Sprintf("%s: a text, %d lines out, %d lines in", written(path), len(out), len(in))
		return c
	}
	old, val := shown(path, a), shown(path, b)
	if old == val { // both hidden, or alike where they are cut
		c.text = written(path) + ": another value"
		return c
	}
	c.text = written(path) + ": " + old + " → " + val
	return c
}

// lineDiff are the lines that only one of two texts has.
func lineDiff(a, b string) (out, in []string) {
	count := map[string]int{}
	for l := range strings.Lines(b) {
		count[strings.TrimSuffix(l, "\n")]++
	}
	for l := range strings.Lines(a) {
		l = strings.TrimSuffix(l, "\n")
		if count[l] > 0 {
			count[l]--
			continue
		}
		out = append(out, l)
	}
	for _, l := range slices.Sorted(maps.Keys(count)) {
		for range count[l] {
			in = append(in, l)
		}
	}
	return out, in
}

func with(path []step, s step) []step { return append(slices.Clip(slices.Clone(path)), s) }

// written is a path as people read it; the pods' template is where all paths of a
// workload lead, so it is left out.
func written(path []step) string {
	if len(path) > 3 && path[0].name == "spec" && path[1].name == "template" && path[2].name == "spec" {
		path = path[3:]
	}
	var b strings.Builder
	for i, s := range path {
		switch {
		case s.element || strings.ContainsAny(s.name, "./ :"):
			b.WriteString("[" + s.name + "]")
		case i > 0:
			b.WriteString("." + s.name)
		default:
			b.WriteString(s.name)
		}
	}
	return b.String()
}
