package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	yamlv2 "go.yaml.in/yaml/v2"
	"go.yaml.in/yaml/v3"

	"gauntlet/internal/release"
)

// SetPaths writes texts, numbers, booleans or nulls over the ones at dotted paths
// of a YAML file; everything else stays byte for byte, comments included. Of keys
// that stand twice it edits the one that Helm takes. It is an error when a path
// leads to nothing, to a map, a list, a block of text (| or >) or through an alias,
// for then other places would change too.
func SetPaths(data []byte, edits map[string]any) ([]byte, error) {
	out := data
	for _, s := range slices.Sorted(maps.Keys(edits)) {
		path, err := release.ParsePath(s)
		if err != nil {
			return nil, err
		}
		if out, err = setPath(out, path, edits[s]); err != nil {
			return nil, fmt.Errorf("set %s: %w", path, err)
		}
	}
	return out, nil
}

func setPath(data []byte, path release.Path, value any) ([]byte, error) {
	was, err := release.ParseValues("", data)
	if err != nil {
		return nil, err
	}
	want, err := was.Set(path.String(), value)
	if err != nil {
		return nil, err
	}
	if reflect.DeepEqual(was, want) {
		return data, nil
	}
	roots, err := documents(data)
	if err != nil {
		return nil, err
	}
	n, shared := find(roots, path)
	switch {
	case n == nil:
		return nil, errors.New("there is no such key in the file: add it by hand")
	case shared:
		return nil, fmt.Errorf("line %d: an anchor is behind it, others would change too: edit it by hand", n.Line)
	case n.Kind != yaml.ScalarNode:
		return nil, fmt.Errorf("line %d: it is %s: edit it by hand", n.Line, kindOf(n))
	}
	begin, end, err := extent(data, n)
	if err != nil {
		return nil, fmt.Errorf("line %d: %w: edit it by hand", n.Line, err)
	}
	text, err := scalarText(value, n.Style)
	if err != nil {
		return nil, err
	}
	if begin == end { // nothing stood after the colon
		text = " " + text
	}
	out := slices.Concat(data[:begin], []byte(text), data[end:])
	// The file must now say what was asked for, and nothing else must have changed.
	if is, err := release.ParseValues("", out); err != nil || !reflect.DeepEqual(is, want) {
		return nil, fmt.Errorf("line %d: the way it is written there cannot be kept: edit it by hand", n.Line)
	}
	return out, nil
}

// extent is where a scalar begins and ends in the file, its quotes included and its
// anchor and tag left out.
func extent(data []byte, n *yaml.Node) (begin, end int, err error) {
	begin, ok := offset(data, n.Line, n.Column)
	if !ok {
		return 0, 0, errors.New("its place cannot be found")
	}
	for begin < len(data) && (data[begin] == '&' || data[begin] == '!') {
		for begin < len(data) && !strings.ContainsRune(" \t\r\n", rune(data[begin])) {
			begin++
		}
		for begin < len(data) && (data[begin] == ' ' || data[begin] == '\t') {
			begin++
		}
	}
	rest := data[begin:]
	switch {
	case n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0:
		return 0, 0, errors.New("it is a block of text")
	case n.Style&yaml.DoubleQuotedStyle != 0:
		for i := 1; i < len(rest); i++ {
			switch rest[i] {
			case '\\':
				i++
			case '"':
				return begin, begin + i + 1, nil
			}
		}
	case n.Style&yaml.SingleQuotedStyle != 0:
		for i := 1; i < len(rest); i++ {
			if rest[i] != '\'' {
				continue
			}
			if i+1 < len(rest) && rest[i+1] == '\'' {
				i++
				continue
			}
			return begin, begin + i + 1, nil
		}
	case bytes.HasPrefix(rest, []byte(n.Value)):
		return begin, begin + len(n.Value), nil
	}
	return 0, 0, errors.New("its end cannot be found")
}

// offset is the byte at a line and column (in characters) as the YAML parser counts
// them: all of YAML 1.1's line breaks count.
func offset(data []byte, line, column int) (int, bool) {
	if !utf8.Valid(data) {
		return 0, false
	}
	i := 0
	if bytes.HasPrefix(data, []byte("\ufeff")) {
		i = len("\ufeff")
	}
	for l, c := 1, 1; ; {
		if l == line && c == column {
			return i, true
		}
		if i >= len(data) || l > line {
			return 0, false
		}
		r, size := utf8.DecodeRune(data[i:])
		i += size
		c++
		if r == '\r' && i < len(data) && data[i] == '\n' {
			i++
			r = '\n'
		}
		switch r {
		case '\r', '\n', '\u0085', '\u2028', '\u2029':
			l, c = l+1, 1
		}
	}
}

// bare is what can stand without quotes, unless it is a boolean or null. What begins
// like a number is quoted: a commit such as 12e4567 is one to some readers.
var bare = regexp.MustCompile(`^[A-Za-z_/]([A-Za-z0-9_/.@+-]|:[A-Za-z0-9_/.@+-])*$`)

// scalarText is a value as YAML, quoted as it was before where that will do.
func scalarText(value any, style yaml.Style) (string, error) {
	s, ok := value.(string)
	if !ok {
		switch reflect.ValueOf(value).Kind() {
		case reflect.Map, reflect.Slice, reflect.Struct, reflect.Pointer:
			return "", fmt.Errorf("a %T is no text, number, boolean or null", value)
		}
		b, err := json.Marshal(value)
		if err != nil {
			return "", fmt.Errorf("no value for YAML: %w", err)
		}
		return string(b), nil
	}
	if style&yaml.SingleQuotedStyle != 0 && plain(s) == s {
		return "'" + strings.ReplaceAll(s, "'", "''") + "'", nil
	}
	if style&yaml.DoubleQuotedStyle == 0 && bare.MatchString(s) && isText(s) {
		return s, nil
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(s); err != nil {
		return "", fmt.Errorf("no text for YAML: %w", err)
	}
	return strings.TrimSpace(b.String()), nil
}

// isText says whether YAML of either version takes bare s for a text.
func isText(s string) bool {
	var old, now any
	if yamlv2.Unmarshal([]byte(s), &old) != nil || yaml.Unmarshal([]byte(s), &now) != nil {
		return false
	}
	return old == s && now == s
}
