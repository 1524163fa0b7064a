package e2e

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gauntlet/internal/pipeline"
	"gauntlet/lab"
)

// z2jhEnv names a folder with two packed or unpacked versions of zero-to-jupyterhub's
// chart, "old" and "new": it is not ours to keep here.
const z2jhEnv = "GAUNTLET_Z2JH"

// zeroToJupyterHub is a small platform whose hub is one of zero-to-jupyterhub, with the
// values that examples/z2jh tells its operators to add.
func zeroToJupyterHub(t *testing.T, charts, version, name string, port int) *small {
	t.Helper()
	s := newSmall(t, name, port)
	s.useChart(filepath.Join(charts, version))
	config := s.text("gauntlet.yaml")
	config = strings.NewReplacer(
		"jupyterhub.singleuser.image.", "singleuser.image.",
		"[jupyterhub.auth.whitelist.users, jupyterhub.auth.admin.users]", "[hub.config.Authenticator.allowed_users, hub.config.Authenticator.admin_users]",
		"[jupyter-config.yml]", "[lab.yaml, hub.yaml]",
		"jupyterhub.proxy.service.nodePort", "proxy.service.nodePorts.http",
		"{secret: hub, key: gauntlet}", "{secret: hub, key: hub.services.gauntlet.apiToken}",
	).Replace(config)
	s.write("gauntlet.yaml", config)
	for from, to := range map[string]string{"e2e/testdata/z2jh/lab.yaml": "lab.yaml", "examples/z2jh/hub.yaml": "hub.yaml"} {
		data, err := os.ReadFile(filepath.Join(root, from))
		if err != nil {
			t.Fatal(err)
		}
		s.write(to, string(data))
	}
	return s
}

// useChart takes another chart.
func (s *small) useChart(dir string) {
	s.t.Helper()
	if err := os.RemoveAll(filepath.Join(s.dir, "chart")); err != nil {
		s.t.Fatal(err)
	}
	if err := os.CopyFS(filepath.Join(s.dir, "chart"), os.DirFS(dir)); err != nil {
		s.t.Fatal(err)
	}
}

// TestZeroToJupyterHub runs a hub of the chart that most hubs are, with its own image
// puller on as it is by default.
func TestZeroToJupyterHub(t *testing.T) {
	charts := os.Getenv(z2jhEnv)
	if charts == "" {
		t.Skipf("needs two versions of the chart: set %s", z2jhEnv)
	}
	t.Run("deploys, upgrades, goes back, and its drills", func(t *testing.T) {
		l := beginLine(zeroToJupyterHub(t, charts, "old", "z2jh", 30380), lab.BleedingEdge)
		if kept := l.kubectl(l.cluster, "-n", l.name, "get", "daemonsets,jobs", "-o", "name"); kept != "" {
			t.Errorf("the chart's own puller was at work: %s", kept)
		}
		l.sub("the next version of the chart, and back", func() {
			was := l.chart()
			l.useChart(filepath.Join(charts, "new"))
			l.commit("The next version of the chart")
			l.gauntlet(0, "run", "--key", "ci")
			if l.chart() == was {
				l.t.Errorf("the chart is still %s", was)
			}
			l.gauntlet(0, "rollback", "testing", "--reason", "a drill", "--key", "ci")
			if now := l.chart(); now != was {
				l.t.Errorf("the chart is %s after the rollback, and was %s", now, was)
			}
			if state, wrong := l.left(); len(wrong) > 0 {
				l.t.Errorf("afterwards: %s; %v", state, wrong)
			}
		})
		// Before the next: the chart leaves its hook out when its puller is as it was.
		l.sub("the hang with plain helm", func() {
			l.plainHangs(map[string]any{
				"prePuller":  map[string]any{"hook": map[string]any{"enabled": true}},
				"singleuser": map[string]any{"nodeSelector": map[string]any{"drill-hang": "yes"}},
			})
			l.gauntlet(0, "deploy", l.release, "testing", "--adopt", "--drop", "singleuser.nodeSelector.drill-hang", "--key", "ci")
			if state, wrong := l.left(); len(wrong) > 0 {
				l.t.Errorf("afterwards: %s; %v", state, wrong)
			}
		})
		l.drills(
			drill{
				name:  "zero-to-jupyterhub: the tag of the hub does not exist",
				fault: func(l *line) { l.set("lab.yaml", map[string]any{"hub.image.tag": "9.9.9-9"}) },
				says:  []string{"no image", "z2jh/hub:9.9.9-9"},
			},
			drill{
				name: "zero-to-jupyterhub: a hub that crashes",
				fault: func(l *line) {
					l.replace("hub.yaml", "      from jupyterhub import orm,", "      import oauthenticator_of_ours\n      from jupyterhub import orm,")
				},
				shows: dies("hub-"),
				says:  []string{"Deployment/hub", "No module named 'oauthenticator_of_ours'"},
			},
			drill{
				name: "zero-to-jupyterhub: a hub that no node has room for",
				fault: func(l *line) {
					l.configure("", "graces", map[string]any{"unschedulable": "10s"})
					l.set("lab.yaml", map[string]any{"hub.resources.requests.cpu": "900"})
				},
				shows: unschedulable("hub-"),
				says:  []string{"Deployment/hub", "Insufficient cpu"},
			},
			drill{
				name: "zero-to-jupyterhub: the runbook's hang: the chart's puller on, a node cordoned and sick",
				fault: func(l *line) {
					l.sickNode()
					l.replace("lab.yaml", "nodeSelector: {}", `nodeSelector: {drill-hang: "yes"}`)
				},
				says:     []string{"drill-hang", "cordoned"},
				peaceful: true,
			},
		)
	})
	t.Run("is taken over from Helm 3", func(t *testing.T) { adoptsZ2JH(t, charts) })
	t.Run("with a scheduler, placeholders and pull secret of its own", func(t *testing.T) { wholeZ2JH(t, charts) })
	showDrills(t)
}

