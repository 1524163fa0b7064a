package demo_test

import (
	"bytes"
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"gauntlet/internal/cli"
	"gauntlet/internal/config"
	"gauntlet/internal/demo"
	"gauntlet/internal/evidence"
	"gauntlet/internal/ledger"
	"gauntlet/internal/release"
)

// asProgram makes this test binary gauntlet.
const asProgram = "DEMO_TEST_AS_GAUNTLET"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		os.Exit(cli.Main(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
	}
	os.Exit(m.Run())
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, file string) string {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// newDemo is a demonstration of a copy of the example, with its own keys.
func newDemo(t *testing.T) (*demo.Demo, demo.Options) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	opts := demo.Options{Gauntlet: self, Example: filepath.Join(t.TempDir(), "pangeo"), Dir: t.TempDir(), Out: io.Discard}
	if err := demo.CopyTree("../../examples/pangeo", opts.Example); err != nil {
		t.Fatal(err)
	}
	return demo.New(opts, append(os.Environ(), asProgram+"=1", "XDG_CONFIG_HOME="+filepath.Join(opts.Dir, "config"),
		"GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL="+os.DevNull)), opts
}

func commits(t *testing.T, dir string) []string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "git", "-C", dir, "log", "--format=%s <%ae>").CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return strings.Split(strings.TrimSpace(string(out)), "\n")
}

func TestTheTeamHasKeysAPolicyAndARepository(t *testing.T) {
	d, opts := newDemo(t)
	if err := d.PrepareTeam(t.Context()); err != nil {
		t.Fatal(err)
	}
	text := read(t, filepath.Join(d.TeamDir(), "policy.yaml"))
	p, err := config.ParsePolicy("policy.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if len(p.People) < 5 {
		t.Errorf("only %d people", len(p.People))
	}
	for name, who := range p.People {
		file := filepath.Join(opts.Dir, "config", "gauntlet", "keys", name+".pem")
		k, err := ledger.LoadKey(file) // refuses one that others may read
		if err != nil {
			t.Error(err)
			continue
		}
		if k.Public() != who.Key {
			t.Errorf("the policy has another key of %s", name)
		}
		if _, err := evidence.ParseKey(who.Key); err != nil {
			t.Error(err)
		}
	}
	if original := read(t, filepath.Join(opts.Example, "policy.yaml")); original == text {
		t.Error("the policy has the example's placeholders")
	}
	if got := commits(t, d.TeamDir()); len(got) != 1 || got[0] != "Change the platform <margaret@pangeo.example>" {
		t.Errorf("commits: %v", got)
	}
	if head := read(t, filepath.Join(d.TeamDir(), ".git", "HEAD")); !strings.Contains(head, "main") {
		t.Errorf("HEAD is %s", head)
	}
}

