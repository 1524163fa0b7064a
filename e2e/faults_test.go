package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"gauntlet/lab"
)

// goodImages are build arguments with the demonstration's images, for overlays that
// start from one of them.
func (s *small) goodImages() {
	st := statusOf(demoTeam(s.t))
	args := "  args:\n    BASE: \"172.29.0.1:5000/platform/base:bookworm\"\n"
	for arg, image := range map[string]string{"WORKER": "worker", "NOTEBOOK": "notebook"} {
		args += "    " + arg + ": 172.29.0.1:5000/platform/" + image + "@" + string(st.Images[image]) + "\n"
	}
	s.replace("gauntlet.yaml", "  args: {BASE: \"172.29.0.1:5000/platform/base:bookworm\"}\n", args)
}

// replace replaces text that must be in a file of the team.
func (c *team) replace(file, old, with string) {
	c.t.Helper()
	data, err := os.ReadFile(filepath.Join(c.dir, file))
	if err != nil {
		c.t.Fatal(err)
	}
	if !strings.Contains(string(data), old) {
		c.t.Fatalf("%s does not hold %q", file, old)
	}
	c.write(file, strings.Replace(string(data), old, with, 1))
}

// promises are the modules that the worker of a small platform promises.
const promises = "imports: [dask, distributed, pandas, pyarrow, numpy, xarray, zarr, geopandas, shapely]"

// workerDeclares is what its sources declare.
const workerDeclares = "      declares: [environment.in]\n"

// What the notebook of a small platform promises and declares, and its tests.
const (
	notebookDeclares = "      declares: [environment.in, notebook.in]\n"
	notebookPromises = "imports: [jupyterhub, jupyterlab, ipykernel, dask, distributed, pandas, pyarrow, numpy, xarray, zarr, geopandas, shapely]"
	notebookTests    = "tests: [tests/test_notebook.py]"
)

func imageFaults(t *testing.T) {
	for _, f := range []struct {
		name, overlay, cause string
		shown                []string
	}{
		{"a notebook that no hub can use stops at the image test", "notebook-not-singleuser", "singleuser", []string{"image FAILED"}},
		{"a worker without geopandas stops at pairing", "worker-without-geopandas", "geopandas is missing on the worker", []string{"image PASSED", "pairing FAILED"}},
		{"no worker joins stops at pairing", "zero-workers", "require-encryption everywhere or nowhere", []string{"image PASSED", "pairing FAILED"}},
		{"a worker of another Python stops at pairing", "worker-other-python", "Python 3.11, the worker Python 3.13", []string{"image PASSED", "pairing FAILED"}},
		{"a worker a Dask release apart stops before a pod starts", "worker-other-dask", "dask 2026.8.0 / 2026.7.1, distributed 2026.8.0 / 2026.7.1", []string{"image PASSED", "pairing FAILED"}},
		{"a second environment alone that changed stops before a pod starts", "second-environment-changed", "/opt/gis: versions differ (notebook / worker): fsspec 2026.9.0 / 2026.7.0", []string{"image PASSED", "pairing FAILED"}},
		{"a notebook without a shell stops at the image test", "shell-unset", "$SHELL is not set", []string{"image FAILED"}},
		{"a jedi that does not fit IPython stops at the image test", "jedi-incompatible", "jedi 0.15.2 do not work together", []string{"image FAILED"}},
	} {
		t.Run(f.name, func(t *testing.T) {
			s := newSmall(t, f.overlay, 30110, f.overlay)
			s.goodImages()
			s.replace("gauntlet.yaml", promises, "imports: [dask, distributed]") // so that it is left to pairing
			s.replace("gauntlet.yaml", workerDeclares, "")
			s.begin()
			s.stops(f.cause, f.shown...)
		})
	}
	t.Run("a worker a Dask release apart stops at pairing with alignment off", func(t *testing.T) {
		s := newSmall(t, "alignment-off", 30118, "worker-other-dask")
		s.goodImages()
		s.replace("gauntlet.yaml", "  pairs: ", "  alignment: {\"*\": ignore}\n  pairs: ")
		s.begin()
		s.stops("different releases of Dask", "image PASSED", "pairing FAILED")
	})
	t.Run("a worker without a package it promises stops at the image test", func(t *testing.T) {
		s := newSmall(t, "promise", 30111, "worker-without-geopandas")
		s.goodImages()
		s.begin()
		s.stops("geopandas", "image FAILED")
	})
	t.Run("a worker without a package that its sources declare stops at the image test", func(t *testing.T) {
		s := newSmall(t, "declared", 30121, "worker-without-geopandas")
		s.goodImages()
		s.replace("gauntlet.yaml", promises, "imports: [dask, distributed]")
		s.begin()
		s.stops("1 of 10 packages that its sources declare are not in it: geopandas is in no environment (environment.in:4)", "image FAILED")
	})
}

