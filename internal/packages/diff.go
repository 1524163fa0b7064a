package packages

import (
	"cmp"
	"maps"
	"slices"

	pep440 "github.com/aquasecurity/go-pep440-version"
	deb "github.com/knqyf263/go-deb-version"
)

// What became of a package.
const (
	Added      = "added"
	Removed    = "removed"
	Upgraded   = "upgraded"
	Downgraded = "downgraded"
	Changed    = "changed" // to a version that no rule orders: conda's builds, a local name
)

// A Change is one package that differs.
type Change struct {
	Package string `json:"package"`
	What    string `json:"what"`
	From    string `json:"from,omitempty"` // "" when added
	To      string `json:"to,omitempty"`   // "" when removed
}

// A Difference is what changed in one environment.
type Difference struct {
	Path string `json:"path"`
	Kind string `json:"kind"`
	// Python is what its interpreter was and is, when that changed or the whole
	// environment came or went.
	PythonFrom string   `json:"pythonFrom,omitempty"`
	PythonTo   string   `json:"pythonTo,omitempty"`
	Changes    []Change `json:"changes"`
}

// first are packages whose change users notice before any other: Python and what
// runs their kernels.
var first = []string{"python", "python3", "ipykernel", "ipython", "jupyterlab", "notebook", "jupyterhub", "dask", "distributed"}

// Diff is what changed from one image to another, environment by environment.
// Environments without a change are left out. An environment is the same when path
// and kind are, also under another Python; several Pythons under one path are told
// apart as long as both images have them.
func Diff(from, to List) []Difference {
	diffs := []Difference{}
	for _, p := range match(from, to) {
		d := Difference{Path: p.of().Path, Kind: p.of().Kind, Changes: changes(p)}
		if p.from.Python != p.to.Python {
			d.PythonFrom, d.PythonTo = p.from.Python, p.to.Python
		}
		if len(d.Changes) > 0 || d.PythonFrom != d.PythonTo {
			diffs = append(diffs, d)
		}
	}
	return diffs
}

// A pair is one environment in both images; either may be empty.
type pair struct{ from, to Environment }

func (p pair) of() Environment {
	if p.to.Path != "" {
		return p.to
	}
	return p.from
}

func match(from, to List) []pair {
	var pairs []pair
	used := make([]bool, len(to))
	take := func(e Environment, same func(Environment) bool) bool {
		for i, o := range to {
			if !used[i] && o.Path == e.Path && o.Kind == e.Kind && same(o) {
				used[i] = true
				pairs = append(pairs, pair{e, o})
				return true
			}
		}
		return false
	}
	var left []Environment
	for _, e := range from {
		if !take(e, func(o Environment) bool { return o.Python == e.Python }) {
			left = append(left, e)
		}
	}
	for _, e := range left {
		if !take(e, func(Environment) bool { return true }) {
			pairs = append(pairs, pair{from: e})
		}
	}
	for i, o := range to {
		if !used[i] {
			pairs = append(pairs, pair{to: o})
		}
	}
	slices.SortFunc(pairs, func(a, b pair) int {
		return cmp.Or(cmp.Compare(a.of().Path, b.of().Path), cmp.Compare(a.of().Kind, b.of().Kind), cmp.Compare(a.of().Python, b.of().Python))
	})
	return pairs
}

func changes(p pair) []Change {
	list := []Change{}
	names := maps.Clone(p.from.Packages)
	if names == nil {
		names = map[string]string{}
	}
	maps.Copy(names, p.to.Packages)
	for name := range names {
		from, had := p.from.Packages[name]
		to, has := p.to.Packages[name]
		if had && has && from == to {
			continue
		}
		c := Change{Package: name, From: from, To: to}
		switch {
		case !had:
			c.What = Added
		case !has:
			c.What = Removed
		default:
			c.What = direction(p.of().Kind, from, to)
		}
		list = append(list, c)
	}
	rank := func(c Change) int {
		if i := slices.Index(first, c.Package); i >= 0 {
			return i
		}
		return len(first)
	}
	slices.SortFunc(list, func(a, b Change) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(a.Package, b.Package))
	})
	return list
}

// direction says which of two versions is the newer, by the rules of whoever
// installed them: PEP 440 for Python, deb-version(7) for Debian. Conda's order is
// PEP 440's for every version that both can read.
func direction(kind, from, to string) string {
	order := 0
	if kind == Debian {
		a, errA := deb.NewVersion(from)
		b, errB := deb.NewVersion(to)
		if errA != nil || errB != nil {
			return Changed
		}
		order = a.Compare(b)
	} else {
		a, errA := pep440.Parse(from)
		b, errB := pep440.Parse(to)
		if errA != nil || errB != nil {
			return Changed
		}
		order = a.Compare(b)
	}
	switch {
	case order < 0:
		return Upgraded
	case order > 0:
		return Downgraded
	}
	return Changed
}
