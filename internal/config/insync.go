package config

import (
	"fmt"
	"reflect"

	"go.yaml.in/yaml/v3"

	"gauntlet/internal/release"
)

// OutOfSync reports the paths at which the files do not have what the first of them
// has. files holds the bytes of every file in s.Files. Values are compared as Helm
// reads them and are not shown: they may be nobody's business. The error says that
// a file could not be read.
func OutOfSync(s InSync, files map[string][]byte) ([]Problem, error) {
	all, err := readFiles(s, files)
	if err != nil {
		return nil, err
	}
	var out Problems
	source := all[0]
	for _, p := range s.Paths {
		path, err := release.ParsePath(p)
		if err != nil {
			return nil, err
		}
		found := false
		for _, f := range all {
			_, ok := f.values.Get(p)
			found = found || ok
		}
		if !found {
			out = append(out, source.problem(path, "none of the files has it: nothing is compared", "mend the path in inSync"))
			continue
		}
		want, has := source.values.Get(p)
		for _, f := range all[1:] {
			got, ok := f.values.Get(p)
			switch {
			case ok == has && reflect.DeepEqual(got, want):
			case !ok:
				out = append(out, f.problem(path, "it is missing, and "+source.name+" has it", "add it as in "+source.place(path)))
			case !has:
				out = append(out, f.problem(path, source.name+" does not have it", "add it there, or take it out here"))
			default:
				out = append(out, f.problem(path, "it differs from "+source.name, "write what stands in "+source.place(path)))
			}
		}
	}
	out.sort()
	return out, nil
}

// Sync gives every file the value that the first one has at the paths, and returns
// the new bytes of those that change. See SetPaths for what it cannot edit.
func Sync(s InSync, files map[string][]byte) (map[string][]byte, error) {
	all, err := readFiles(s, files)
	if err != nil {
		return nil, err
	}
	out := map[string][]byte{}
	for _, f := range all[1:] {
		edits := map[string]any{}
		for _, p := range s.Paths {
			want, has := all[0].values.Get(p)
			got, ok := f.values.Get(p)
			if has == ok && reflect.DeepEqual(want, got) {
				continue
			}
			if !has {
				return nil, fmt.Errorf("%s has no %s for the other files to take", all[0].name, p)
			}
			edits[p] = want
		}
		if len(edits) == 0 {
			continue
		}
		if out[f.name], err = SetPaths(files[f.name], edits); err != nil {
			return nil, fmt.Errorf("%s: %w", f.name, err)
		}
	}
	return out, nil
}

type valuesFile struct {
	name   string
	values release.Values
	roots  []*yaml.Node
}

func readFiles(s InSync, files map[string][]byte) ([]valuesFile, error) {
	if len(s.Files) < 2 || len(s.Paths) == 0 {
		return nil, fmt.Errorf("inSync needs two files and a path: it has %d and %d", len(s.Files), len(s.Paths))
	}
	out := make([]valuesFile, len(s.Files))
	for i, name := range s.Files {
		data, ok := files[name]
		if !ok {
			return nil, fmt.Errorf("inSync: %s was not read", name)
		}
		v, err := release.ParseValues(name, data)
		if err != nil {
			return nil, err
		}
		roots, err := documents(data)
		if err != nil {
			roots = nil // Helm reads it: only the place of a value cannot be told
		}
		out[i] = valuesFile{name, v, roots}
	}
	return out, nil
}

func (f valuesFile) mark(path release.Path) mark {
	if n, _ := find(f.roots, path); n != nil {
		return markOf(n)
	}
	return mark{1, 1}
}

func (f valuesFile) place(path release.Path) string {
	m := f.mark(path)
	return fmt.Sprintf("%s:%d:%d", f.name, m.line, m.column)
}

func (f valuesFile) problem(path release.Path, cause, fix string) Problem {
	m := f.mark(path)
	return Problem{File: f.name, Line: m.line, Column: m.column, Field: path.String(), Cause: cause, Fix: fix}
}