func chartFaults(t *testing.T) {
	t.Run("a tag that does not exist stops before anything is built", func(t *testing.T) {
		s := newSmall(t, "no-tag", 30112)
		s.set("jupyter-config.yml", map[string]any{"jupyterhub.singleuser.image.tag": "9999999"})
		s.begin()
		s.stops("9999999")
	})
	t.Run("a chart that does not render stops before bleeding-edge", func(t *testing.T) {
		s := newSmall(t, "no-render", 30113, "chart-does-not-render")
		s.begin()
		s.borrow()
		s.stops("pangeo-hub.labelz", "render FAILED")
	})
	t.Run("values that only impactlab uses stop before bleeding-edge", func(t *testing.T) {
		s := newSmall(t, "impactlab", 30114, "impactlab-does-not-render")
		s.set("impactlab-config.yml", map[string]any{"jupyterhub.singleuser.image.tag": ""})
		s.another("impactlab", "production", "impactlab-config.yml")
		s.begin()
		s.borrow()
		s.stops("impactlab renders", "render FAILED")
	})
	t.Run("a cluster that is down is named before bleeding-edge", func(t *testing.T) {
		s := newSmall(t, "cluster-down", 30115)
		s.another("far", "production", "jupyter-config.yml")
		s.begin()
		s.borrow()
		s.env = append(s.env, "KUBECONFIG="+withoutCluster(t, "production"))
		s.stops("production", "render FAILED")
	})
}

// another adds a hub of a second tier to the platform.
func (s *small) another(hub, cluster, values string) {
	s.t.Helper()
	data, err := os.ReadFile(filepath.Join(s.dir, "gauntlet.yaml"))
	if err != nil {
		s.t.Fatal(err)
	}
	s.write("gauntlet.yaml", string(data)+`  `+hub+`:
    tier: production
    cluster: `+cluster+`
    namespace: `+s.name+`
    release: `+hub+`
    values: [`+values+`]
    url: http://172.29.0.31:30199
    apiTokenFrom: {secret: hub, key: gauntlet}
`)
	s.replace("policy.yaml", "people:", "  - production: {hubs: all, suites: [hub]}\npeople:")
	s.t.Cleanup(func() {
		c := *s.team
		c.kubectlAfter(cluster, "delete", "namespace", s.name, "--ignore-not-found", "--wait=false")
	})
}

// withoutCluster is a kubeconfig in which a cluster's API server does not answer.
func withoutCluster(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(lab.Kubeconfig())
	if err != nil {
		t.Fatal(err)
	}
	var cfg map[string]any
	if err := yaml.Unmarshal(data, &cfg); err != nil {
		t.Fatal(err)
	}
	found := false
	for _, c := range cfg["clusters"].([]any) {
		entry := c.(map[string]any)
		if entry["name"] == name {
			entry["cluster"].(map[string]any)["server"] = "https://127.0.0.1:9" // the discard port: nothing listens
			found = true
		}
	}
	if !found {
		t.Fatalf("the kubeconfig has no cluster %s", name)
	}
	if data, err = yaml.Marshal(cfg); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "kubeconfig")
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func secondChart(t *testing.T) {
	c := copyOf(t, filepath.Join(root, "examples", "other-chart"))
	// The example's images are the first example's.
	pangeo := &team{t: t, dir: filepath.Join(filepath.Dir(c.dir), "pangeo"), env: c.env}
	pangeo.overlay(filepath.Join(root, "examples", "pangeo"))
	pangeo.sh("git", "init", "--quiet", "--initial-branch=main")
	pangeo.commit("The image sources")
	repo := lab.Registry + "/e2e/ledger-" + strings.ToLower(randomName())
	c.set("gauntlet.yaml", map[string]any{"ledger": repo, "workbench.namespace": "e2e-tiny-bench", "hubs.tiny.namespace": "e2e-tiny"})
	s := &small{team: c, name: "e2e-tiny", repo: repo}
	// So are their tests, so that the verdicts hold here too.
	if err := os.CopyFS(filepath.Join(c.dir, "tests"), os.DirFS(filepath.Join(pangeo.dir, "tests"))); err != nil {
		t.Fatal(err)
	}
	s.replace("gauntlet.yaml", notebookDeclares, notebookDeclares+"      "+notebookTests+"\n")
	s.replace("gauntlet.yaml", "template: /pre-home/worker-template.yml}", "template: /pre-home/worker-template.yml, tests: [tests/test_workers.py, tests/areas.ipynb]}")
	t.Cleanup(s.remove)
	s.write("policy.yaml", strings.Replace(smallPolicyText(t), "hubs: all", "hubs: any", 1))
	s.set("tiny.yaml", map[string]any{"notebook.digestOrTag": ""})
	s.begin()
	s.borrow()
	s.gauntlet(0, "run", "--key", "ci")
	if st := statusOf(c); st.Hubs["tiny"].Release != st.Release.Label() {
		t.Errorf("hub tiny runs %q, not release %s", st.Hubs["tiny"].Release, st.Release.Short())
	}
	leftNothing(c, "e2e-tiny")
}
