package e2e
import ("testing";"strings";"os";"path/filepath")
func TestDaskhub(t *testing.T) {
	s := zeroToJupyterHub(t, "/tmp/daskhub", "chart", "daskhub", 30382)
	s.write("gauntlet.yaml", strings.NewReplacer("name: singleuser.image.name, tag: singleuser.image.tag", "name: jupyterhub.singleuser.image.name, tag: jupyterhub.singleuser.image.tag",
		"[hub.config.", "[jupyterhub.hub.config.", " hub.config.", " jupyterhub.hub.config.", "{proxy.service", "{jupyterhub.proxy.service").Replace(s.text("gauntlet.yaml")))
	for _, f := range []string{"lab.yaml", "hub.yaml"} {
		out := "jupyterhub:\n"
		for l := range strings.Lines(s.text(f)) { out += "  " + l }
		s.write(f, out)
	}
	if os.Getenv("GW") == "" { s.write("lab.yaml", s.text("lab.yaml") + "dask-gateway: {enabled: false}\n") }
	_ = filepath.Join
	s.begin()
	s.borrow()
	r := s.try(nil, "run", "--key", "ci")
	t.Log(r.all())
	st := statusOf(s.team)
	t.Log(s.try(nil, "preflight", st.Release.Short(), "testing").all())
	t.Log(s.try(nil, "plan", st.Release.Short(), "testing").all())
}
