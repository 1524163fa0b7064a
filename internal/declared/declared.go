// Package declared reads what the sources of an image say is in it: pip's requirements
// files and conda's environment.yml. It is pure.
//
// Formats: https://pip.pypa.io/en/stable/reference/requirements-file-format/, PEP 508,
// and conda's "Creating an environment file manually".
package declared

import (
	"errors"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	pep440 "github.com/aquasecurity/go-pep440-version"
	"go.yaml.in/yaml/v3"

	"gauntlet/internal/packages"
)

// A Package is one that a file declares.
type Package struct {
	Name    string `json:"name"`              // as PEP 503 normalises it
	Version string `json:"version,omitempty"` // the one it is pinned to, "" for any
	Any     bool   `json:"any,omitempty"`     // of the pin only the beginning counts: conda's =1.2, pip's ==1.2.*
	Conda   bool   `json:"conda,omitempty"`   // declared to conda: it may be no Python package
	Maybe   bool   `json:"maybe,omitempty"`   // has an environment marker: it may not be meant for this image
	File    string `json:"file"`
	Line    int    `json:"line"`
}

func (p Package) at() string { return fmt.Sprintf("%s:%d", p.File, p.Line) }

var (
	requirement = regexp.MustCompile(`^([A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)\s*(?:\[[^\]]*\])?\s*(.*)$`)
	condaSpec   = regexp.MustCompile(`^(?:[^\s:]+::)?([A-Za-z0-9_.-]+)\s*(.*)$`)
	pinned      = regexp.MustCompile(`^\(?\s*={2,3}\s*([^\s,;*)]+?)(\.\*)?\s*\)?$`)
	fuzzy       = regexp.MustCompile(`^(==?)\s*([^\s,|*=]+?)(\.?\*)?(?:=\S*)?$`)
	dashes      = regexp.MustCompile(`[-_.]+`)
	comment     = regexp.MustCompile(`(?:^|\s)#.*$`)
	option      = regexp.MustCompile(`\s--?[A-Za-z][A-Za-z-]*(?:[= ]\S+)?`)
)

func normal(name string) string { return strings.ToLower(dashes.ReplaceAllString(name, "-")) }

// Read reads a file by its name: *.yml and *.yaml as conda's environment, anything else
// as pip's requirements. What names no package (a path, an address without a name, an
// option) is left out. Errors name file and line.
func Read(file string, data []byte) ([]Package, error) {
	if ext := path.Ext(file); ext == ".yml" || ext == ".yaml" {
		return environment(file, data)
	}
	return requirements(file, string(data))
}

