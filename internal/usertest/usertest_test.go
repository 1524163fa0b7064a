package usertest

import (
	"strings"
	"testing"
)

func TestFilesRunByTheirNames(t *testing.T) {
	for name, want := range map[string]Kind{
		"tests/test_maps.py": Pytest, "maps_test.py": Pytest, "tests/maps.ipynb": Notebook, "a.sh": Script, "a.py": Data,
		"conftest.py": Data, "__init__.py": Data, "a.csv": Data, "test_a.csv": Data, "README": Data,
	} {
		if got := (File{Name: name}).Kind(); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
	if got := (File{Name: "look", Data: []byte("#!/bin/sh\n")}).Kind(); got != Script {
		t.Errorf("a file with an interpreter is %s", got)
	}
	s := Set{{Name: "conftest.py"}, {Name: "test_b.py"}, {Name: "a.ipynb"}}
	runs := s.Runs()
	if len(runs) != 2 || runs[0].Name != "test_b.py" || runs[1].Name != "a.ipynb" || len(s) != 3 {
		t.Errorf("%v of %v", runs, s)
	}
}

func TestDigestsChangeWithNameAndContent(t *testing.T) {
	one := Set{{Name: "a.sh", Data: []byte("1")}}.Digests()[1]
	for _, other := range []Set{{{Name: "b.sh", Data: []byte("1")}}, {{Name: "a.sh", Data: []byte("2")}}} {
		if other.Digests()[1] == one {
			t.Errorf("%s and %s are one", other[0].Name, one)
		}
	}
}

func FuzzAnswer(f *testing.F) {
	for _, s := range []string{`{"ok":true,"message":"2 tests passed"}`, `{"ok":false,"message":"a\nb\u001b[31m"}`, `{}`, "", "Traceback\n"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, out string) {
		message, err := answer(out)
		if err != nil {
			message = err.Error()
		}
		if strings.ContainsAny(message, "\n\x1b") {
			t.Errorf("%q became %q", out, message)
		}
	})
}
