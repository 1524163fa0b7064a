package kube

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/remotecommand"
	"k8s.io/client-go/util/exec"
	"k8s.io/streaming/pkg/httpstream"
)

// Exec is a command run in a container that already runs.
type Exec struct {
	Namespace string
	Pod       string
	Container string // "": the pod's only or default one
	Command   []string
	Stdin     io.Reader // nil: no standard input
	Stdout    io.Writer // nil: dropped
	Stderr    io.Writer // nil: its last lines are kept for the error
}

// bootstrap reads a program from standard input and leaves the rest of it to the
// program.
const bootstrap = "import sys; exec(compile(sys.stdin.buffer.read(int(sys.stdin.buffer.readline())), 'gauntlet', 'exec'))"

// Python is e with a Python program in place of its command, run by the python3 of the
// container's PATH, with input as its standard input. The program goes before it over
// the same stream: one of some length does not fit into the request of an exec, and
// others can read a process's arguments.
func (e Exec) Python(program []byte, input io.Reader) Exec {
	e.Command = []string{"python3", "-u", "-c", bootstrap}
	e.Stdin = io.MultiReader(strings.NewReader(fmt.Sprintf("%d\n%s", len(program), program)), input)
	return e
}

// An ExitError is a command that ran and ended with another code than zero.
type ExitError struct {
	Pod     string
	Command string // its first word
	Code    int
	Stderr  string // its last lines, when Exec.Stderr was nil
}

func (e *ExitError) Error() string {
	s := fmt.Sprintf("%s in pod %s ended with code %d", e.Command, e.Pod, e.Code)
	if line := Salient(e.Stderr); line != "" {
		s += ": " + line
	}
	return s
}

// Exec runs a command and returns when it has ended: nil for exit code zero, an
// *ExitError for another. When ctx ends first it returns at once, naming what was
// running and for how long; the command itself goes on until it notices that
// nobody reads it, or its pod is deleted.
//
// Streams go over a websocket, or over SPDY where the API server or a proxy
// before it knows no websockets.
func (c *Client) Exec(ctx context.Context, e Exec) error {
	if len(e.Command) == 0 {
		return errors.New("exec: no command given")
	}
	start := time.Now()
	kept := &tail{limit: 8 << 10}
	stderr := e.Stderr
	if stderr == nil {
		stderr = kept
	}
	stdout := e.Stdout
	if stdout == nil {
		stdout = io.Discard
	}
	ex, err := c.executor(e)
	if err != nil {
		return fmt.Errorf("exec %s in pod %s: %w", e.Command[0], e.Pod, err)
	}
	err = ex.StreamWithContext(ctx, remotecommand.StreamOptions{Stdin: e.Stdin, Stdout: stdout, Stderr: stderr})
	if err == nil {
		return nil
	}
	var code exec.CodeExitError
	switch {
	case errors.As(err, &code):
		return &ExitError{Pod: e.Pod, Command: e.Command[0], Code: code.Code, Stderr: kept.String()}
	case ctx.Err() != nil:
		took := time.Since(start).Round(100 * time.Millisecond)
		msg := fmt.Sprintf("exec %s in pod %s: no end after %s", e.Command[0], e.Pod, took)
		if line := Salient(kept.String()); line != "" {
			msg += " (last said: " + line + ")"
		}
		return fmt.Errorf("%s: %w", msg, context.Cause(ctx))
	default:
		return fmt.Errorf("exec %s in pod %s: %w", e.Command[0], e.Pod, err)
	}
}

func (c *Client) executor(e Exec) (remotecommand.Executor, error) {
	url := c.CoreV1().RESTClient().Post().
		Resource("pods").Namespace(e.Namespace).Name(e.Pod).SubResource("exec").
		VersionedParams(&corev1.PodExecOptions{
			Container: e.Container,
			Command:   e.Command,
			Stdin:     e.Stdin != nil,
			Stdout:    true,
			Stderr:    true,
		}, scheme.ParameterCodec).URL()
	spdy, err := remotecommand.NewSPDYExecutor(c.Config, "POST", url)
	if err != nil {
		return nil, err
	}
	ws, err := remotecommand.NewWebSocketExecutor(c.Config, "GET", url.String())
	if err != nil {
		return nil, err
	}
	return remotecommand.NewFallbackExecutor(ws, spdy, func(err error) bool {
		return httpstream.IsUpgradeFailure(err) || httpstream.IsHTTPSProxyError(err)
	})
}

// Limited passes on at most N bytes and drops the rest.
type Limited struct {
	W io.Writer
	N int
}

func (l *Limited) Write(p []byte) (int, error) {
	keep := min(len(p), l.N)
	l.N -= keep
	if _, err := l.W.Write(p[:keep]); err != nil {
		return 0, err
	}
	return len(p), nil
}

// tail keeps the last bytes written to it.
type tail struct {
	limit int
	data  []byte
}

func (t *tail) Write(p []byte) (int, error) {
	t.data = append(t.data, p...)
	if len(t.data) > t.limit {
		t.data = append(t.data[:0], t.data[len(t.data)-t.limit:]...)
	}
	return len(p), nil
}

func (t *tail) String() string { return strings.ToValidUTF8(string(t.data), "�") }
