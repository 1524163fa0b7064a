package e2e

import (
	"os"
	"testing"
)

// TestBadPairsFromDebian are faults whose images are made from another suite of Debian:
// minutes of fetching, once.
func TestBadPairsFromDebian(t *testing.T) {
	if os.Getenv("GAUNTLET_LONG") == "" {
		t.Skip("part of make test-long: GAUNTLET_LONG=1")
	}
	for _, f := range []struct {
		name, overlay, cause string
		without              []string // what the image does not promise, so that it comes as far as it can
		shown                []string
	}{
		{"a worker of another suite stops before a pod starts", "worker-other-debian", "/opt/env / /usr: the notebook has Python 3.11, the worker Python 3.13", []string{promises, workerDeclares}, []string{"image PASSED", "pairing FAILED"}},
		{"a websocket that never completes its handshake stops at the image test", "classic-notebook-websocket", "websocket of a kernel", []string{notebookPromises, notebookDeclares, notebookTests}, []string{"image FAILED"}},
	} {
		t.Run(f.name, func(t *testing.T) {
			s := newSmall(t, f.overlay, 30119, f.overlay)
			s.goodImages()
			for _, text := range f.without {
				s.replace("gauntlet.yaml", text, "")
			}
			s.begin()
			s.stops(f.cause, f.shown...)
		})
	}
}
