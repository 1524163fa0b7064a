package config

import (
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gauntlet/internal/release"
)

func TestSetPathsChangesOnlyTheValue(t *testing.T) {
	for _, c := range []struct {
		name, doc string
		edits     map[string]any
		want      string
	}{
		{"plain, comments kept", "# top\na:\n  b: old   # why\n\n  c: 1\n", map[string]any{"a.b": "new"}, "# top\na:\n  b: new   # why\n\n  c: 1\n"},
		{"in flow", "{a: {b: old, c: [1, 2]}}", map[string]any{"a.b": "new"}, "{a: {b: new, c: [1, 2]}}"},
		{"double quotes stay", `a: "old"  # "x"`, map[string]any{"a": "it's"}, `a: "it's"  # "x"`},
		{"single quotes stay", `a: 'ol''d' # x`, map[string]any{"a": "it's"}, `a: 'it''s' # x`},
		{"a commit that looks like a number", "a: old\n", map[string]any{"a": "12e4567"}, "a: \"12e4567\"\n"},
		{"a text that looks like a boolean", "a: old\n", map[string]any{"a": "yes"}, "a: \"yes\"\n"},
		{"a text with spaces", "a: old\n", map[string]any{"a": "b: c # d"}, "a: \"b: c # d\"\n"},
		{"an image", "a: old\n", map[string]any{"a": "r.example.org:5000/p/n"}, "a: r.example.org:5000/p/n\n"},
		{"a number", "a: 1.5\nb: x\n", map[string]any{"a": 2, "b": 0.25}, "a: 2\nb: 0.25\n"},
		{"true and null", "a: 1\nb: x\n", map[string]any{"a": true, "b": nil}, "a: true\nb: null\n"},
		{"nothing there", "a:\nb: 1\n", map[string]any{"a": "x"}, "a: x\nb: 1\n"},
		{"nothing there, a comment", "a: # note\n", map[string]any{"a": "x"}, "a: x # note\n"},
		{"unchanged stays as written", "a: 'x'\nb: 0x10\n", map[string]any{"a": "x", "b": 16}, "a: 'x'\nb: 0x10\n"},
		{"the last of two", "a: {t: 1}\na: {t: 2}\n", map[string]any{"a.t": 3}, "a: {t: 1}\na: {t: 3}\n"},
		{"in the last document", "a: {t: 1}\n---\na: {t: 2}\n", map[string]any{"a.t": 3}, "a: {t: 1}\n---\na: {t: 3}\n"},
		{"escaped dots", "a:\n  b.c: 1\n  b: {c: 2}\n", map[string]any{`a.b\.c`: 3}, "a:\n  b.c: 3\n  b: {c: 2}\n"},
		{"line ends stay", "a: 1\r\nb: 2\r\n", map[string]any{"b": 3}, "a: 1\r\nb: 3\r\n"},
		{"after wide characters", "ü: {é: \"ß\", b: old} # ø\n", map[string]any{"ü.b": "new"}, "ü: {é: \"ß\", b: new} # ø\n"},
		{"an anchor nobody uses", "a: &x old\n", map[string]any{"a": "new"}, "a: &x new\n"},
		{"a tag", "a: !!str 12\n", map[string]any{"a": "13"}, "a: !!str \"13\"\n"},
		{"quoted over lines", "a: \"x\n  y\"\nb: 1\n", map[string]any{"a": "z"}, "a: \"z\"\nb: 1\n"},
		{"after a byte order mark", "\ufeffa: old\n", map[string]any{"a": "new"}, "\ufeffa: new\n"},
		{"several", "a: 1\nb: {c: 2, d: 3}\n", map[string]any{"b.d": 33, "a": 11, "b.c": 22}, "a: 11\nb: {c: 22, d: 33}\n"},
	} {
		got, err := SetPaths([]byte(c.doc), c.edits)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if diff := cmp.Diff(c.want, string(got)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
}

func TestSetPathsRefusesWhatItWouldSpoil(t *testing.T) {
	for _, c := range []struct {
		name, doc, path string
		value           any
		want            string
	}{
		{"no such key", "a: 1\n", "b", 2, "add it by hand"},
		{"a map", "a: {b: 1}\n", "a", 2, "it is a map"},
		{"a list", "a: [1]\n", "a", 2, "it is a list"},
		{"a block of text", "a: |\n  x\n", "a", "y", "block of text"},
		{"an alias", "x: &x 1\na: *x\n", "a", 2, "an anchor"},
		{"an anchor that others use", "x: &x 1\na: *x\n", "x", 2, "edit it by hand"},
		{"a merged map", "x: &x {t: 1}\na: {<<: *x}\n", "a.t", 2, "an anchor"},
		{"plain over lines", "a: x\n  y\n", "a", "z", "edit it by hand"},
		{"a map for a text", "a: 1\n", "a", map[string]any{"b": 1}, "is no text"},
		{"a bad path", "a: 1\n", "a.", 1, "empty key"},
		{"no YAML", "a: [\n", "a", 1, "line"},
	} {
		got, err := SetPaths([]byte(c.doc), map[string]any{c.path: c.value})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %q, %v; want an error with %q", c.name, got, err, c.want)
		}
	}
}

func FuzzSetPaths(f *testing.F) {
	f.Add([]byte("# c\na: {b: old} # d\n"), "a.b", "new")
	f.Add([]byte("a: 'x'\r\nb: \"y\\\"\"\n"), "b", "é\u0085\n'\"")
	f.Add([]byte("a: {t: 1}\n---\na: {t: &x 2}\n"), "a.t", "*x")
	f.Fuzz(func(t *testing.T, data []byte, path, value string) {
		got, err := SetPaths(data, map[string]any{path: value})
		if err != nil {
			return
		}
		v, err := release.ParseValues("f", data)
		if err != nil {
			t.Fatal(err)
		}
		if v, err = v.Set(path, value); err != nil {
			t.Fatal(err)
		}
		is, err := release.ParseValues("f", got)
		if err != nil || !reflect.DeepEqual(is, v) {
			t.Fatalf("%q became %q: %v, %v; want %v", data, got, is, err, v)
		}
		if again, err := SetPaths(got, map[string]any{path: value}); err != nil || string(again) != string(got) {
			t.Fatalf("again: %q, %v", again, err)
		}
	})
}

func TestOutOfSyncAndSync(t *testing.T) {
	s := InSync{Files: []string{"a.yml", "b.yml", "c.yml"}, Paths: []string{"i.tag", "i.name"}}
	files := map[string][]byte{
		"a.yml": []byte("i: {name: nb, tag: abc}\n"),
		"b.yml": []byte("i: {name: nb, tag: 'old'} # keep\n"),
		"c.yml": []byte("i:\n  name: other\n  tag: abc\n"),
	}
	ps, err := OutOfSync(s, files)
	if err != nil {
		t.Fatal(err)
	}
	want := `
b.yml:1:20: i.tag: it differs from a.yml
    fix: write what stands in a.yml:1:20
c.yml:2:9: i.name: it differs from a.yml
    fix: write what stands in a.yml:1:11
`
	if diff := cmp.Diff(strings.TrimSpace(want), Problems(ps).Error()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	changed, err := Sync(s, files)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string][]byte{
		"b.yml": []byte("i: {name: nb, tag: 'abc'} # keep\n"),
		"c.yml": []byte("i:\n  name: nb\n  tag: abc\n"),
	}, changed); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for name, data := range changed {
		files[name] = data
	}
	if ps, err := OutOfSync(s, files); err != nil || len(ps) != 0 {
		t.Errorf("after Sync: %v, %v", ps, err)
	}
}

