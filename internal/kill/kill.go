// Package kill is the drill switch of the end-to-end tests: it lets a test end
// gauntlet, as if the machine had lost power, at a point that is named in the
// code. Without GAUNTLET_TEST_KILL in the environment it does nothing.
package kill

import (
	"os"
	"syscall"
)

// Env is the environment variable that names the point to die at, such as
// "deploy:pending".
const Env = "GAUNTLET_TEST_KILL"

// At ends this process with SIGKILL when the environment names the point. Nothing
// deferred runs, nothing is flushed: that is the drill.
func At(point string) {
	if v := os.Getenv(Env); v == "" || v != point {
		return
	}
	_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	select {} // until the signal arrives
}
