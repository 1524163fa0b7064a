package pair

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"gauntlet/internal/check"
	"gauntlet/internal/packages"
)

// align compares what notebook and worker hold, as the registry tells: a pair that
// cannot work is found before a pod starts. The Pythons that the two PATHs lead to
// must agree, wherever they are, and so must any other environment that both have in
// the same place: users' kernels may run in it.
func (m *match) align(ctx context.Context) (string, error) {
	var lists [2]packages.List
	var runs [2]packages.Environment
	for i, name := range []string{m.Notebook, m.Worker} {
		var err error
		if lists[i], err = m.inspector.Packages(ctx, m.Refs[name]); err != nil {
			return "", err
		}
		paths, err := m.inspector.Path(ctx, m.Refs[name])
		if err != nil {
			return "", err
		}
		var ok bool
		if runs[i], ok = packages.OnPath(lists[i], paths); !ok {
			return "", check.Warning{Message: fmt.Sprintf("the registry tells of no Python that the PATH of %s leads to: nothing was compared before the pods start", name)}
		}
	}
	return compareEnvironments(lists, runs)
}

// compareEnvironments is align without the registry: lists and the environments that
// run, notebook first.
func compareEnvironments(lists [2]packages.List, runs [2]packages.Environment) (string, error) {
	pairs := [][2]packages.Environment{runs}
	for _, n := range lists[0] {
		i := slices.IndexFunc(lists[1], func(w packages.Environment) bool { return w.Path == n.Path && w.Kind == n.Kind })
		if n.Kind != packages.Debian && i >= 0 && (n.Path != runs[0].Path || n.Kind != runs[0].Kind) && share(n, lists[1][i]) {
			pairs = append(pairs, [2]packages.Environment{n, lists[1][i]})
		}
	}
	var faults, oddities, fine []string
	for _, p := range pairs {
		where := p[0].Path
		if p[1].Path != where {
			where += " / " + p[1].Path
		}
		said, err := compareEnvironment(p[0], p[1])
		var w check.Warning
		switch {
		case errors.As(err, &w):
			oddities = append(oddities, where+": "+w.Message)
		case err != nil:
			faults = append(faults, where+": "+err.Error())
		default:
			fine = append(fine, where+": "+said)
		}
	}
	switch {
	case len(faults) > 0:
		return "", errors.New(strings.Join(faults, "; "))
	case len(oddities) > 0:
		return "", check.Warning{Message: strings.Join(oddities, "; ")}
	}
	return strings.Join(fine, "; "), nil
}

// share says whether two environments have a package in common. Without one there is
// nothing to compare, and no fault where nothing has to run.
func share(a, b packages.Environment) bool {
	for name := range a.Packages {
		if _, ok := b.Packages[name]; ok {
			return true
		}
	}
	return false
}

func compareEnvironment(notebook, worker packages.Environment) (string, error) {
	if notebook.Python != "" && worker.Python != "" {
		if _, err := comparePython(notebook.Python, worker.Python); err != nil {
			return "", err
		}
	}
	return comparePackages(notebook.Packages, worker.Packages)
}
