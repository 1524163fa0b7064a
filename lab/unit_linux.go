package lab

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"syscall"
)

// startedUnit is a unit this process started.
type startedUnit struct {
	unit
	pid   int
	ended chan struct{} // closed when its process ended
}

// start starts the unit: in new namespaces, waiting for its network and then
// for what to do. From then on it needs nobody.
func (u unit) start(hash string) (*startedUnit, error) {
	if err := u.prepare(); err != nil {
		return nil, fmt.Errorf("prepare %s: %w", u.name, err)
	}
	logFile, err := os.OpenFile(u.log("unit"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return nil, err
	}
	defer logFile.Close()
	cmd := exec.Command(program("lab-unit"))
	cmd.Env = u.environment(hash)
	cmd.Dir = "/"
	cmd.Stdout, cmd.Stderr = logFile, logFile
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Cloneflags: syscall.CLONE_NEWPID | syscall.CLONE_NEWNS}
	if u.network {
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWNET | syscall.CLONE_NEWUTS
	}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	defer stdin.Close()
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", u.name, err)
	}
	s := &startedUnit{unit: u, pid: cmd.Process.Pid, ended: make(chan struct{})}
	go func() {
		_ = cmd.Wait() // why is in its log
		close(s.ended)
	}()
	if u.wire != nil {
		if err := u.wire(s.pid); err != nil {
			return s, fmt.Errorf("connect %s: %w", u.name, err)
		}
	}
	if err := json.NewEncoder(stdin).Encode(u.spec); err != nil {
		return s, fmt.Errorf("tell %s what to do: %w%s", u.name, err, u.logTail())
	}
	return s, nil
}
