package image

import (
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"time"

	"gauntlet/internal/check"
	"gauntlet/internal/config"
	"gauntlet/internal/declared"
	"gauntlet/internal/kube"
	"gauntlet/internal/release"
	"gauntlet/internal/usertest"
)

//go:embed scripts/*.py
var scripts embed.FS

// SuiteOptions is what the image test needs.
type SuiteOptions struct {
	Client    *kube.Client // of the workbench's cluster
	Workbench config.Workbench
	Images    config.Images
	Registry  string                        // what the images' names begin with
	Refs      map[string]string             // image of the set to its reference by digest
	Tests     map[string]usertest.Set       // image to the files of its tests
	Declared  map[string][]declared.Package // image to what its sources declare
	Inspector *Inspector                    // tells what the images hold; nil reads it from the registry
	Hubs      []string                      // versions of JupyterHub, as "5.4", that the hubs are of; none when not known
	// Production tells the image set that production runs, an empty one when it runs none;
	// nil compares with nothing.
	Production func(context.Context) (release.ImageSet, error)
}

// Suite is the image test, named "image": every image starts in a pod of the
// workbench and does what its place in the set asks of it. A notebook runs as a
// user of its own, serves as a JupyterHub single-user server, runs a kernel and
// names its worker by digest; a worker has a Dask worker; both import what they
// promise. Nothing happens until a check runs, and Cleanup removes every pod.
//
// The programs inside the images are run as python3 from the image's PATH;
// nothing is installed.
func Suite(o SuiteOptions) check.Suite {
	if o.Inspector == nil {
		o.Inspector = new(Inspector)
	}
	t := &test{SuiteOptions: o, pods: map[string]string{}}
	s := check.Suite{Name: "image", Digest: suiteDigest(o), Cleanup: &check.Check{
		Name: "nothing is left behind", Timeout: time.Minute, Run: t.close,
	}}
	add := func(name string, timeout time.Duration, run func(context.Context) (string, error), needs ...string) {
		s.Checks = append(s.Checks, check.Check{Name: name, Timeout: timeout, Run: run, Needs: needs})
	}
	const opens = "the workbench opens"
	add(opens, 2*time.Minute, t.open)
	for _, name := range slices.Sorted(maps.Keys(o.Images.Build)) {
		starts := name + " starts"
		add(starts, 10*time.Minute, func(ctx context.Context) (string, error) { return t.ready(ctx, name) }, opens)
		script := func(what, file string, timeout time.Duration, args ...string) {
			add(name+" "+what, timeout, func(ctx context.Context) (string, error) { return t.script(ctx, name, file, args...) }, starts)
		}
		// What starts a server or a kernel, on a node that is busy just then, may fail by
		// chance: it is run once more, and then counts as flaky.
		twice := func(what, file string, timeout time.Duration) {
			script(what, file, timeout)
			s.Checks[len(s.Checks)-1].Retries = 1
		}
		notebook, worker := roles(o.Images.Pairs, name)
		if notebook {
			script("runs as a user of its own", "user.py", 30*time.Second)
			script("has a shell for terminals", "shell.py", time.Minute)
			twice("is a single-user server", "singleuser.py", 3*time.Minute)
			add(name+" fits the hubs", time.Minute, func(ctx context.Context) (string, error) { return t.fits(ctx, name) }, name+" is a single-user server")
			twice("runs every kernel", "kernels.py", 5*time.Minute)
			twice("completes names", "completion.py", 3*time.Minute)
		}
		if worker {
			script("has a Dask worker", "worker.py", time.Minute)
		}
		if mods := o.Images.Build[name].Imports; len(mods) > 0 {
			script("imports what it promises", "imports.py", 3*time.Minute, mods...)
		}
		if list := o.Declared[name]; len(list) > 0 {
			add(name+" holds what its sources declare", 5*time.Minute, func(ctx context.Context) (string, error) { return t.declares(ctx, name, list) }, starts)
		}
		add(name+" is not much larger than production's", 2*time.Minute, func(ctx context.Context) (string, error) { return t.size(ctx, name) })
		tests := o.Tests[name]
		for _, f := range tests.Runs() {
			s.Checks = append(s.Checks, check.Check{
				Name: name + " passes " + f.Name, Timeout: usertest.Timeout, Needs: []string{starts}, Retries: 1,
				Run: func(ctx context.Context) (string, error) {
					return tests.Run(ctx, usertest.Pod{Client: o.Client, Namespace: t.bench.Namespace, Name: t.pods[name]}, f)
				},
			})
		}
	}
	for _, p := range o.Images.Pairs {
		if p.Template != "" || p.Environment != "" {
			add(fmt.Sprintf("%s names %s by digest", p.Notebook, p.Worker), 2*time.Minute, func(ctx context.Context) (string, error) {
				return NamesWorker(ctx, o.Refs[p.Notebook], p, o.Refs[p.Worker])
			})
		}
	}
	return s
}