func TestWithoutAChangeNothingIsCommittedAgain(t *testing.T) {
	d, _ := newDemo(t)
	for range 2 {
		if err := d.PrepareTeam(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if got := commits(t, d.TeamDir()); len(got) != 1 {
		t.Errorf("commits: %v", got)
	}
}

// The example's files come over, also those that went; the tags are the team's.
func TestAChangeOfTheExampleKeepsTheTeamsTags(t *testing.T) {
	d, opts := newDemo(t)
	if err := d.PrepareTeam(t.Context()); err != nil {
		t.Fatal(err)
	}
	before := read(t, filepath.Join(d.TeamDir(), "policy.yaml"))
	for file, path := range demo.Requests {
		name := filepath.Join(d.TeamDir(), file)
		data, err := config.SetPaths([]byte(read(t, name)), map[string]any{path: "12e4567"})
		if err != nil {
			t.Fatal(err)
		}
		write(t, name, string(data))
	}
	if err := d.Commit(t.Context(), "Ask for the new images"); err != nil {
		t.Fatal(err)
	}

	values := filepath.Join(opts.Example, "jupyter-config.yml")
	write(t, values, strings.Replace(read(t, values), "256Mi", "300Mi", 1))
	write(t, filepath.Join(opts.Example, "images", "new.txt"), "new")
	if err := os.Remove(filepath.Join(opts.Example, "README.md")); err != nil {
		t.Fatal(err)
	}
	if err := d.PrepareTeam(t.Context()); err != nil {
		t.Fatal(err)
	}

	for file, path := range demo.Requests {
		v, err := release.ParseValues(file, []byte(read(t, filepath.Join(d.TeamDir(), file))))
		if err != nil {
			t.Fatal(err)
		}
		if tag, _ := v.Get(path); tag != "12e4567" {
			t.Errorf("%s asks for %v", file, tag)
		}
	}
	if !strings.Contains(read(t, filepath.Join(d.TeamDir(), "jupyter-config.yml")), "300Mi") {
		t.Error("the change has not come over")
	}
	if read(t, filepath.Join(d.TeamDir(), "images", "new.txt")) != "new" {
		t.Error("the new file has not come over")
	}
	if _, err := os.Stat(filepath.Join(d.TeamDir(), "README.md")); !os.IsNotExist(err) {
		t.Errorf("the removed file is there: %v", err)
	}
	if read(t, filepath.Join(d.TeamDir(), "policy.yaml")) != before {
		t.Error("keys were made anew")
	}
	if got := commits(t, d.TeamDir()); len(got) != 3 {
		t.Errorf("commits: %v", got)
	}
}

// The values files that the demonstration writes tags into are all that ask for one.
func TestRequestsAreWhereTheExampleAsks(t *testing.T) {
	data := read(t, "../../examples/pangeo/gauntlet.yaml")
	p, err := config.ParsePlatform("gauntlet.yaml", []byte(data))
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, h := range p.Hubs {
		for _, file := range h.Values {
			v, err := release.ParseValues(file, []byte(read(t, filepath.Join("../../examples/pangeo", file))))
			if err != nil {
				t.Fatal(err)
			}
			for _, slot := range p.Chart.Images {
				if _, asks := v.Get(slot.Tag); asks {
					n++
					if demo.Requests[file] != slot.Tag {
						t.Errorf("%s asks at %s, the demonstration writes %q", file, slot.Tag, demo.Requests[file])
					}
				}
			}
		}
	}
	if n == 0 {
		t.Error("no values file asks for a tag")
	}
}

func TestAFingerprintIsOfNamesAndContents(t *testing.T) {
	sum := func(files map[string]string) string {
		t.Helper()
		dir := filepath.Join(t.TempDir(), "recipe")
		for name, text := range files {
			write(t, filepath.Join(dir, name), text)
		}
		f, err := demo.Fingerprint(dir)
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	one := sum(map[string]string{"a": "1", "sub/b": "2"})
	if len(one) != 12 {
		t.Errorf("%q has %d digits", one, len(one))
	}
	if again := sum(map[string]string{"a": "1", "sub/b": "2"}); again != one {
		t.Error("the same files elsewhere differ")
	}
	for what, files := range map[string]map[string]string{
		"a content":   {"a": "1", "sub/b": "3"},
		"a name":      {"a": "1", "sub/c": "2"},
		"a folder":    {"a": "1", "b": "2"},
		"one more":    {"a": "1", "sub/b": "2", "c": ""},
		"one fewer":   {"a": "1"},
		"the borders": {"a": "1\n\"sub/b\" 1\n2"},
	} {
		if sum(files) == one {
			t.Errorf("another fingerprint is expected when %s changes", what)
		}
	}
	if _, err := demo.Fingerprint(filepath.Join(t.TempDir(), "missing")); err == nil {
		t.Error("what is missing has a fingerprint")
	}
}

func TestACopyKeepsContentsAndModes(t *testing.T) {
	from, to := t.TempDir(), filepath.Join(t.TempDir(), "copy")
	write(t, filepath.Join(from, "sub", "run.sh"), "#!/bin/sh\n")
	if err := os.Chmod(filepath.Join(from, "sub", "run.sh"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := demo.CopyTree(from, to); err != nil {
		t.Fatal(err)
	}
	st, err := os.Stat(filepath.Join(to, "sub", "run.sh"))
	if err != nil || st.Mode().Perm() != 0o755 || read(t, filepath.Join(to, "sub", "run.sh")) != "#!/bin/sh\n" {
		t.Errorf("got %v, %v", st, err)
	}
}

func TestTheHubsTagIsWhatTheChartAsksFor(t *testing.T) {
	tag, err := demo.HubTag("../../examples/pangeo")
	if err != nil || tag == "" || tag == "latest" {
		t.Errorf("got %q, %v", tag, err)
	}
	for what, text := range map[string]string{"no tag": "jupyterhub: {}\n", "a number": "jupyterhub: {hub: {image: {tag: 6}}}\n", "an empty one": "jupyterhub: {hub: {image: {tag: ''}}}\n"} {
		dir := t.TempDir()
		write(t, filepath.Join(dir, "chart", "values.yaml"), text)
		if tag, err := demo.HubTag(dir); err == nil {
			t.Errorf("%s: got %q", what, tag)
		}
	}
}

func TestCommandsAreShownAsOneWouldTypeThem(t *testing.T) {
	if got, want := demo.Quoted([]string{"veto", "3f2a9c", "--reason", "it's slow"}), `veto 3f2a9c --reason "it's slow"`; got != want {
		t.Errorf("got %s, expected %s", got, want)
	}
}

func TestWithoutTheExampleItSaysWhereToRun(t *testing.T) {
	var out bytes.Buffer
	err := demo.Run(t.Context(), demo.Options{Example: t.TempDir(), Dir: t.TempDir(), Out: &out})
	if err == nil || !strings.Contains(err.Error(), "--example") {
		t.Errorf("got %v", err)
	}
}