func requirements(file, text string) ([]Package, error) {
	var list []Package
	lines := strings.Split(text, "\n")
	for i := 0; i < len(lines); i++ {
		line, at := strings.TrimRight(lines[i], "\r"), i+1
		for strings.HasSuffix(line, `\`) && i+1 < len(lines) && !strings.HasPrefix(strings.TrimSpace(line), "#") {
			i++
			line = strings.TrimSuffix(line, `\`) + " " + strings.TrimRight(lines[i], "\r")
		}
		p, ok, err := pip(line)
		if err != nil {
			return nil, fmt.Errorf("%s:%d: %w", file, at, err)
		}
		if ok {
			p.File, p.Line = file, at
			list = append(list, p)
		}
	}
	return list, nil
}

// pip reads one requirement; ok is false for a line that names no package.
func pip(line string) (p Package, ok bool, err error) {
	line = strings.TrimSpace(comment.ReplaceAllString(line, ""))
	if line == "" || strings.HasPrefix(line, "-") || strings.HasPrefix(line, ".") || strings.HasPrefix(line, "/") {
		return p, false, nil
	}
	if before, _, found := strings.Cut(line, "://"); found && !strings.Contains(before, "@") {
		return p, false, nil // an address without a name
	}
	line = strings.TrimSpace(option.ReplaceAllString(" "+line, ""))
	line, marker, _ := strings.Cut(line, ";")
	m := requirement.FindStringSubmatch(strings.TrimSpace(line))
	if m == nil {
		return p, false, fmt.Errorf("%q is no requirement as pip reads it", line)
	}
	p = Package{Name: normal(m[1]), Maybe: strings.TrimSpace(marker) != ""}
	rest := strings.TrimSpace(m[2])
	if rest != "" && !strings.ContainsAny(rest[:1], "=<>!~@(") {
		return p, false, fmt.Errorf("%q is no requirement as pip reads it", line)
	}
	if v := pinned.FindStringSubmatch(rest); v != nil {
		p.Version, p.Any = v[1], v[2] != ""
	}
	return p, true, nil
}

func environment(file string, data []byte) ([]Package, error) {
	var doc struct {
		Dependencies yaml.Node `yaml:"dependencies"`
	}
	if err := yaml.Unmarshal(data, &doc); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	switch {
	case doc.Dependencies.Kind == 0:
		return nil, fmt.Errorf("%s: it has no dependencies: it is no environment of conda's", file)
	case doc.Dependencies.Kind != yaml.SequenceNode:
		return nil, fmt.Errorf("%s:%d: dependencies is no list", file, doc.Dependencies.Line)
	}
	var list []Package
	var errs []error
	add := func(n *yaml.Node, read func(string) (Package, bool, error)) {
		p, ok, err := read(n.Value)
		switch {
		case n.Kind != yaml.ScalarNode:
			errs = append(errs, fmt.Errorf("%s:%d: it is no package", file, n.Line))
		case err != nil:
			errs = append(errs, fmt.Errorf("%s:%d: %w", file, n.Line, err))
		case ok:
			p.File, p.Line = file, n.Line
			list = append(list, p)
		}
	}
	for _, n := range doc.Dependencies.Content {
		if n.Kind != yaml.MappingNode {
			add(n, conda)
			continue
		}
		for i := 0; i+1 < len(n.Content); i += 2 {
			if n.Content[i].Value != "pip" || n.Content[i+1].Kind != yaml.SequenceNode {
				errs = append(errs, fmt.Errorf("%s:%d: only pip: has packages of its own", file, n.Line))
				continue
			}
			for _, r := range n.Content[i+1].Content {
				add(r, pip)
			}
		}
	}
	return list, errors.Join(errs...)
}

func conda(spec string) (p Package, ok bool, err error) {
	m := condaSpec.FindStringSubmatch(strings.TrimSpace(spec))
	if m == nil {
		return p, false, fmt.Errorf("%q is no package as conda reads it", spec)
	}
	p = Package{Name: normal(m[1]), Conda: true}
	if v := fuzzy.FindStringSubmatch(strings.TrimSpace(m[2])); v != nil {
		p.Version, p.Any = v[2], v[1] == "=" || v[3] != ""
	}
	return p, true, nil
}

// Missing says what of the declared packages an image does not hold: in no environment,
// or only in other versions than the one it is pinned to. Who installed it does not
// matter: pip, conda or Debian (python3-NAME).
func Missing(declared []Package, have packages.List) []string {
	versions := map[string][]string{}
	for _, e := range have {
		for name, v := range e.Packages {
			name = normal(name)
			versions[name] = append(versions[name], v)
			if rest, ok := strings.CutPrefix(name, "python3-"); ok && e.Kind == packages.Debian {
				versions[rest] = append(versions[rest], v)
			}
		}
	}
	var out []string
	for _, p := range declared {
		found := versions[p.Name]
		switch {
		case len(found) == 0 && !p.Maybe:
			out = append(out, fmt.Sprintf("%s is in no environment (%s)", p.Name, p.at()))
		case len(found) > 0 && !slices.ContainsFunc(found, p.is):
			slices.Sort(found)
			out = append(out, fmt.Sprintf("%s is %s, not %s (%s)", p.Name, strings.Join(slices.Compact(found), ", "), p.Version, p.at()))
		}
	}
	return out
}

// is says whether a version is the one that the package is pinned to.
func (p Package) is(version string) bool {
	switch {
	case p.Version == "":
		return true
	case p.Any:
		return version == p.Version || strings.HasPrefix(version, p.Version+".")
	}
	a, errA := pep440.Parse(p.Version)
	b, errB := pep440.Parse(version)
	if errA != nil || errB != nil {
		return version == p.Version
	}
	return a.Equal(b)
}

// Modules are the distributions that Python may know: those declared, each once.
func Modules(declared []Package) []string {
	var names []string
	for _, p := range declared {
		names = append(names, p.Name)
	}
	slices.Sort(names)
	return slices.Compact(names)
}
