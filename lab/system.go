package lab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// needLinuxRoot says in plain words why a command cannot work here. It also makes
// the system's programs findable where sudo or a plain shell hides them.
func needLinuxRoot(command string) error {
	if runtime.GOOS != "linux" {
		return fmt.Errorf("%s: the lab needs Linux (network and mount namespaces); this is %s", command, runtime.GOOS)
	}
	if os.Geteuid() != 0 {
		return fmt.Errorf("%s: the lab needs root for network and mount namespaces: repeat it with sudo", command)
	}
	if path := os.Getenv("PATH"); !strings.HasSuffix(path, systemPath) {
		return os.Setenv("PATH", path+":"+systemPath)
	}
	return nil
}

// lockFile takes an exclusive lock on a file, calling waiting once when someone
// else holds it. The lock ends with the process at the latest.
func lockFile(ctx context.Context, path string, waiting func()) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	for said := false; ; {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return func() { f.Close() }, nil
		}
		if err != syscall.EWOULDBLOCK && err != syscall.EINTR {
			f.Close()
			return nil, fmt.Errorf("lock %s: %w", path, err)
		}
		if !said {
			waiting()
			said = true
		}
		select {
		case <-ctx.Done():
			f.Close()
			return nil, fmt.Errorf("wait for the lock %s: %w", path, ctx.Err())
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// output runs a program and returns what it prints; an error carries what it
// said on its error output.
func output(ctx context.Context, input string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Stdin = strings.NewReader(input)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return stdout.String(), fmt.Errorf("%s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(stderr.String()))
	}
	return stdout.String(), nil
}

// permanent wraps an error that waiting does not help.
type permanent struct{ error }

func (p permanent) Unwrap() error { return p.error }

// until calls try until it succeeds, fails for good (permanent), ctx ends, or
// limit has passed; the error is then the last one of try.
func until(ctx context.Context, limit time.Duration, try func() error) error {
	timeout := time.NewTimer(limit)
	defer timeout.Stop()
	for {
		err := try()
		var p permanent
		if err == nil || errors.As(err, &p) {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w; last: %w", ctx.Err(), err)
		case <-timeout.C:
			return fmt.Errorf("%w (waited %s)", err, limit)
		case <-time.After(100 * time.Millisecond):
		}
	}
}
