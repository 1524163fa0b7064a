package config

import (
	"bytes"
	"errors"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// A document is a YAML file being read: where each of its values stands and what
// is wrong with it.
type document struct {
	file     string
	at       map[string]mark // place of the value at a field
	unread   map[string]bool // fields whose value could not be read: what is in them is unknown, not missing
	problems Problems
	visited  int  // nodes, aliases counted each time
	tooBig   bool // it has been said
}

type mark struct{ line, column int }

func markOf(n *yaml.Node) mark { return mark{max(n.Line, 1), max(n.Column, 1)} }

func newDocument(file string) *document {
	return &document{file: file, at: map[string]mark{"": {1, 1}}, unread: map[string]bool{}}
}

// maxNodes bounds what aliases may blow a file up to.
const maxNodes = 20_000

// readDocument reads the only YAML document of a file. Its root is nil when there
// is none to look at.
func readDocument(file string, data []byte) (*document, *yaml.Node) {
	d := newDocument(file)
	roots, err := documents(data)
	if err != nil {
		d.syntax(err)
		return d, nil
	}
	if len(roots) == 0 {
		d.add(mark{1, 1}, "", "the file is empty", "")
		return d, nil
	}
	if len(roots) > 1 {
		d.add(markOf(roots[1]), "", "a second YAML document begins here, only the first would be read", "take out the line --- before it, or the document")
		return d, nil
	}
	return d, roots[0]
}

// documents are the roots of a file's YAML documents.
func documents(data []byte) ([]*yaml.Node, error) {
	var roots []*yaml.Node
	dec := yaml.NewDecoder(bytes.NewReader(data))
	for {
		var n yaml.Node
		err := dec.Decode(&n)
		if errors.Is(err, io.EOF) {
			return roots, nil
		}
		if err != nil {
			return nil, err
		}
		if n.Kind == yaml.DocumentNode && len(n.Content) == 1 {
			roots = append(roots, n.Content[0])
		}
	}
}

var yamlLine = regexp.MustCompile(`^(?:yaml: )?line (\d+): `)

// syntax reports what the YAML parser says.
func (d *document) syntax(err error) {
	text, line := err.Error(), 1
	if m := yamlLine.FindStringSubmatch(text); m != nil {
		line, _ = strconv.Atoi(m[1])
		text = text[len(m[0]):]
	}
	d.add(mark{max(line, 1), 1}, "", "this is not YAML: "+strings.TrimPrefix(text, "yaml: "), "mend the indentation or quotes here or on the line before")
}

func (d *document) add(at mark, field, cause, fix string) {
	d.problems = append(d.problems, Problem{File: d.file, Line: at.line, Column: at.column, Field: field, Cause: cause, Fix: fix})
}

// bad reports a problem with the value at a field, or with what should hold it.
func (d *document) bad(field, cause, fix string) {
	d.add(d.place(field), field, cause, fix)
}

func (d *document) place(field string) mark {
	for f := field; ; f = parent(f) {
		if m, ok := d.at[f]; ok {
			return m
		}
	}
}

// reported says whether a field has a problem already: a value that could not be
// read shall not be called missing too.
func (d *document) reported(field string) bool {
	for f := field; ; f = parent(f) {
		if d.unread[f] {
			return true
		}
		if f == "" {
			break
		}
	}
	return slices.ContainsFunc(d.problems, func(p Problem) bool { return p.Field == field })
}

func parent(field string) string { return field[:max(strings.LastIndexAny(field, ".["), 0)] }

// child is the field of a key below another field.
func child(field, key string) string {
	if field == "" {
		return key
	}
	return field + "." + key
}

func item(field string, i int) string { return field + "[" + strconv.Itoa(i) + "]" }

// A pair is one key of a map and its value.
type pair struct {
	key   *yaml.Node
	value *yaml.Node
}

// pairs are the keys of a map, with those that it merges (<<) and does not hold
// itself. A key that stands twice is a problem; the last one counts.
func (d *document) pairs(n *yaml.Node, field string) []pair {
	var out []pair
	index := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		if k.Kind == yaml.AliasNode {
			k = k.Alias
		}
		switch {
		case k.ShortTag() == "!!merge":
			continue
		case k.Kind != yaml.ScalarNode:
			d.add(markOf(n.Content[i]), field, "a key here is "+kindOf(k), "write a name as key")
			continue
		}
		if j, ok := index[k.Value]; ok {
			d.add(markOf(n.Content[i]), child(field, k.Value), "the key stands twice, first on line "+strconv.Itoa(out[j].key.Line), "keep one of the two")
			out[j] = pair{n.Content[i], v}
			continue
		}
		index[k.Value] = len(out)
		out = append(out, pair{n.Content[i], v})
	}
	for _, m := range mergedMaps(n) {
		if d.visited++; d.visited > maxNodes {
			return out
		}
		for i := 0; i+1 < len(m.Content); i += 2 {
			k := m.Content[i]
			if _, ok := index[k.Value]; ok || k.Kind != yaml.ScalarNode || k.ShortTag() == "!!merge" {
				continue
			}
			index[k.Value] = len(out)
			out = append(out, pair{k, m.Content[i+1]})
		}
	}
	return out
}

// mergedMaps are the maps that a map merges with <<, the first wins.
func mergedMaps(n *yaml.Node) []*yaml.Node {
	var out []*yaml.Node
	take := func(v *yaml.Node) {
		if v.Kind == yaml.AliasNode {
			v = v.Alias
		}
		if v.Kind == yaml.MappingNode {
			out = append(out, v)
		}
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].ShortTag() != "!!merge" {
			continue
		}
		v := n.Content[i+1]
		take(v)
		if v.Kind == yaml.SequenceNode {
			for _, x := range v.Content {
				take(x)
			}
		}
	}
	return out
}

// kindOf names a node's kind for people.
func kindOf(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a map"
	case yaml.SequenceNode:
		return "a list"
	}
	switch n.ShortTag() {
	case "!!null":
		return "empty"
	case "!!bool":
		return "a boolean"
	case "!!int", "!!float":
		return "a number"
	case "!!timestamp":
		return "a date"
	}
	return "a text"
}
