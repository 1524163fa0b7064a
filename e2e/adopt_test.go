package e2e

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gauntlet/internal/evidence"
	"gauntlet/internal/kill"
	"gauntlet/internal/pipeline"
	"gauntlet/internal/plan"
)

// adopts takes over a hub that Helm 3 deployed with values nobody wrote down, and then
// deploys to it: nobody notices, and Helm 3 still goes back.
func adopts(t *testing.T) {
	s := newSmall(t, "adopt", 30370)
	helm := filepath.Join(root, "bin", "helm3")
	if _, err := os.Stat(helm); err != nil {
		t.Fatalf("%s is not built: run make test-e2e", helm)
	}
	s.keepsSecrets()
	s.replace("gauntlet.yaml", "    set: {jupyterhub.proxy.service.nodePort: 30370}\n", "")
	s.begin()
	s.borrow()
	helm3 := func(args ...string) string {
		t.Helper()
		return s.sh(helm, append([]string{"--kube-context", "bleeding-edge", "-n", s.name}, args...)...)
	}
	// The limit is given because the chart's default is a null, which Helm 4 renders in
	// another way than Helm 3: that alone would restart the hub once.
	helm3("upgrade", "--install", "--wait", "--timeout", "3m", "testing", filepath.Join(s.dir, "chart"),
		"--values", filepath.Join(s.dir, "jupyter-config.yml"),
		"--set", "jupyterhub.proxy.service.nodePort=30370", "--set", "jupyterhub.auth.password=open-sesame",
		"--set", "jupyterhub.singleuser.cpu.limit=2",
		"--set-string", "jupyterhub.singleuser.image.tag="+builtTag(t))
	pods := func() string {
		return s.kubectl("bleeding-edge", "-n", s.name, "get", "pods", "-l", "app=jupyterhub,component in (hub,proxy)", "-o", "jsonpath={.items[*].metadata.uid}")
	}
	before := pods()
	if len(strings.Fields(before)) != 2 {
		t.Fatalf("hub and proxy: %q", before)
	}

	t.Run("a deploy refuses and says what it would lose", func(t *testing.T) {
		r := s.gauntlet(1, "run", "--key", "ci")
		for _, want := range []string{"was not made by gauntlet", "gauntlet adopt"} {
			if !strings.Contains(r.errout, want) {
				t.Errorf("it does not say %q:\n%s", want, r.all())
			}
		}
		r = s.gauntlet(1, "deploy", statusOf(s.team).Release.Short(), "testing", "--key", "ci", "--adopt")
		for _, want := range []string{"jupyterhub.auth.password", "jupyterhub.proxy.service.nodePort", "--drop"} {
			if !strings.Contains(r.errout, want) {
				t.Errorf("it does not say %q:\n%s", want, r.all())
			}
		}
		if strings.Contains(r.all(), "open-sesame") {
			t.Error("it shows the password")
		}
	})
	if !t.Run("what was given by hand goes into files", func(t *testing.T) {
		dry := read[pipeline.Adopted](t, s.gauntlet(0, "adopt", "testing", "--dry-run", "-o", "json"))
		r := s.gauntlet(0, "adopt", "testing", "--key", "ci", "-o", "json")
		a := read[pipeline.Adopted](t, r)
		plain, hidden := []string{"jupyterhub.proxy.service.nodePort", "jupyterhub.singleuser.cpu.limit"}, []string{"jupyterhub.auth.password"}
		for _, f := range []pipeline.Adopted{dry, a} {
			if !slices.Equal(f.Values, plain) || !slices.Equal(f.Secrets, hidden) || f.Revision != 1 {
				t.Errorf("%+v", f)
			}
		}
		if !slices.ContainsFunc(a.Notes, func(n string) bool { return strings.Contains(n, "Helm 3") }) {
			t.Errorf("no word of Helm 3: %q", a.Notes)
		}
		for _, file := range []string{a.ValuesFile, a.SecretsFile, "gauntlet.yaml"} {
			if strings.Contains(s.text(file), "open-sesame") {
				t.Errorf("%s holds the password", file)
			}
		}
		if !strings.Contains(s.text("gauntlet.yaml"), "values: [jupyter-config.yml, adopted/testing.yaml]\n    secrets: [adopted/testing.enc.yaml]\n") {
			t.Errorf("%s", s.text("gauntlet.yaml"))
		}
		if h := statusOf(s.team).Hubs["testing"]; !h.Adopted || h.Revision != 1 {
			t.Errorf("%+v", h)
		}
		s.commit("Write down what the hub was given by hand")
	}) {
		t.FailNow()
	}
	if !t.Run("the first deploy changes nothing that users see", func(t *testing.T) {
		s.try([]string{kill.Env + "=deploy:locked"}, "run", "--key", "ci") // leaves a release to plan with
		p := read[pipeline.Planned](t, s.gauntlet(0, "plan", statusOf(s.team).Release.Short(), "testing", "-o", "json"))
		for _, g := range p.Groups {
			if g.Name == plan.CutOff || g.Name == plan.Restarts || g.Name == plan.UserServers || g.Name == plan.Secrets {
				t.Errorf("%s: %+v", g.Name, g.Items)
			}
		}
		s.gauntlet(0, "run", "--key", "ci")
		if after := pods(); after != before {
			t.Errorf("pods %s became %s", before, after)
		}
		var said []string
		for _, e := range logOf(s.team).Statements {
			if e.Type == evidence.AdoptionType || e.Type == evidence.DeploymentType {
				said = append(said, e.Type)
			}
		}
		if !slices.Equal(said, []string{evidence.AdoptionType, evidence.DeploymentType}) {
			t.Errorf("the ledger has %v", said)
		}
	}) {
		t.FailNow()
	}
	t.Run("a saved plan", func(t *testing.T) { savedPlan(t, s) })
	t.Run("Helm 3 shows the history and goes back, and that is noticed", func(t *testing.T) {
		if h := helm3("history", "testing"); !strings.Contains(h, "gauntlet release") || !strings.Contains(h, "Install complete") {
			t.Errorf("%s", h)
		}
		helm3("rollback", "--wait", "--timeout", "3m", "testing", "1")
		st := statusOf(s.team)
		if h := st.Hubs["testing"]; !h.Foreign || h.Adopted {
			t.Errorf("%+v", h)
		}
		r := s.gauntlet(1, "deploy", st.Release.Short(), "testing", "--key", "ci")
		if !strings.Contains(r.errout, "was not made by gauntlet") {
			t.Errorf("%s", r.all())
		}
		s.gauntlet(0, "deploy", st.Release.Short(), "testing", "--key", "ci", "--adopt") // nothing of it would be lost
	})
}

// builtTag is what the tag slot of a hub holds that runs the demonstration's notebook.
func builtTag(t *testing.T) string {
	t.Helper()
	tag := ""
	for _, r := range demoView(t).Records {
		if r.Type != evidence.BuildType {
			continue
		}
		b, err := evidence.Decode[evidence.Build](r)
		if err != nil {
			t.Fatal(err)
		}
		tag = b.Label + "@" + string(b.Images["notebook"])
	}
	return tag
}
