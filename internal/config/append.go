package config

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"gauntlet/internal/release"
)

// AppendText puts a text at the end of the list at a dotted path of a YAML file;
// everything else stays byte for byte, comments included. A list that is not there is
// made, below the key after, which the same map must have. It is an error when the file
// is written in a way that leaves no place for it.
func AppendText(data []byte, list, after, text string) ([]byte, error) {
	path, err := release.ParsePath(list)
	if err != nil {
		return nil, err
	}
	out, err := appendText(data, path, after, text)
	if err != nil {
		return nil, fmt.Errorf("add %q to %s: %w: add it by hand", text, path, err)
	}
	return out, nil
}

func appendText(data []byte, path release.Path, after, text string) ([]byte, error) {
	was, err := release.ParseValues("", data)
	if err != nil {
		return nil, err
	}
	var items []any
	if v, ok := was.Get(path.String()); ok && v != nil {
		if items, ok = v.([]any); !ok {
			return nil, errors.New("it is no list")
		}
	}
	want, err := was.Set(path.String(), append(slices.Clone(items), text))
	if err != nil {
		return nil, err
	}
	roots, err := documents(data)
	if err != nil {
		return nil, err
	}
	word, err := scalarText(text, 0)
	if err != nil {
		return nil, err
	}
	n, shared := find(roots, path)
	var out []byte
	switch {
	case shared:
		return nil, fmt.Errorf("line %d: an anchor is behind it, others would change too", n.Line)
	case n == nil:
		out, err = newList(data, roots, path, after, word)
	case n.Kind != yaml.SequenceNode:
		return nil, fmt.Errorf("line %d: it is %s", n.Line, kindOf(n))
	case n.Style&yaml.FlowStyle != 0:
		out, err = intoFlow(data, n, word)
	default:
		out, err = intoBlock(data, n, word)
	}
	if err != nil {
		return nil, err
	}
	if is, err := release.ParseValues("", out); err != nil || !reflect.DeepEqual(is, want) {
		return nil, errors.New("the way it is written there cannot be kept")
	}
	return out, nil
}

// newList adds a list below the key that comes before it.
func newList(data []byte, roots []*yaml.Node, path release.Path, after, word string) ([]byte, error) {
	m, shared := find(roots, path[:len(path)-1])
	if m == nil || m.Kind != yaml.MappingNode || shared {
		return nil, errors.New("there is no map for it")
	}
	key := path[len(path)-1]
	if m.Style&yaml.FlowStyle != 0 {
		return intoFlow(data, m, key+": ["+word+"]")
	}
	for i := 0; i+1 < len(m.Content); i += 2 {
		k, v := m.Content[i], m.Content[i+1]
		if k.Value != after {
			continue
		}
		end, err := endOf(data, v)
		if err != nil {
			return nil, err
		}
		return insertLine(data, end, strings.Repeat(" ", k.Column-1)+key+": ["+word+"]"), nil
	}
	return nil, fmt.Errorf("its map has no key %s to put it behind", after)
}

// intoFlow adds before the closing bracket of [ ] or { }.
func intoFlow(data []byte, n *yaml.Node, word string) ([]byte, error) {
	end, err := flowEnd(data, n)
	if err != nil {
		return nil, err
	}
	if len(n.Content) > 0 {
		word = ", " + word
	}
	at := end - 1
	for at > 0 && (data[at-1] == ' ' || data[at-1] == '\t') {
		at--
	}
	return slices.Concat(data[:at], []byte(word), data[at:]), nil
}

// intoBlock adds a line after the last item of a list with dashes.
func intoBlock(data []byte, n *yaml.Node, word string) ([]byte, error) {
	if len(n.Content) == 0 {
		return nil, errors.New("it is empty")
	}
	last := n.Content[len(n.Content)-1]
	begin, ok := offset(data, last.Line, last.Column)
	if !ok {
		return nil, errors.New("its place cannot be found")
	}
	line := bytes.LastIndexByte(data[:begin], '\n') + 1
	dash := bytes.LastIndexByte(data[line:begin], '-')
	if dash < 0 || len(bytes.TrimLeft(data[line:line+dash], " ")) > 0 {
		return nil, errors.New("its dashes cannot be found")
	}
	end, err := endOf(data, last)
	if err != nil {
		return nil, err
	}
	return insertLine(data, end, string(data[line:line+dash])+"- "+word), nil
}

// endOf is the byte after a value.
func endOf(data []byte, n *yaml.Node) (int, error) {
	switch {
	case n.Kind == yaml.ScalarNode:
		_, end, err := extent(data, n)
		return end, err
	case n.Style&yaml.FlowStyle != 0:
		return flowEnd(data, n)
	case len(n.Content) > 0:
		return endOf(data, n.Content[len(n.Content)-1])
	}
	return 0, errors.New("its end cannot be found")
}

// flowEnd is the byte after the closing bracket of a list or map in brackets.
func flowEnd(data []byte, n *yaml.Node) (int, error) {
	at, ok := offset(data, n.Line, n.Column)
	if !ok {
		return 0, errors.New("its place cannot be found")
	}
	depth := 0
	for ; at < len(data); at++ {
		switch c := data[at]; c {
		case '[', '{':
			depth++
		case ']', '}':
			if depth--; depth == 0 {
				return at + 1, nil
			}
		case '"', '\'':
			// A quote inside a bare word is a character like any other.
			if at > 0 && !bytes.ContainsRune([]byte(" \t\r\n[{,:"), rune(data[at-1])) {
				continue
			}
			for at++; at < len(data) && data[at] != c; at++ {
				if c == '"' && data[at] == '\\' {
					at++
				}
			}
		case '#':
			if at > 0 && (data[at-1] == ' ' || data[at-1] == '\n' || data[at-1] == '\t') {
				for at < len(data) && data[at] != '\n' {
					at++
				}
			}
		}
	}
	return 0, errors.New("its end cannot be found")
}

// insertLine puts a line after the one that a byte lies in.
func insertLine(data []byte, at int, line string) []byte {
	end := bytes.IndexByte(data[at:], '\n')
	if end < 0 {
		return slices.Concat(data, []byte("\n"+line+"\n"))
	}
	return slices.Concat(data[:at+end+1], []byte(line+"\n"), data[at+end+1:])
}