func TestOutOfSyncOfWhatIsMissing(t *testing.T) {
	s := InSync{Files: []string{"a.yml", "b.yml"}, Paths: []string{"x", "w", "z"}}
	ps, err := OutOfSync(s, map[string][]byte{"a.yml": []byte("x: 1\n"), "b.yml": []byte("w: 1\n")})
	if err != nil {
		t.Fatal(err)
	}
	want := `
a.yml:1:1: z: none of the files has it: nothing is compared
    fix: mend the path in inSync
b.yml:1:1: x: it is missing, and a.yml has it
    fix: add it as in a.yml:1:4
b.yml:1:4: w: a.yml does not have it
    fix: add it there, or take it out here
`
	if diff := cmp.Diff(strings.TrimSpace(want), Problems(ps).Error()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for name, s := range map[string]InSync{
		"one file":        {Files: []string{"a.yml"}, Paths: []string{"x"}},
		"no path":         {Files: []string{"a.yml", "b.yml"}},
		"a file not read": {Files: []string{"a.yml", "c.yml"}, Paths: []string{"x"}},
	} {
		if ps, err := OutOfSync(s, map[string][]byte{"a.yml": nil, "b.yml": nil}); err == nil {
			t.Errorf("%s: %v", name, ps)
		}
	}
}
