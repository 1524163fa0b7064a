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
	toNewer := func() { image(newerImage, "6.1.1-1") }
	image(olderImage, olderHub)
	s.begin()
	s.borrow()
	s.gauntlet(0, "run", "--key", "ci")

	address := fmt.Sprintf("http://172.29.0.11:%d", s.port)
	anybody := hub.New(address, "")
	// older looks that the hub is the older one again, knows the user and leads to their
	// server, which never stopped and whose kernel has counted on, and that nothing of the
	// restoration is left.
	k, err := serverOf(t, address, "linus").Start(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := k.Run(t.Context(), "kept, n = 'since before the first upgrade', 0"); err != nil {
		t.Fatal(err)
	}
	ctx, counted := t.Context(), 0 // of the whole test: the kernel is held open through all of it
	stream, err := k.Stream(ctx, countOn)
	if err != nil {
		t.Fatal(err)
	}
	var before int // the revision before the good upgrade
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
		counted, _, _ = stopped(t, k, stream, counted)
		if out, err := k.Run(ctx, "print(kept)"); err != nil || strings.TrimSpace(out.Stdout) != "since before the first upgrade" {
			t.Errorf("the user's kernel says %q, %v", out.Stdout, err)
		}
		var err error
		if stream, err = k.Stream(ctx, countOn); err != nil {
			t.Fatal(err)
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
		toNewer()
		s.replace(values, "    storage:\n", ends+"    storage:\n")
		s.commit("A newer JupyterHub whose servers end")
		r := s.gauntlet(1, "run", "--key", "ci")
		s.says(r, "db-upgrade", "server starts", "is put back", "the migrated database is kept as", "rolled back: revision 3 runs what revision 1 did", "its suites passed")
		older(t)
	})
	t.Run("killed while the database is put back", func(t *testing.T) {
		s := s.with(t)
		rollback := []string{"rollback", "testing", "--reason", "the run was killed", "--restore-database"}
		for i, tt := range []struct {
			point string
			again []string // what goes on with it
		}{
			{"rollback:stopped", []string{"run"}},
			{"rollback:stopped", rollback},
			{"rollback:restored", []string{"run"}},
			{"rollback:restored", rollback},
			{"rollback:pending", []string{"run"}},
			{"rollback:recorded", []string{"run"}},
		} {
			s.set(values, map[string]any{"jupyterhub.singleuser.storage.capacity": fmt.Sprintf("%dMi", 280+i)})
			s.commit("Another of it")
			if r := s.try([]string{kill.Env + "=" + tt.point}, "run", "--key", "ci"); r.code != -1 {
				t.Fatalf("it was not killed at %s: exit code %d\n%s", tt.point, r.code, r.all())
			}
			// A run goes on to what has failed before, which fails again or waits.
			r := s.try(nil, append(append([]string{}, tt.again...), "--key", "ci")...)
			if (r.code == 0) != (tt.again[0] == "rollback") {
				t.Errorf("killed at %s, %s ends with %d:\n%s", tt.point, tt.again[0], r.code, r.all())
			}
			older(t)
		}
	})
	// newer looks that the hub is the newer one and knows who came since.
	newer := func(t *testing.T) {
		t.Helper()
		if v, err := anybody.Version(t.Context()); err != nil || v == olderHub {
			t.Fatalf("the hub is JupyterHub %q, %v", v, err)
		}
		known := hub.New(address, loggedIn(t, t.Context(), address, "barbara"))
		if u, err := known.User(t.Context(), "barbara"); err != nil || len(u.Servers) != 1 {
			t.Errorf("the hub knows of who came since: %+v, %v", u, err)
		}
	}
	t.Run("a good upgrade", func(t *testing.T) {
		s := s.with(t)
		before = statusOf(s.team).Hubs["testing"].Revision
		s.replace(values, ends, "")
		s.set(values, map[string]any{"jupyterhub.singleuser.storage.capacity": "300Mi"})
		s.commit("A newer JupyterHub")
		s.gauntlet(0, "run", "--key", "ci")
		serverOf(t, address, "barbara")
		newer(t)
	})
	t.Run("one after it that fails leaves the database", func(t *testing.T) {
		s := s.with(t)
		s.replace(values, "    storage:\n", ends+"    storage:\n")
		s.commit("Servers end again")
		r := s.gauntlet(1, "run", "--key", "ci")
		s.says(r, "rolled back: revision", "its suites passed")
		if strings.Contains(r.all(), "is put back") {
			t.Errorf("an upgrade that has migrated nothing puts a database back:\n%s", r.all())
		}
		newer(t)
	})
	t.Run("and back by hand", func(t *testing.T) {
		s := s.with(t)
		last := statusOf(s.team).Hubs["testing"].Revision
		back := []string{"rollback", "testing", "--to", fmt.Sprint(before), "--reason", "plots are blank", "--key", "ci"}
		r := s.gauntlet(1, back...)
		s.says(r, "has migrated the hub's database", "running servers barbara/", "--restore-database", "--keep-database")
		if now := statusOf(s.team).Hubs["testing"].Revision; now != last {
			t.Errorf("a rollback that asks has made revision %d", now)
		}
		r = s.gauntlet(0, append(back, "--restore-database")...)
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
