package e2e

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"gauntlet/internal/hub"
)

// TestOlderNotebooks brings new images to a hub on which a user's server goes on with the
// old ones. GAUNTLET_LONG=1 runs it.
func TestOlderNotebooks(t *testing.T) {
	if os.Getenv("GAUNTLET_LONG") == "" {
		t.Skip("part of make test-long: GAUNTLET_LONG=1")
	}
	s := newSmall(t, "older", 30386)
	s.begin()
	s.borrow()
	s.gauntlet(0, "run", "--key", "ci")
	address := fmt.Sprintf("http://172.29.0.11:%d", s.port)
	serverOf(t, address, "linus")

	const file = "images/notebook/Dockerfile"
	s.write(file, s.text(file)+"LABEL org.example.edition=second\n")
	s.commit("A second edition of the notebook")
	r := s.gauntlet(0, "run", "--key", "ci")
	s.says(r, "1 of 1 run an older notebook, with workers that it was paired with, until their users restart them: linus")
	if h := statusOf(s.team).Hubs["testing"]; h.Revision != 2 {
		t.Errorf("%+v", h)
	}

	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	linus := hub.New(address, loggedIn(t, ctx, address, "linus"))
	if err := linus.StopServer(ctx, "linus"); err != nil {
		t.Fatal(err)
	}
	serverOf(t, address, "linus")
	s.set("jupyter-config.yml", map[string]any{"jupyterhub.singleuser.storage.capacity": "270Mi"})
	s.commit("A value")
	s.says(s.gauntlet(0, "run", "--key", "ci"), "1 of 1 run the release's notebook")
}