func roles(pairs []config.Pair, name string) (notebook, worker bool) {
	for _, p := range pairs {
		notebook = notebook || p.Notebook == name
		worker = worker || p.Worker == name
	}
	return notebook, worker
}

// suiteDigest covers the scripts and what the configuration makes of them.
func suiteDigest(o SuiteOptions) string {
	imports, tests := map[string][]string{}, map[string][]string{}
	for name, b := range o.Images.Build {
		imports[name] = b.Imports
		tests[name] = o.Tests[name].Digests()
	}
	return Digest(scripts, struct {
		Rules   string // changes when the checks around the scripts do
		Imports map[string][]string
		Tests   map[string][]string
		Pairs   []config.Pair
		Hubs    []string
		Sources map[string][]declared.Package
	}{"5", imports, tests, o.Images.Pairs, append([]string{}, o.Hubs...), o.Declared})
}

// Digest is a suite's digest, sha256 in hex: over its embedded files and its
// settings as JSON.
func Digest(files fs.FS, settings any) string {
	h := sha256.New()
	err := fs.WalkDir(files, ".", func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := fs.ReadFile(files, p)
		if err != nil {
			return err
		}
		_, _ = fmt.Fprintf(h, "%s %d\n%s", p, len(data), data)
		return nil
	})
	if err != nil {
		panic("suite: " + err.Error()) // embedded files can be read
	}
	if err := json.NewEncoder(h).Encode(settings); err != nil {
		panic("suite: " + err.Error())
	}
	return hex.EncodeToString(h.Sum(nil))
}

// A test is one run of the suite. Its checks run one after another.
type test struct {
	SuiteOptions
	bench *kube.Workbench
	pods  map[string]string // image to pod
}

// open opens the workbench and creates a pod of every image, so that their pulls
// go on side by side.
func (t *test) open(ctx context.Context) (string, error) {
	for name := range t.Images.Build {
		if t.Refs[name] == "" {
			return "", fmt.Errorf("the image set has no image %s", name)
		}
	}
	bench, err := kube.OpenWorkbench(ctx, t.Client, t.Workbench)
	if err != nil {
		return "", err
	}
	t.bench = bench
	idle, err := scripts.ReadFile("scripts/idle.py")
	if err != nil {
		return "", err
	}
	for _, name := range slices.Sorted(maps.Keys(t.Images.Build)) {
		pod, err := t.Client.CreatePod(ctx, bench.Pod(kube.Job{
			Name: "image-" + name, Image: t.Refs[name], Args: []string{"python3", "-c", string(idle)},
		}))
		if err != nil {
			return "", err
		}
		t.pods[name] = pod.Name
	}
	return fmt.Sprintf("namespace %s, %d pods", bench.Namespace, len(t.pods)), nil
}

func (t *test) ready(ctx context.Context, name string) (string, error) {
	start := time.Now()
	pod, err := t.Client.WaitReady(ctx, t.bench.Namespace, t.pods[name])
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("on node %s after %s", pod.Spec.NodeName, time.Since(start).Round(100*time.Millisecond)), nil
}

// script runs one of the embedded scripts in an image's pod.
func (t *test) script(ctx context.Context, name, file string, args ...string) (string, error) {
	text := ""
	for _, f := range []string{file, "answer.py"} {
		b, err := scripts.ReadFile("scripts/" + f)
		if err != nil {
			return "", err
		}
		text += string(b) + "\n"
	}
	var out strings.Builder
	err := t.Client.Exec(ctx, kube.Exec{
		Namespace: t.bench.Namespace, Pod: t.pods[name],
		Command: append([]string{"python3", "-u", "-"}, args...),
		Stdin:   strings.NewReader(text),
		Stdout:  &kube.Limited{W: &out, N: 64 << 10},
	})
	if err != nil {
		return "", err
	}
	return answer(out.String())
}

// answer reads what a script printed: one line of JSON.
func answer(out string) (string, error) {
	var a struct {
		OK      *bool  `json:"ok"`
		Message string `json:"message"`
	}
	line := strings.TrimSpace(out)
	if err := json.Unmarshal([]byte(line), &a); err != nil || a.OK == nil {
		return "", fmt.Errorf("the script gave no answer but %q", kube.OneLine(line))
	}
	message := kube.OneLine(a.Message)
	if !*a.OK {
		return "", fmt.Errorf("%s", message)
	}
	return message, nil
}

func (t *test) close(ctx context.Context) (string, error) {
	if t.bench == nil {
		return "nothing was made", nil
	}
	if err := t.bench.Close(ctx); err != nil {
		return "", err
	}
	return fmt.Sprintf("%d pods are gone", len(t.pods)), nil
}
