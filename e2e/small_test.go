package e2e

import (
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gauntlet/internal/evidence"
	"gauntlet/internal/ledger"
	"gauntlet/internal/release"
	"gauntlet/lab"
)

// small is a platform of one tier and one hub with a ledger and namespaces of its
// own, made from the example with overlays; its values ask for the images of the
// commit. It is cleaned up after the test.
type small struct {
	*team
	name string
	repo string // of the ledger
	port int    // of the hub

	borrowed map[release.Digest]bool // statements that borrow brought
}

const smallConfig = `apiVersion: gauntlet/v1
platform: %[1]s
registry: 172.29.0.1:5000/platform
ledger: %[2]s
workbench: {context: bleeding-edge, namespace: %[1]s-bench}
images:
  source: images
  secrets: [{id: ca, file: /etc/ssl/certs/ca-certificates.crt}]
  args: {BASE: "172.29.0.1:5000/platform/base:bookworm"}
  build:
    notebook:
      dockerfile: notebook/Dockerfile
      imports: [jupyterhub, jupyterlab, ipykernel, dask, distributed, pandas, pyarrow, numpy, xarray, zarr, geopandas, shapely]
      declares: [environment.in, notebook.in]
      tests: [tests/test_notebook.py]
    worker:
      dockerfile: worker/Dockerfile
      imports: [dask, distributed, pandas, pyarrow, numpy, xarray, zarr, geopandas, shapely]
      declares: [environment.in]
  pairs: [{notebook: notebook, worker: worker, template: /pre-home/worker-template.yml, tests: [tests/test_workers.py, tests/areas.ipynb]}]
chart:
  path: chart
  images: {notebook: {name: jupyterhub.singleuser.image.name, tag: jupyterhub.singleuser.image.tag}}
  access: [jupyterhub.auth.whitelist.users, jupyterhub.auth.admin.users]
hubs:
  testing:
    tier: bleeding-edge
    cluster: bleeding-edge
    namespace: %[1]s
    release: testing
    values: [jupyter-config.yml]
    set: {jupyterhub.proxy.service.nodePort: %[3]d}
    url: http://172.29.0.11:%[3]d
    apiTokenFrom: {secret: hub, key: gauntlet}
`

const smallPolicy = `apiVersion: gauntlet/v1
tiers:
  - bleeding-edge: {hubs: all, suites: [hub]}
people:
  ci: {roles: [builder, checker, deployer], key: %q}
  ada: {roles: [board], key: %q}
`

// newSmall makes a small platform. Its name begins every namespace of it.
func newSmall(t *testing.T, name string, port int, overlays ...string) *small {
	t.Helper()
	s := &small{name: "e2e-" + name, port: port, repo: lab.Registry + "/e2e/ledger-" + strings.ToLower(randomName())}
	var dirs []string
	for _, o := range overlays {
		dirs = append(dirs, filepath.Join(root, "examples", "faults", o))
	}
	s.team = copyOf(t, filepath.Join(root, "examples", "pangeo"), dirs...)
	s.write("gauntlet.yaml", fmt.Sprintf(smallConfig, s.name, s.repo, port))
	s.write("policy.yaml", smallPolicyText(t))
	s.set("jupyter-config.yml", map[string]any{
		"jupyterhub.singleuser.image.tag":    "",
		"jupyterhub.singleuser.storage.type": "none", // volumes take a third of the time of a deployment; the demonstration's hubs have them
	})
	t.Cleanup(s.remove)
	return s
}

// begin commits the platform and sets its policy.
func (s *small) begin() {
	s.t.Helper()
	s.commit("Begin")
	s.gauntlet(0, "policy", "init", "--key", "ada")
}

// remove deletes the platform's namespaces.
func (s *small) remove() {
	if s.t.Failed() && os.Getenv("GAUNTLET_KEEP") != "" {
		return
	}
	c := *s.team
	c.kubectlAfter("bleeding-edge", "delete", "namespace", s.name, s.name+"-bench", "--ignore-not-found", "--wait=false")
}