// adoptsZ2JH takes over a hub that Helm 3 installed, with its puller hook, and with values
// that nobody wrote down.
func adoptsZ2JH(t *testing.T, charts string) {
	s := zeroToJupyterHub(t, charts, "old", "z2jh-adopt", 30381)
	s.keepsSecrets()
	s.replace("gauntlet.yaml", "    set: {proxy.service.nodePorts.http: 30381}\n", "")
	s.begin()
	s.borrow()
	for range 2 { // the chart itself restarts the proxy at the first upgrade after its installation
		s.sh(filepath.Join(root, "bin", "helm3"), "--kube-context", "bleeding-edge", "-n", s.name,
			"upgrade", "--install", "--create-namespace", "--wait", "--timeout", "4m", "testing", filepath.Join(s.dir, "chart"),
			"--values", filepath.Join(s.dir, "lab.yaml"), "--values", filepath.Join(s.dir, "hub.yaml"),
			"--set", "proxy.service.nodePorts.http=30381", "--set", "hub.config.DummyAuthenticator.password=open-sesame",
			"--set-string", "singleuser.image.tag="+builtTag(t))
	}
	proxy := func() string {
		return s.kubectl("bleeding-edge", "-n", s.name, "get", "pods", "-l", "component=proxy", "-o", "jsonpath={.items[*].metadata.uid}")
	}
	before := proxy()
	a := read[pipeline.Adopted](t, s.gauntlet(0, "adopt", "testing", "--key", "ci", "-o", "json"))
	if !slices.Equal(a.Values, []string{"proxy.service.nodePorts.http"}) || !slices.Equal(a.Secrets, []string{"hub.config.DummyAuthenticator.password"}) {
		t.Errorf("%+v", a)
	}
	s.commit("Write down what the hub was given by hand")
	s.gauntlet(0, "run", "--key", "ci")
	if after := proxy(); before == "" || after != before {
		t.Errorf("the proxy, pod %s, became %s: users were cut off", before, after)
	}
	if h := statusOf(s.team).Hubs["testing"]; h.Revision != 3 || h.Release == "" {
		t.Errorf("%+v", h)
	}
}

// chart is name and version of the chart that the hub's objects bear.
func (l *line) chart() string {
	return l.kubectl(l.cluster, "-n", l.name, "get", "deployment", "hub", "-o", "jsonpath={.metadata.labels['helm\\.sh/chart']} {.metadata.labels.chart}")
}
