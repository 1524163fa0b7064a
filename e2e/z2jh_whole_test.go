package e2e

import (
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"path/filepath"
	"strings"
	"testing"

	"gauntlet/internal/pipeline"
	"gauntlet/lab"
)

// wholeValues are parts of the chart that the other values of the lab leave out. REGISTRY
// stands for one that asks for a password, and 900 cores for more than any node has.
const wholeValues = `
imagePullSecret: {create: true, registry: REGISTRY, username: robot, email: "", password: hunter2}
scheduling:
  podPriority: {enabled: true}
  userScheduler: {enabled: true, replicas: 1, image: {name: "172.29.0.1:5000/z2jh/scheduler", tag: "1"}}
  userPlaceholder: {enabled: true, replicas: 1, resources: {requests: {cpu: 900}}}
prePuller: {continuous: {enabled: true}}
hub: {image: {name: REGISTRY/z2jh/hub}}
singleuser:
  extraNodeAffinity: {required: [{matchExpressions: [{key: kubernetes.io/hostname, operator: In, values: [bleeding-edge-2]}]}]}
  extraContainers: [{name: beside, image: REGISTRY/platform/hub:6.1.1-1, command: [sleep, infinity]}]
`

// wholeZ2JH runs a hub of the chart out of a chart repository, with images that only its
// own pull secret opens, for some of the nodes alone, and with a scheduler of its own and
// placeholders that find no place.
func wholeZ2JH(t *testing.T, charts string) {
	s := zeroToJupyterHub(t, charts, "old", "z2jh-whole", 30382)
	helm := filepath.Join(root, "bin", "helm3")
	served := t.TempDir()
	for _, version := range []string{"old", "new"} {
		s.sh(helm, "package", filepath.Join(charts, version), "-d", served)
	}
	repository := httptest.NewServer(http.FileServer(http.Dir(served)))
	t.Cleanup(repository.Close)
	s.sh(helm, "repo", "index", served, "--url", repository.URL)
	s.sh("rm", "-r", "chart")
	s.replace("gauntlet.yaml", "  path: chart\n", "  repo: "+repository.URL+"\n  name: jupyterhub\n  version: 5.0.0-test.1\n")
	s.replace("gauntlet.yaml", "[lab.yaml, hub.yaml]", "[lab.yaml, hub.yaml, whole.yaml]")
	s.write("gauntlet.yaml", s.text("gauntlet.yaml")+"graces: {unschedulable: 20s}\n")
	s.write("whole.yaml", strings.ReplaceAll(wholeValues, "REGISTRY", privateRegistry(t)))
	s.begin()
	s.borrow()
	t.Cleanup(func() { // the chart's cluster-wide objects outlive its namespace
		for _, kind := range []string{"clusterrole", "clusterrolebinding", "priorityclass"} {
			s.kubectlAfter("bleeding-edge", "delete", kind, "--ignore-not-found", "testing-user-scheduler", "testing-default-priority",
				"testing-image-puller-priority", "testing-user-placeholder-priority", s.name+"-nodes", s.name+"-volumes")
		}
	})

	// The chart gives its scheduler fewer rights than that of the lab's Kubernetes needs.
	r := s.gauntlet(1, "run", "--key", "ci")
	if !strings.Contains(r.errout, "scheduler testing-user-scheduler has not looked at it since ") {
		t.Errorf("the scheduler that does not work is not named:\n%s", r.all())
	}
	account := "--serviceaccount=" + s.name + ":user-scheduler"
	s.kubectl("bleeding-edge", "create", "clusterrolebinding", s.name+"-nodes", "--clusterrole=system:kube-scheduler", account)
	s.kubectl("bleeding-edge", "create", "clusterrolebinding", s.name+"-volumes", "--clusterrole=system:volume-scheduler", account)
	if r = s.gauntlet(0, "run", "--key", "ci"); !strings.Contains(r.errout, "Insufficient cpu") {
		t.Errorf("a placeholder that finds no place is not told:\n%s", r.all())
	}
	if phase := s.kubectl("bleeding-edge", "-n", s.name, "get", "pod", "user-placeholder-0", "-o", "jsonpath={.status.phase}"); phase != "Pending" {
		t.Errorf("the placeholder is %s: nothing was shown", phase)
	}
	p := read[pipeline.Prepulled](t, s.gauntlet(0, "prepull", statusOf(s.team).Release.Short(), "testing", "--key", "ci", "-o", "json"))
	if len(p.Pools) != 1 || p.Pools[0].Want != 1 || p.Pools[0].Have != 1 {
		t.Errorf("images go to the one node that users may run on, and went to %+v", p.Pools)
	}
	s.replace("gauntlet.yaml", "5.0.0-test.1", "5.0.0-test.2")
	s.commit("The next version of the chart")
	s.gauntlet(0, "run", "--key", "ci")
	s.gauntlet(0, "rollback", "testing", "--reason", "a drill", "--key", "ci")
	if left := s.kubectl("bleeding-edge", "-n", s.name, "get", "secrets,daemonsets", "-l", "gauntlet/prepull", "-o", "name"); left != "" {
		t.Errorf("the pre-pull left %s", left)
	}
}

// privateRegistry is the lab's registry at an address where it asks for a password.
func privateRegistry(t *testing.T) string {
	t.Helper()
	pass := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(&url.URL{Scheme: "http", Host: lab.Registry})
		r.SetXForwarded()
	}}
	at, err := net.Listen("tcp", lab.HostIP+":0")
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, password, _ := r.BasicAuth(); user != "robot" || password != "hunter2" {
			w.Header().Set("WWW-Authenticate", `Basic realm="private"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		pass.ServeHTTP(w, r)
	}))
	if err := server.Listener.Close(); err != nil {
		t.Fatal(err)
	}
	server.Listener = at
	server.Start()
	t.Cleanup(server.Close)
	forget, err := lab.TrustRegistry(at.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := forget(); err != nil {
			t.Errorf("forget the registry: %v", err)
		}
	})
	return at.Addr().String()
}
