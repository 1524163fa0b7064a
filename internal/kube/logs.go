package kube

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"regexp"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// logLimit bounds one read of a container's log, in bytes.
const logLimit = 256 << 10

// Logs is the end of a container's log: at most lines lines (0: as many as fit)
// and 256 KiB. An empty container name means the pod's only one.
func (c *Client) Logs(ctx context.Context, namespace, pod, container string, lines int64) (string, error) {
	return c.logs(ctx, namespace, pod, &corev1.PodLogOptions{Container: container, TailLines: some(lines)})
}

// FindLog waits for the first line of a container's log that begins with prefix,
// and returns the rest of that line. It is an error when the log ends without one.
func (c *Client) FindLog(ctx context.Context, namespace, pod, container, prefix string) (string, error) {
	r, err := c.CoreV1().Pods(namespace).GetLogs(pod, &corev1.PodLogOptions{Container: container, Follow: true}).Stream(ctx)
	if err != nil {
		return "", fmt.Errorf("read the log of pod %s: %w", pod, err)
	}
	defer func() { _ = r.Close() }()
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, logLimit)
	last := ""
	for lines.Scan() {
		if rest, ok := strings.CutPrefix(lines.Text(), prefix); ok {
			return rest, nil
		}
		if l := OneLine(lines.Text()); l != "" {
			last = l
		}
	}
	if err := lines.Err(); err != nil {
		return "", fmt.Errorf("read the log of pod %s: %w", pod, cause(ctx, err))
	}
	return "", fmt.Errorf("the log of pod %s ended without a line %q; its last: %q", pod, strings.TrimSpace(prefix), last)
}

// previousLogs is the log of the container's run before its last restart.
func (c *Client) previousLogs(ctx context.Context, namespace, pod, container string, lines int64) (string, error) {
	return c.logs(ctx, namespace, pod, &corev1.PodLogOptions{Container: container, Previous: true, TailLines: some(lines)})
}

func some(lines int64) *int64 {
	if lines <= 0 {
		return nil
	}
	return &lines
}

func (c *Client) logs(ctx context.Context, namespace, pod string, o *corev1.PodLogOptions) (string, error) {
	r, err := c.CoreV1().Pods(namespace).GetLogs(pod, o).Stream(ctx)
	if err != nil {
		return "", fmt.Errorf("read the log of pod %s: %w", pod, err)
	}
	defer func() { _ = r.Close() }()
	// The tail option counts lines, so one endless line could still be large: keep its end.
	t := &tail{limit: logLimit}
	if _, err := io.Copy(t, r); err != nil {
		return "", fmt.Errorf("read the log of pod %s: %w", pod, err)
	}
	if said := t.String(); kubeletExcuse.MatchString(said) {
		return "", fmt.Errorf("read the log of pod %s: %s", pod, OneLine(said))
	}
	return t.String(), nil
}

// kubeletExcuse is what a kubelet sends in place of a log, as if it were one, when the
// file has just gone because the container was started again (kubelet's
// kuberuntime/logs and container manager).
var kubeletExcuse = regexp.MustCompile(`^(failed to try resolving symlinks in path "|failed to open log file "|unable to retrieve container logs for )[^\n]*\n?$`)

var (
	// "KeyError: 'x'", "distributed.comm.CommClosedError: …", "RuntimeError: …",
	// wherever on the line a log prefix has put it.
	namedError = regexp.MustCompile(`(^|\s|\.)[A-Z]\w*(Error|Exception|Failure|Interrupt)\b`)
	// "exec: "python": executable file not found", "fatal: …", "Segmentation fault".
	saysFailed = regexp.MustCompile(`(?i)\b(fatal|panic|error|failed|fault|killed|denied|not found|no such)\b`)
)

// Salient is the line of a log that most likely says why a program failed: as
// Failure, else the last at all. "" for an empty log.
func Salient(log string) string {
	failure, last := salient(log)
	if failure != "" {
		return failure
	}
	return last
}

// Failure is the last line of a log that names an exception, else the last that
// speaks of failing, on one line; "" when none does.
func Failure(log string) string {
	failure, _ := salient(log)
	return failure
}

func salient(log string) (failure, last string) {
	said, named, chained := "", "", ""
	for line := range strings.Lines(log) {
		indented := strings.HasPrefix(line, "  ") // source lines of a traceback
		line = OneLine(line)
		if line == "" {
			continue
		}
		last = line
		if indented {
			continue
		}
		if saysFailed.MatchString(line) {
			said = line
		}
		switch {
		case strings.HasPrefix(line, "The above exception was the direct cause"), strings.HasPrefix(line, "During handling of the above exception"):
			chained = named // Python: the next exception comes from this one
		case namedError.MatchString(line) && chained != "":
			named, chained = OneLine(line+" (from "+chained+")"), ""
		case namedError.MatchString(line):
			named = line
		}
	}
	if named != "" {
		return named, last
	}
	return said, last
}

// OneLine makes any text fit one line of a message: control characters (escape
// sequences of terminals too) and runs of white space become single spaces, and
// what is longer than 300 characters is cut.
func OneLine(s string) string {
	s = ansi.ReplaceAllString(s, "")
	s = strings.Join(strings.FieldsFunc(strings.ToValidUTF8(s, "�"), func(r rune) bool { return r <= ' ' || r == 0x7f }), " ")
	const limit = 300
	if r := []rune(s); len(r) > limit {
		s = string(r[:limit]) + "…"
	}
	return s
}

var ansi = regexp.MustCompile(`\x1b\[[0-9;?]*[A-Za-z]`)
