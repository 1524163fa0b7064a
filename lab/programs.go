package lab

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"sort"
	"strings"
)

// programSet is a group of programs built from one Go module, kept in a folder
// of the cache that is named after everything that decides their content.
type programSet struct {
	name    string
	what    string   // for people
	howLong string   // cold, on two cores
	module  string   // folder of the Go module, below the root of the checkout
	sources []string // files and folders of the module that decide the content, besides go.mod and go.sum
	ldflags string
	list    []goProgram // built together
}

// goProgram is one program: its Go package and the name it is installed under.
type goProgram struct{ pkg, name string }

func programs(pkgPrefix string, names ...string) []goProgram {
	var list []goProgram
	for _, n := range names {
		list = append(list, goProgram{pkgPrefix + n, n})
	}
	return list
}

// programSets returns what the lab runs, as the checkout at root pins it.
func programSets(root string) ([]programSet, error) {
	kubernetes, err := requiredVersion(filepath.Join(root, "lab/kubernetes/go.mod"), "k8s.io/kubernetes")
	if err != nil {
		return nil, err
	}
	buildkit, err := requiredVersion(filepath.Join(root, "lab/tools/go.mod"), "github.com/moby/buildkit")
	if err != nil {
		return nil, err
	}
	return []programSet{
		{name: ownSet, what: "the lab's own programs", howLong: "a few seconds", module: ".",
			sources: []string{"lab/unit", "lab/pause", "lab/internal/spec"}, ldflags: "-s -w",
			list: []goProgram{{"gauntlet/lab/unit", "lab-unit"}, {"gauntlet/lab/pause", "pause"}}},
		{name: toolsSet, what: "registry and image builder", howLong: "about 3 minutes", module: "lab/tools",
			ldflags: "-s -w -X github.com/moby/buildkit/version.Version=" + buildkit,
			list: append(programs("github.com/moby/buildkit/cmd/", "buildkitd", "buildctl"),
				goProgram{"github.com/distribution/distribution/v3/cmd/registry", "registry"})},
		{name: "addons", what: "the clusters' DNS and volumes", howLong: "about 2 minutes", module: "lab/kubernetes",
			sources: []string{"coredns"}, ldflags: "-s -w",
			list: []goProgram{{"./coredns", "coredns"}, {"github.com/rancher/local-path-provisioner", "local-path-provisioner"}}},
		{name: "kubernetes", what: "Kubernetes " + kubernetes, howLong: "about 7 minutes", module: "lab/kubernetes",
			ldflags: kubernetesLdflags(kubernetes),
			list: append(programs("k8s.io/kubernetes/cmd/", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy", "kubelet", "kubectl"),
				goProgram{"go.etcd.io/etcd/server/v3", "etcd"})},
		{name: simulatorSet, what: "the simulator of nodes", howLong: "about a minute", module: "lab/kwok",
			ldflags: "-s -w", list: programs("sigs.k8s.io/kwok/cmd/", "kwok")},
	}, nil
}

// Names of the sets that are not part of every cluster.
const (
	ownSet       = "lab"
	toolsSet     = "tools"
	simulatorSet = "kwok" // built when first needed
)

// isServiceSet tells of the sets that do not need Kubernetes' long build.
func isServiceSet(set string) bool { return set == ownSet || set == toolsSet }

// isClusterSet tells of the sets that every cluster needs besides.
func isClusterSet(set string) bool { return !isServiceSet(set) && set != simulatorSet }

// kubernetesLdflags make the programs tell the version they were built from, as
// released ones do; clients and servers compare these.
func kubernetesLdflags(version string) string {
	major, rest, _ := strings.Cut(strings.TrimPrefix(version, "v"), ".")
	minor, _, _ := strings.Cut(rest, ".")
	const base, client = "k8s.io/component-base/version", "k8s.io/client-go/pkg/version"
	flags := "-s -w"
	set := func(pkg, name, value string) { flags += fmt.Sprintf(" -X %s.%s=%s", pkg, name, value) }
	set(base, "gitVersion", version)
	set(base, "gitMajor", major)
	set(base, "gitMinor", minor)
	set(base, "gitTreeState", "clean")
	set(base, "gitCommit", "modproxy") // built from the module proxy, which tells no commit
	set(client, "gitVersion", version)
	set(client, "gitMajor", major)
	set(client, "gitMinor", minor)
	return flags
}

// requiredVersion reads the version a go.mod file requires of a module.
func requiredVersion(goMod, module string) (string, error) {
	text, err := os.ReadFile(goMod)
	if err != nil {
		return "", err
	}
	m := regexp.MustCompile(`(?m)^\s*(?:require\s+)?` + regexp.QuoteMeta(module) + `\s+(v\S+)`).FindSubmatch(text)
	if m == nil {
		return "", fmt.Errorf("%s: no version of %s", goMod, module)
	}
	return string(m[1]), nil
}

// names lists the set's programs.
func (s programSet) names() []string {
	var list []string
	for _, p := range s.list {
		list = append(list, p.name)
	}
	return list
}

// folder is where the set's programs are kept.
func (s programSet) folder(root string) (string, error) {
	h := sha256.New()
	fmt.Fprintf(h, "%s\n%v\n", s.ldflags, s.list)
	paths := s.sources
	if s.module != "." { // the lab's own programs use the standard library alone
		paths = append([]string{"go.mod", "go.sum"}, paths...)
	}
	for _, p := range paths {
		if err := hashTree(h, filepath.Join(root, s.module), p); err != nil {
			return "", err
		}
	}
	return filepath.Join(CacheDir(), s.name+"-"+hex.EncodeToString(h.Sum(nil))[:16]), nil
}

// hashTree writes names and contents of a file, or of all files of a folder but
// its tests, into w.
func hashTree(w interface{ Write([]byte) (int, error) }, base, path string) error {
	var files []string
	err := filepath.WalkDir(filepath.Join(base, path), func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if !d.IsDir() && !strings.HasSuffix(p, "_test.go") {
			files = append(files, p)
		}
		return nil
	})
	if err != nil {
		return err
	}
	sort.Strings(files)
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(base, f)
		if err != nil {
			return err
		}
		fmt.Fprintf(w, "%s %d\n", filepath.ToSlash(rel), len(data))
		if _, err := w.Write(data); err != nil {
			return err
		}
	}
	return nil
}

// checkout finds the root of this project's source, upwards from the working folder.
func checkout() (string, error) {
	start, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for dir := start; ; dir = filepath.Dir(dir) {
		text, err := os.ReadFile(filepath.Join(dir, "go.mod"))
		if err == nil && bytes.HasPrefix(text, []byte("module gauntlet\n")) {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", fmt.Errorf("no checkout of gauntlet at or above %s: the lab builds its programs from there; change into it and repeat", start)
		}
	}
}
