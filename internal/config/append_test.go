package config

import (
	"os"
	"reflect"
	"strings"
	"testing"

	"gauntlet/internal/release"
)

func TestATextIsPutAtTheEndOfAListAndNothingElseChanges(t *testing.T) {
	for name, tt := range map[string]struct{ was, want string }{
		"brackets":                {"h:\n  files: [a.yml] # ours\n  z: 1\n", "h:\n  files: [a.yml, x/new.yml] # ours\n  z: 1\n"},
		"brackets on lines":       {"h:\n  files: [\n    a.yml, # one\n    \"b,]#.yml\",\n  ]\n", ""},
		"quoted":                  {"h: {files: ['it''s.yml', \"b]\\\".yml\"], z: 1}\n", "h: {files: ['it''s.yml', \"b]\\\".yml\", x/new.yml], z: 1}\n"},
		"none in brackets":        {"h: {files: [], z: 1}\n", "h: {files: [x/new.yml], z: 1}\n"},
		"dashes":                  {"h:\n  files:\n    - a.yml # one\n    # two\n    - b.yml # three\n  z: 1\n", "h:\n  files:\n    - a.yml # one\n    # two\n    - b.yml # three\n    - x/new.yml\n  z: 1\n"},
		"dashes at the left":      {"h:\n  files:\n  - a.yml\n", "h:\n  files:\n  - a.yml\n  - x/new.yml\n"},
		"no end of the last line": {"h:\n  files:\n  - a.yml", "h:\n  files:\n  - a.yml\n  - x/new.yml\n"},
		"no list":                 {"h:\n  z: [1, 2] # before\n  # of y\n  y: 1\n", "h:\n  z: [1, 2] # before\n  files: [x/new.yml]\n  # of y\n  y: 1\n"},
		"no list, below dashes":   {"h:\n  z:\n    - 1\n    - 2\n  # of y\n  y: 1\n", "h:\n  z:\n    - 1\n    - 2\n  files: [x/new.yml]\n  # of y\n  y: 1\n"},
		"no list in brackets":     {"h: {z: 1, y: [2] }\nk: 1\n", "h: {z: 1, y: [2], files: [x/new.yml] }\nk: 1\n"},
		"no list and no sibling":  {"h:\n  y: 1\n", ""},
		"a list that is none":     {"h:\n  files: a.yml\n", ""},
		"a list of null":          {"h:\n  z: 1\n  files:\n", ""},
		"a shared list":           {"a: &l [a.yml]\nh:\n  files: *l\n", ""},
		"windows":                 {"h:\r\n  files:\r\n  - a.yml\r\n  z: 1\r\n", "h:\r\n  files:\r\n  - a.yml\r\n  - x/new.yml\n  z: 1\r\n"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := AppendText([]byte(tt.was), "h.files", "z", "x/new.yml")
			if tt.want == "" {
				if err == nil || !strings.HasSuffix(err.Error(), "add it by hand") {
					t.Errorf("%q, %v", got, err)
				}
				return
			}
			if err != nil || string(got) != tt.want {
				t.Errorf("%v\n got %q\nwant %q", err, got, tt.want)
			}
		})
	}
}

func TestTheExampleTakesAFileForEveryHub(t *testing.T) {
	data, err := os.ReadFile("../../examples/pangeo/gauntlet.yaml")
	if err != nil {
		t.Fatal(err)
	}
	p, err := ParsePlatform("gauntlet.yaml", data)
	if err != nil {
		t.Fatal(err)
	}
	for name, h := range p.Hubs {
		out, err := AppendText(data, "hubs."+name+".values", "", "adopted/x.yaml")
		if err == nil {
			out, err = AppendText(out, "hubs."+name+".secrets", "values", "adopted/x.enc.yaml")
		}
		if err != nil {
			t.Fatal(err)
		}
		q, err := ParsePlatform("gauntlet.yaml", out)
		if err != nil {
			t.Fatal(err)
		}
		h.Values, h.Secrets = append(h.Values, "adopted/x.yaml"), append(h.Secrets, "adopted/x.enc.yaml")
		if got := q.Hubs[name]; !reflect.DeepEqual(got, h) {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func FuzzAppendText(f *testing.F) {
	f.Add("h:\n  files: [a]\n")
	f.Add("h:\n  z: 1\n  files:\n  - {a: [1, '}']}\n")
	f.Add("h: {z: [#\n1]}")
	f.Fuzz(func(t *testing.T, was string) {
		out, err := AppendText([]byte(was), "h.files", "z", "x")
		if err != nil {
			return
		}
		v, err := release.ParseValues("", out)
		if err != nil {
			t.Fatal(err)
		}
		l, _ := v.Get("h.files")
		if list, ok := l.([]any); !ok || list[len(list)-1] != "x" {
			t.Errorf("%q: %v", was, l)
		}
	})
}
