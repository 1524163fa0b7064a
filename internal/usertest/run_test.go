package usertest

import (
	"bytes"
	"encoding/json"
	"os/exec"
	"path"
	"strings"
	"testing"

	"gauntlet/internal/kube"
)

// ran is what the runner itself answers to one file of a set, by the python3 of this
// machine. It skips the test when a module that the file needs is not there.
func ran(t *testing.T, s Set, run string, env map[string]string, modules ...string) (string, error) {
	t.Helper()
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("needs python3 on the PATH")
	}
	for _, m := range modules {
		if exec.Command(python, "-c", "import "+m).Run() != nil {
			t.Skipf("needs %s in this machine's python3", m)
		}
	}
	var f File
	for _, o := range s {
		if o.Name == run {
			f = o
		}
	}
	input, err := s.order(f, env)
	if err != nil {
		t.Fatal(err)
	}
	var errs bytes.Buffer
	e := kube.Exec{}.Python(runner, bytes.NewReader(input)) // as in a pod
	c := exec.CommandContext(t.Context(), python, e.Command[1:]...)
	c.Stdin, c.Stderr = e.Stdin, &errs
	out, err := c.Output()
	if err != nil {
		t.Fatalf("the runner: %v: %s", err, errs.Bytes())
	}
	return answer(string(out))
}

func TestTheRunnerSaysWhatPassedAndWhatFailed(t *testing.T) {
	cell := func(source string, tags ...string) map[string]any {
		return map[string]any{"cell_type": "code", "source": source, "metadata": map[string]any{"tags": append([]string{}, tags...)}}
	}
	book := func(cells ...map[string]any) string {
		data, err := json.Marshal(map[string]any{"nbformat": 4, "nbformat_minor": 5, "metadata": map[string]any{}, "cells": append([]map[string]any{}, cells...)})
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	kernel := []string{"jupyter_client", "ipykernel"}
	for name, tt := range map[string]struct {
		file, text string
		modules    []string
		want       string // the whole line, or part of the error
		fails      bool
	}{
		"a script":                      {"look.sh", "echo one; echo two; echo\n", nil, "two", false},
		"a silent script":               {"look.sh", "true\n", nil, "ended with code 0", false},
		"a script of its interpreter":   {"look", "#!/usr/bin/env python3\nprint('of', 'python')\n", nil, "of python", false},
		"a script beside its data":      {"look.sh", "cat level.py\n", nil, "sea = 2", false},
		"a script with the environment": {"look.sh", `echo "$COLOUR"`, nil, "green", false},
		"a script that fails":           {"look.sh", "echo begins; echo 'the sea is high' >&2; exit 3\n", nil, "it ended with code 3: the sea is high", true},
		"a script that fails silently":  {"look.sh", "exit 3\n", nil, "it ended with code 3: without a word", true},
		"a script that prints answers":  {"look.sh", `echo '{"ok": true, "message": "passed"}'; exit 1`, nil, `it ended with code 1: {"ok": true, "message": "passed"}`, true},
		"a script without interpreter":  {"look", "#!/no/such/interpreter\n", nil, "No such file or directory", true},

		"tests": {"test_level.py", "import level, pytest\ndef test_sea(): assert level.sea == 2\ndef test_land(): pytest.skip('dry')\n",
			[]string{"pytest"}, "1 test passed, 1 skipped", false},
		"a test that fails": {"test_level.py", "import level\ndef test_sea():\n    assert level.sea == 1, 'the sea is high'\ndef test_land(): pass\n",
			[]string{"pytest"}, "1 of 2 tests failed: test_sea: AssertionError: the sea is high", true},
		"tests that cannot be read": {"test_level.py", "import no_such_module\n", []string{"pytest"}, "No module named 'no_such_module'", true},
		"a file without a test":     {"test_level.py", "sea = 1\n", []string{"pytest"}, "pytest found no test in it: its functions must be named test_*", true},
		"tests all skipped":         {"test_level.py", "import pytest\ndef test_land(): pytest.skip('dry')\n", []string{"pytest"}, "every test of it was skipped (1): nothing was tested", true},

		"a notebook":            {"level.ipynb", book(cell("import level"), cell(" "), cell("assert level.sea == 2")), kernel, "2 cells ran", false},
		"a cell that fails":     {"level.ipynb", book(cell("1"), cell("1 / 0")), kernel, "cell 2 failed: ZeroDivisionError: division by zero", true},
		"a cell that is to":     {"level.ipynb", book(cell("1 / 0", "raises-exception")), kernel, "1 cell ran", false},
		"a kernel that dies":    {"level.ipynb", book(cell("import os; os._exit(1)")), kernel, "cell 1: its kernel died", true},
		"no notebook":           {"level.ipynb", "{}", []string{"jupyter_client"}, "it is no notebook of format 4: KeyError: 'cells'", true},
		"a notebook of nothing": {"level.ipynb", book(), []string{"jupyter_client"}, "it has no code cell: nothing was tested", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := Set{{Name: path.Join("tests", tt.file), Data: []byte(tt.text)}, {Name: "tests/level.py", Data: []byte("sea = 2\n")}}
			got, err := ran(t, s, s[0].Name, map[string]string{"COLOUR": "green"}, tt.modules...)
			switch {
			case tt.fails && (err == nil || !strings.Contains(err.Error(), tt.want)):
				t.Errorf("got %q, %v; want an error with %q", got, err, tt.want)
			case !tt.fails && (err != nil || got != tt.want):
				t.Errorf("got %q, %v; want %q", got, err, tt.want)
			}
		})
	}
}
