package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gauntlet/internal/hub"
	"gauntlet/internal/kill"
	"gauntlet/lab"
)

// Of the two JupyterHubs of TestMigration.
const (
	olderHub   = "5.4.3"
	newerImage = lab.Registry + "/platform/hub"
	olderImage = lab.Registry + "/e2e/hub"
)

// TestMigration upgrades a hub to a JupyterHub that migrates its database, and goes back.
// GAUNTLET_LONG=1 runs it.
func TestMigration(t *testing.T) {
	if os.Getenv("GAUNTLET_LONG") == "" {
		t.Skip("part of make test-long: GAUNTLET_LONG=1")
	}
	s := newSmall(t, "migration", 30385)
	s.buildImage(filepath.Join(root, "e2e", "testdata", "older-hub"), olderImage+":"+olderHub)
	const values = "jupyter-config.yml"
	image := func(of, tag string) {
		s.set(values, map[string]any{"jupyterhub.hub.image.name": of, "jupyterhub.hub.image.tag": tag})
	}
	newer := func() { image(newerImage, "6.1.1-1") }
	image(olderImage, olderHub)
	s.begin()
	s.borrow()
	s.gauntlet(0, "run", "--key", "ci")

	address := fmt.Sprintf("http://172.29.0.11:%d", s.port)
	anybody := hub.New(address, "")
	// older looks that the hub is the older one again, knows the user and leads to their
	// server, which never stopped, and that nothing of the restoration is left.
	serverOf(t, address, "linus")
	pod := s.kubectl("bleeding-edge", "-n", s.name, "get", "pod", "jupyter-linus", "-o", "jsonpath={.metadata.uid}")
	older := func(t *testing.T) {
		t.Helper()
		if v, err := anybody.Version(t.Context()); err != nil || v != olderHub {
			t.Errorf("the hub is JupyterHub %q, %v", v, err)
		}
		if err := anybody.Routed(t.Context(), "/user/linus/"); err != nil {
			t.Error(err)
		}
		if now := s.kubectl("bleeding-edge", "-n", s.name, "get", "pod", "jupyter-linus", "-o", "jsonpath={.metadata.uid}"); now != pod {
			t.Errorf("the user's server was pod %s and is %s", pod, now)
		}
		known := hub.New(address, loggedIn(t, t.Context(), address, "linus"))
		if u, err := known.User(t.Context(), "linus"); err != nil || len(u.Servers) != 1 {
			t.Errorf("the hub knows of the user: %+v, %v", u, err)
		}
		if left := s.kubectl("bleeding-edge", "-n", s.name, "get", "pods", "--no-headers", "-o", "name"); strings.Contains(left, "gauntlet-restore") {
			t.Errorf("left is %s", left)
		}
		if note := s.kubectl("bleeding-edge", "-n", s.name, "get", "deployment", "hub", "-o", "jsonpath={.spec.replicas} {.metadata.annotations}"); !strings.HasPrefix(note, "1 ") || strings.Contains(note, "gauntlet/replicas") {
			t.Errorf("the hub's Deployment: %s", note)
		}
		leftNothing(s.team, s.name)
	}

	t.Run("an upgrade that migrates and then fails", func(t *testing.T) {
		s := s.with(t)
		newer()
		s.replace(values, "    storage:\n", ends+"    storage:\n")
		s.commit("A newer JupyterHub whose servers end")
		r := s.gauntlet(1, "run", "--key", "ci")
		s.says(r, "db-upgrade", "server starts", "is put back", "the migrated database is kept as", "rolled back: revision 3 runs what revision 1 did", "its suites passed")
		older(t)
	})
	t.Run("killed while the database is put back", func(t *testing.T) {
		s := s.with(t)
		for i, point := range []string{"rollback:stopped", "rollback:restored"} {
			s.set(values, map[string]any{"jupyterhub.singleuser.storage.capacity": fmt.Sprintf("%dMi", 290+i)})
			s.commit("Another of it")
			if r := s.try([]string{kill.Env + "=" + point}, "run", "--key", "ci"); r.code != -1 {
				t.Fatalf("it was not killed at %s: exit code %d\n%s", point, r.code, r.all())
			}
			s.gauntlet(0, "rollback", "testing", "--reason", "the run was killed", "--restore-database", "--key", "ci")
			older(t)
		}
	})
	t.Run("a good upgrade, and back by hand", func(t *testing.T) {
		s := s.with(t)
		s.replace(values, ends, "")
		s.set(values, map[string]any{"jupyterhub.singleuser.storage.capacity": "300Mi"})
		s.commit("A newer JupyterHub")
		s.gauntlet(0, "run", "--key", "ci")
		if v, err := anybody.Version(t.Context()); err != nil || v == olderHub {
			t.Fatalf("the hub is JupyterHub %q, %v", v, err)
		}
		serverOf(t, address, "barbara")
		before := statusOf(s.team).Hubs["testing"].Revision
		r := s.gauntlet(1, "rollback", "testing", "--reason", "plots are blank", "--key", "ci")
		s.says(r, "has migrated the hub's database", "running servers barbara/", "--restore-database", "--keep-database")
		if now := statusOf(s.team).Hubs["testing"].Revision; now != before {
			t.Errorf("a rollback that asks has made revision %d", now)
		}
		r = s.gauntlet(0, "rollback", "testing", "--reason", "plots are blank", "--restore-database", "--key", "ci")
		s.says(r, "its database is back too", "the hub no longer knows running servers barbara/")
		older(t)
	})
}

// buildImage builds an image with the lab's builder and pushes it to its registry.
func (s *small) buildImage(dir, ref string) {
	s.t.Helper()
	s.sh(filepath.Join(lab.BinDir(), "buildctl"), "--addr", lab.BuildkitAddr(), "build", "--progress=plain", "--frontend", "dockerfile.v0",
		"--secret", "id=ca,src=/etc/ssl/certs/ca-certificates.crt", "--local", "context="+dir, "--local", "dockerfile="+dir,
		"--output", "type=image,name="+ref+",push=true,registry.insecure=true")
}
