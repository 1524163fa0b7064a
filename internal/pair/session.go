package pair

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"gauntlet/internal/kube"
)

// States of an answer.
const (
	passed = "passed"
	warned = "warned"
	failed = "failed"
)

// lineLimit bounds one line of the client script, in bytes.
const lineLimit = 64 << 10

// An answer is one line of the client script.
type answer struct {
	Check   string  `json:"check"`
	State   string  `json:"state"`
	Message string  `json:"message"`
	Seconds float64 `json:"seconds"`
}

// parse reads one line of the client script. Its message is made fit for one
// line of output, whatever it holds.
func parse(line []byte) (answer, error) {
	var a answer
	if err := json.Unmarshal(line, &a); err != nil {
		return answer{}, fmt.Errorf("the client script said %q instead of an answer", kube.OneLine(string(line)))
	}
	if a.Check == "" || (a.State != passed && a.State != warned && a.State != failed) {
		return answer{}, fmt.Errorf("the client script gave an answer without check or state: %q", kube.OneLine(string(line)))
	}
	a.Check, a.Message = kube.OneLine(a.Check), kube.OneLine(a.Message)
	if a.Message == "" {
		a.Message = a.State
	}
	return a, nil
}

// A session is the client script while it runs in the notebook's pod.
type session struct {
	stdin  io.WriteCloser
	lines  chan answer   // closed with the script's end
	done   chan struct{} // closed when all has ended; err is set before
	err    error         // why it ended
	broken error         // why it cannot be asked any more
	cancel context.CancelFunc
}

// settings are what the client script is told once. They go over its standard input,
// since others can read a process's arguments.
type settings struct {
	Address  string  `json:"address"`  // of the scheduler
	Expected int     `json:"expected"` // workers
	TLS      keyPair `json:"tls"`
}

// clientScript is the program of the client: the files of its folder, in order.
func clientScript() ([]byte, error) {
	const folder = "scripts/client"
	files, err := scripts.ReadDir(folder)
	if err != nil {
		return nil, err
	}
	var script bytes.Buffer
	for _, f := range files {
		text, err := scripts.ReadFile(folder + "/" + f.Name())
		if err != nil {
			return nil, err
		}
		script.Write(text)
		script.WriteString("\n\n")
	}
	return script.Bytes(), nil
}

// startSession starts the client script. It lives until end is called, not only
// as long as the check that starts it.
func (m *match) startSession(ctx context.Context) (*session, error) {
	script, err := clientScript()
	if err != nil {
		return nil, err
	}
	pair, err := newKeyPair(time.Now())
	if err != nil {
		return nil, err
	}
	told, err := json.Marshal(settings{Address: m.address, Expected: workersExpected, TLS: pair})
	if err != nil {
		return nil, err
	}
	return newSession(ctx, told, func(ctx context.Context, stdin io.Reader, stdout io.Writer) error {
		e := kube.Exec{Namespace: m.bench.Namespace, Pod: m.notebook, Stdout: stdout}
		return m.Client.Exec(ctx, e.Python(script, stdin))
	}), nil
}

func newSession(ctx context.Context, settings []byte, exec func(context.Context, io.Reader, io.Writer) error) *session {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	inR, inW := io.Pipe()
	outR, outW := io.Pipe()
	s := &session{stdin: inW, lines: make(chan answer), done: make(chan struct{}), cancel: cancel}
	ran := make(chan error, 1)
	go func() {
		err := exec(ctx, io.MultiReader(bytes.NewReader(append(settings, '\n')), inR), outW)
		if err == nil {
			err = errors.New("the client script ended by itself")
		}
		_ = inR.CloseWithError(err)
		_ = outW.Close()
		ran <- err
	}()
	go func() {
		defer close(s.done)
		read := s.read(ctx, outR)
		_ = outR.CloseWithError(errors.New("nobody reads the client script any more"))
		if read != nil {
			_ = inR.CloseWithError(read)
			cancel()
		}
		s.err = <-ran
		if read != nil {
			s.err = read
		}
	}()
	return s
}

// read hands on the script's lines until it ends or says what is no answer.
func (s *session) read(ctx context.Context, r io.Reader) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, lineLimit)
	for lines.Scan() {
		a, err := parse(lines.Bytes())
		if err != nil {
			return err
		}
		select {
		case s.lines <- a:
		case <-ctx.Done():
			return nil
		}
	}
	if err := lines.Err(); errors.Is(err, bufio.ErrTooLong) {
		return errors.New("the client script printed a line without end")
	}
	return nil
}

// ask has the script make one check and waits for its answer. When none comes the
// session is of no more use, and later questions fail at once, saying why.
func (s *session) ask(ctx context.Context, name string, timeout time.Duration) (answer, error) {
	if s.broken != nil {
		return answer{}, s.broken
	}
	give := func(err error) (answer, error) {
		s.broken = fmt.Errorf("the client could not be asked any more after %q: %w", name, err)
		return answer{}, err
	}
	question, err := json.Marshal(map[string]any{"check": name, "timeout": timeout.Seconds()})
	if err != nil {
		return answer{}, err
	}
	start := time.Now()
	wrote := make(chan error, 1)
	go func() {
		_, err := s.stdin.Write(append(question, '\n'))
		wrote <- err
	}()
	for {
		select {
		case <-wrote: // an error means the script has ended, which done tells better
			wrote = nil
		case a := <-s.lines:
			if a.Check != name {
				return give(fmt.Errorf("the client answered %q when asked for %q", a.Check, name))
			}
			return a, nil
		case <-s.done:
			return give(fmt.Errorf("the client ended: %w", s.err))
		case <-ctx.Done():
			if cause := context.Cause(ctx); !errors.Is(cause, context.DeadlineExceeded) && !errors.Is(cause, context.Canceled) {
				return give(cause)
			}
			return give(fmt.Errorf("no answer from the client after %s", time.Since(start).Round(time.Second)))
		}
	}
}

// end stops the script and waits for it. A session that never began is ended.
func (s *session) end() {
	if s == nil {
		return
	}
	s.cancel()
	_ = s.stdin.Close()
	<-s.done
}

// trouble is the line of a worker's log that tells of its trouble; "" when none
// does. What the boot script printed is no trouble, however errors are called in
// the names of packages.
func trouble(log string) string {
	var kept []string
	for line := range strings.Lines(log) {
		if strings.HasPrefix(line, factsMark) || strings.Contains(line, " - INFO - ") {
			continue
		}
		kept = append(kept, line)
	}
	return kube.Failure(strings.Join(kept, ""))
}
