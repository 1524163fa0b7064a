package kill

import (
	"os"
	"os/exec"
	"syscall"
	"testing"
)

func TestAtDiesOnlyAtTheNamedPoint(t *testing.T) {
	if os.Getenv("KILL_TEST_CHILD") != "" {
		At("one")
		At("two")
		os.Exit(7)
	}
	for _, c := range []struct {
		env    string
		killed bool
	}{{"", false}, {"three", false}, {"tw", false}, {"two", true}} {
		cmd := exec.Command(os.Args[0], "-test.run", t.Name())
		cmd.Env = append(os.Environ(), "KILL_TEST_CHILD=1", Env+"="+c.env)
		_ = cmd.Run()
		st := cmd.ProcessState.Sys().(syscall.WaitStatus)
		if killed := st.Signaled() && st.Signal() == syscall.SIGKILL; killed != c.killed || (!killed && st.ExitStatus() != 7) {
			t.Errorf("%q: killed %v, exit %d", c.env, killed, st.ExitStatus())
		}
	}
}
