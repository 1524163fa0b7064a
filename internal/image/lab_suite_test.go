package image

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"

	"gauntlet/internal/check"
	"gauntlet/internal/config"
	"gauntlet/internal/kube"
	"gauntlet/internal/usertest"
)

// labSet is the demonstration's notebook and the worker that it names.
func labSet(t *testing.T) (cluster string, refs map[string]string) {
	t.Helper()
	cluster, ref := os.Getenv("GAUNTLET_TEST_CONTEXT"), os.Getenv("GAUNTLET_TEST_NOTEBOOK")
	if cluster == "" || ref == "" {
		t.Skip("needs the lab: make test-lab")
	}
	tag, err := name.NewTag(ref)
	must(t, err)
	d, err := Resolve(t.Context(), tag.Repository.Name(), tag.TagStr())
	must(t, err)
	notebook := tag.Repository.Name() + "@" + string(d)
	named, err := TemplateImages(t.Context(), notebook, "/pre-home/worker-template.yml")
	must(t, err)
	return cluster, map[string]string{"notebook": notebook, "worker": named[0]}
}

// labSuite runs the image suite of the demonstration's images, with files as tests of
// the notebook.
func labSuite(t *testing.T, tests usertest.Set) check.Result {
	t.Helper()
	cluster, refs := labSet(t)
	client, err := kube.Connect(cluster)
	must(t, err)
	s := Suite(SuiteOptions{
		Client: client, Workbench: config.Workbench{Context: cluster, Namespace: "gauntlet-test-image"}, Refs: refs,
		Images: config.Images{
			Build: map[string]config.Build{"notebook": {Imports: []string{"jupyterlab"}}, "worker": {Imports: []string{"dask"}}},
			Pairs: []config.Pair{{Notebook: "notebook", Worker: "worker", Template: "/pre-home/worker-template.yml"}},
		},
		Tests: map[string]usertest.Set{"notebook": tests},
	})
	return check.Run(t.Context(), s, func(o check.Outcome) {
		t.Logf("%5.1f s %s %s: %s", o.Took.Seconds(), o.State, o.Name, o.Message)
	})
}

func TestLabAGoodImageSetPassesItsTest(t *testing.T) {
	for _, o := range labSuite(t, nil).Outcomes {
		if o.State != check.Passed {
			t.Errorf("%s: %s", o.Name, o.Message)
		}
	}
}

func TestLabWhatAUsersTestFailedOfIsNamed(t *testing.T) {
	tests := usertest.Set{
		{Name: "tests/test_level.py", Data: []byte("import level\n\ndef test_sea():\n    assert level.sea() == 1, 'the sea is high'\n")},
		{Name: "tests/level.py", Data: []byte("def sea():\n    return 2\n")},
		{Name: "tests/empty.ipynb", Data: []byte(`{"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": []}`)},
		{Name: "tests/dies.ipynb", Data: []byte(`{"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [{"cell_type": "code", "source": "import os; os._exit(1)", "metadata": {}}]}`)},
		{Name: "tests/look.sh", Data: []byte("echo \"$0 has \\e[31mno colour\"; exit 3\n")},
	}
	want := map[string]string{
		"notebook passes tests/test_level.py": "test_sea: AssertionError: the sea is high",
		"notebook passes tests/empty.ipynb":   "no code cell",
		"notebook passes tests/dies.ipynb":    "cell 1: its kernel died",
		"notebook passes tests/look.sh":       "ended with code 3",
	}
	for _, o := range labSuite(t, tests).Outcomes {
		words, told := want[o.Name]
		if !told {
			continue
		}
		delete(want, o.Name)
		if o.State != check.Failed || !strings.Contains(o.Message, words) {
			t.Errorf("%s: %s %s, want %q", o.Name, o.State, o.Message, words)
		}
	}
	for name := range want {
		t.Errorf("%s was not run", name)
	}
}