// borrow says anew, in the platform's ledger, what the demonstration has shown of its
// images, so that they need not be tested again. The platform has the same image
// source. (The statements themselves would name others that this ledger lacks.)
func (s *small) borrow() {
	s.t.Helper()
	ctx := s.t.Context()
	from, to := openStore(s.t, demoLedger), openStore(s.t, s.repo)
	l := ledger.Open(to)
	if _, err := l.Read(ctx, s.policy()); err != nil {
		s.t.Fatal(err)
	}
	s.borrowed = map[release.Digest]bool{}
	for _, r := range demoView(s.t).Records {
		if r.Subjects[0].Kind != evidence.ImageSet {
			continue
		}
		a, err := from.GetArtifact(ctx, r.Subjects[0].Digest)
		if err != nil {
			s.t.Fatal(err)
		}
		if err := to.PutArtifact(ctx, a); err != nil {
			s.t.Fatal(err)
		}
		if b, err := evidence.Decode[evidence.Build](r); r.Type == evidence.BuildType && err == nil {
			held, err := from.GetArtifact(ctx, b.Packages)
			if err != nil {
				s.t.Fatal(err)
			}
			if err := to.PutArtifact(ctx, held); err != nil {
				s.t.Fatal(err)
			}
		}
		said, err := l.Append(ctx, demoKey(s.t, "ci"), ledger.Statement{Type: r.Type, Subjects: r.Subjects, Predicate: r.Predicate})
		if err != nil {
			s.t.Fatal(err)
		}
		s.borrowed[said.ID] = true
	}
	if n := len(s.borrowed); n < 3 {
		s.t.Fatalf("only %d statements about images to borrow", n)
	}
}

// shown are the suites and deployments that the platform's ledger holds beside what
// it has borrowed.
func (s *small) shown() []string {
	s.t.Helper()
	view, err := ledger.Open(openStore(s.t, s.repo)).Read(s.t.Context(), s.policy())
	if err != nil {
		s.t.Fatal(err)
	}
	var out []string
	for _, r := range view.Records {
		if s.borrowed[r.ID] {
			continue
		}
		switch r.Type {
		case evidence.TestResultType:
			res, err := evidence.Decode[evidence.TestResult](r)
			if err != nil {
				s.t.Fatal(err)
			}
			out = append(out, res.Suite+" "+res.Result)
		case evidence.DeploymentType:
			out = append(out, "deployment")
		}
	}
	return out
}

// stops checks that a run fails with the cause in one line, and that the suites the
// ledger holds afterwards are these: no later step has run.
func (s *small) stops(cause string, shown ...string) {
	s.t.Helper()
	r := s.gauntlet(1, "run", "--key", "ci")
	line := ""
	for l := range strings.Lines(r.errout) {
		if strings.HasPrefix(l, "gauntlet: ") {
			line = l
		}
	}
	s.t.Logf("%s", strings.TrimSpace(line))
	if !strings.Contains(strings.ToLower(line), strings.ToLower(cause)) {
		s.t.Errorf("the cause does not name %q:\n%s", cause, r.all())
	}
	if got := fmt.Sprint(s.shown()); got != fmt.Sprint(shown) {
		s.t.Errorf("the ledger shows %s, expected %v", got, shown)
	}
}

func randomName() string { return rand.Text()[:10] }

// text is a file of the team.
func (c *team) text(file string) string {
	c.t.Helper()
	data, err := os.ReadFile(filepath.Join(c.dir, file))
	if err != nil {
		c.t.Fatal(err)
	}
	return string(data)
}

// policy is the digest of the platform's policy file.
func (s *small) policy() release.Digest {
	return evidence.PolicyArtifact([]byte(s.text("policy.yaml"))).Digest()
}

// digestOf is the digest of bytes.
func digestOf(b []byte) release.Digest { return release.DigestOf(b) }

// smallPolicyText is the policy of a small platform.
func smallPolicyText(t *testing.T) string {
	return fmt.Sprintf(smallPolicy, demoKey(t, "ci").Public(), demoKey(t, "ada").Public())
}
