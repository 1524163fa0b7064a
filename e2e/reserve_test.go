package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gauntlet/internal/evidence"
)

// reserves has two test hubs that stand for each other, kept by people and by runs.
func reserves(t *testing.T) {
	s := newSmall(t, "reserve", 30126)
	s.write("gauntlet.yaml", s.text("gauntlet.yaml")+fmt.Sprintf(`  second:
    tier: bleeding-edge
    cluster: bleeding-edge
    namespace: %[1]s-second
    release: second
    values: [jupyter-config.yml]
    set: {jupyterhub.proxy.service.nodePort: 30127}
    url: http://172.29.0.11:30127
    apiTokenFrom: {secret: hub, key: gauntlet}
`, s.name))
	s.replace("policy.yaml", "hubs: all", "hubs: any, order: [testing, second]")
	t.Cleanup(func() {
		c := *s.team
		c.kubectlAfter("bleeding-edge", "delete", "namespace", s.name+"-second", "--ignore-not-found", "--wait=false")
	})
	s.begin()
	s.borrow()

	t.Run("a hub that somebody keeps is passed by", func(t *testing.T) {
		s.gauntlet(0, "reserve", "testing", "--for", "1h", "--key", "ada", "--reason", "a new chart")
		if r := s.gauntlet(1, "release-hub", "testing", "--key", "ci"); !strings.Contains(r.errout, "kept for ada") || !strings.Contains(r.errout, "a new chart") {
			t.Errorf("another gave it back, or it is not said whose it is:\n%s", r.all())
		}
		s.gauntlet(0, "run", "--key", "ci")
		st := statusOf(s.team)
		if st.Hubs["second"].Release != st.Release.Label() || st.Hubs["testing"].Release != "" {
			t.Errorf("testing runs %q and second %q", st.Hubs["testing"].Release, st.Hubs["second"].Release)
		}
		if r := st.Reservations["testing"]; r.Holder != "ada" || len(st.Reservations) != 1 {
			t.Errorf("status tells of %+v", st.Reservations)
		}
		s.gauntlet(0, "reserve", "second", "--for", "1h", "--key", "ada")
		s.replace("jupyter-config.yml", "users: [linus, barbara]", "users: [linus, barbara, edsger]")
		s.commit("Let another user in")
		r := s.gauntlet(3, "run", "--key", "ci")
		for _, want := range []string{"no hub of it is free", "ada has testing", "ada has second", "--wait"} {
			if !strings.Contains(r.errout, want) {
				t.Errorf("it does not say %q:\n%s", want, r.errout)
			}
		}
		s.gauntlet(0, "release-hub", "testing", "--key", "ada")
		s.gauntlet(0, "release-hub", "second", "--key", "ada")
	})

	t.Run("what is tried by hand counts for no gate", func(t *testing.T) {
		release := statusOf(s.team).Release.Label()
		if r := s.gauntlet(2, "deploy", release, "testing", "--try", "--key", "ci"); !strings.Contains(r.errout, "gauntlet reserve testing --key ci") {
			t.Errorf("a hub that nobody keeps:\n%s", r.all())
		}
		s.gauntlet(0, "reserve", "testing", "--for", "1h", "--key", "ci")
		if r := s.gauntlet(0, "deploy", release, "testing", "--try", "--key", "ci"); strings.Contains(r.all(), "hub answers") {
			t.Errorf("a suite ran:\n%s", r.all())
		}
		tried := 0
		for _, e := range logOf(s.team).Statements {
			if e.Type == evidence.DeploymentType && strings.Contains(e.Text, "to be tried by hand") {
				tried++
			}
		}
		if tried != 1 {
			t.Errorf("the ledger has %d deployments that were tried by hand", tried)
		}
		r := s.gauntlet(0, "deploy", release, "testing", "--key", "ci")
		if !strings.Contains(r.all(), "hub answers") {
			t.Errorf("no suite ran when it was deployed as usual:\n%s", r.all())
		}
		s.gauntlet(0, "release-hub", "testing", "--key", "ci")
	})

	t.Run("of three releases at once two go and the third waits", func(t *testing.T) {
		var runs []*process
		for i := range 3 {
			c := *s.team
			c.dir = filepath.Join(t.TempDir(), "platform")
			if err := os.CopyFS(c.dir, os.DirFS(s.dir)); err != nil {
				t.Fatal(err)
			}
			one := &small{team: &c}
			one.set("jupyter-config.yml", map[string]any{"jupyterhub.singleuser.storage.capacity": fmt.Sprintf("%dMi", 300+i)})
			one.commit(fmt.Sprintf("Change %d", i))
			runs = append(runs, one.start(nil, "run", "--wait", "--key", "ci"))
		}
		waited := 0
		for i, p := range runs {
			p.wait(drillLimit)
			if p.code != 0 {
				t.Errorf("release %d: exit code %d\n%s", i, p.code, p.all())
			}
			if strings.Contains(p.all(), "no hub of it is free") {
				waited++
			}
		}
		if waited != 1 {
			t.Errorf("%d of three runs waited in line", waited)
		}
		deployed := map[string]int{}
		for _, e := range logOf(s.team).Statements {
			if e.Type == evidence.DeploymentType {
				deployed[e.Text[:strings.IndexByte(e.Text, ',')]]++
			}
		}
		if n := deployed[`deployed to "testing"`] + deployed[`deployed to "second"`]; n != 5 || deployed[`deployed to "testing"`] == 0 {
			t.Errorf("deployments: %v", deployed)
		}
		if st := statusOf(s.team); len(st.Reservations) != 0 {
			t.Errorf("left behind: %+v", st.Reservations)
		}
	})
	leftNothing(s.team, s.name)
}
