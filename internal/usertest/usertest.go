// Package usertest runs the tests that a platform's own people give, inside an image:
// pytest files, notebooks and scripts. Nothing is installed for them: what they need is
// in the image, as it is for users.
package usertest

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"gauntlet/internal/kube"
	"gauntlet/internal/release"
)

// Timeout is what one file may take.
const Timeout = 10 * time.Minute

//go:embed run.py
var runner []byte

// A Kind is how a file is run.
type Kind string

// Kinds of files.
const (
	Pytest   Kind = "pytest"   // test_*.py and *_test.py; one that holds no test fails
	Notebook Kind = "notebook" // *.ipynb: each code cell in order, by a kernel of the image
	Script   Kind = "script"   // *.sh, or what begins with #!: exit code zero passes
	Data     Kind = "data"     // anything else lies beside the others, as conftest.py or a module does
)

// A File is one of them.
type File struct {
	Name string // path relative to the folder of gauntlet.yaml
	Data []byte
}

// Kind is how the file is run.
func (f File) Kind() Kind {
	base := path.Base(f.Name)
	stem, python := strings.CutSuffix(base, ".py")
	switch {
	case python && (strings.HasPrefix(base, "test_") || strings.HasSuffix(stem, "_test")):
		return Pytest
	case strings.HasSuffix(base, ".ipynb"):
		return Notebook
	case strings.HasSuffix(base, ".sh") || strings.HasPrefix(string(f.Data), "#!"):
		return Script
	}
	return Data
}

// Set is the files that lie in one folder while each is run.
type Set []File

// Load reads the files of a set.
func Load(files []string, read func(file string) ([]byte, error)) (Set, error) {
	var s Set
	for _, f := range files {
		data, err := read(f)
		if err != nil {
			return nil, err
		}
		s = append(s, File{Name: f, Data: data})
	}
	return s, nil
}

// Runs are the files that are run, in the order given.
func (s Set) Runs() []File {
	return slices.DeleteFunc(slices.Clone(s), func(f File) bool { return f.Kind() == Data })
}

// Digests are the files' names and digests, and the runner's: what a suite that runs
// them has to name. None for no files.
func (s Set) Digests() []string {
	if len(s) == 0 {
		return nil
	}
	list := []string{string(release.DigestOf(runner))}
	for _, f := range s {
		list = append(list, f.Name+" "+string(release.DigestOf(f.Data)))
	}
	return list
}

// A Pod is where a file is run: in its only or default container, as its user.
type Pod struct {
	Client    *kube.Client
	Namespace string
	Name      string
	Env       map[string]string // beside the container's own
}

// Run runs one file of the set in a pod, and says in a line what passed. Every file of
// the set lies beside it, in a folder that is gone afterwards. The error says what
// failed: a test with its message, a cell with its error, a script's last words.
func (s Set) Run(ctx context.Context, pod Pod, f File) (string, error) {
	input, err := s.order(f, pod.Env)
	if err != nil {
		return "", err
	}
	var out strings.Builder
	e := kube.Exec{Namespace: pod.Namespace, Pod: pod.Name, Stdout: &kube.Limited{W: &out, N: 64 << 10}}
	if err := pod.Client.Exec(ctx, e.Python(runner, bytes.NewReader(input))); err != nil {
		return "", err
	}
	return answer(out.String())
}

// order is what the runner reads: one line of JSON with the set and which file to run.
func (s Set) order(f File, env map[string]string) ([]byte, error) {
	type file struct {
		Name string `json:"name"`
		Data []byte `json:"data"` // base64 in JSON
	}
	order := struct {
		Run   string            `json:"run"`
		Kind  Kind              `json:"kind"`
		Env   map[string]string `json:"env"`
		Files []file            `json:"files"`
	}{Run: path.Base(f.Name), Kind: f.Kind(), Env: env}
	for _, o := range s {
		order.Files = append(order.Files, file{path.Base(o.Name), o.Data})
	}
	line, err := json.Marshal(order)
	if err != nil {
		return nil, fmt.Errorf("write the order to run %s: %w", f.Name, err)
	}
	return append(line, '\n'), nil
}

// answer reads what the runner printed: one line of JSON.
func answer(out string) (string, error) {
	var a struct {
		OK      *bool  `json:"ok"`
		Message string `json:"message"`
	}
	line := strings.TrimSpace(out)
	if err := json.Unmarshal([]byte(line), &a); err != nil || a.OK == nil {
		return "", fmt.Errorf("the runner gave no answer but %q", kube.OneLine(line))
	}
	if message := kube.OneLine(a.Message); *a.OK {
		return message, nil
	} else {
		return "", fmt.Errorf("%s", message)
	}
}
