package e2e

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// A process is gauntlet at work in JSON, whose lines are read as they come.
type process struct {
	t       *testing.T
	cmd     *exec.Cmd
	what    string
	started time.Time
	done    chan struct{} // closed when it has ended; then the rest may be read
	ended   time.Time
	code    int // -1 when a signal ended it
	out     bytes.Buffer

	mu    sync.Mutex
	lines []said
}

// said is one line of standard error and when it came.
type said struct {
	at   time.Time
	text string // for people
	fail bool   // it is the error that gauntlet ends with
	raw  string
}

// start runs gauntlet; extra is added to its environment. It is ended with the test.
func (c *team) start(extra []string, args ...string) *process {
	c.t.Helper()
	p := &process{t: c.t, what: strings.Join(append(args, extra...), " "), done: make(chan struct{})}
	p.cmd = exec.Command(program, append(args, "-o", "json")...)
	p.cmd.Dir, p.cmd.Env, p.cmd.Stdout = c.dir, append(append([]string{}, c.env...), extra...), &p.out
	errout, err := p.cmd.StderrPipe()
	if err != nil {
		c.t.Fatal(err)
	}
	p.started = time.Now()
	if err := p.cmd.Start(); err != nil {
		c.t.Fatal(err)
	}
	go func() {
		defer close(p.done)
		lines := bufio.NewScanner(errout)
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			p.heard(lines.Text())
		}
		var exited *exec.ExitError
		if err := p.cmd.Wait(); err != nil && !errors.As(err, &exited) {
			p.heard("wait: " + err.Error())
		}
		p.ended, p.code = time.Now(), p.cmd.ProcessState.ExitCode()
	}()
	c.t.Cleanup(p.kill)
	return p
}

func (p *process) heard(raw string) {
	s := said{at: time.Now(), text: raw, raw: raw}
	var event struct{ Step, Hub, State, Item, Object, Text, Error string }
	if json.Unmarshal([]byte(raw), &event) == nil {
		s.text = strings.TrimPrefix(cmp.Or(event.Item, event.Object)+": "+event.Text, ": ")
		if event.Error != "" {
			s.text, s.fail = event.Error, true
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lines = append(p.lines, s)
}

func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	<-p.done
}

// signal sends a signal to it, if it still runs.
func (p *process) signal(s syscall.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		p.t.Error(err)
	}
}

// wait waits until it has ended; one that takes longer than the limit is a failure.
func (p *process) wait(limit time.Duration) {
	p.t.Helper()
	select {
	case <-p.done:
	case <-time.After(limit):
		p.kill()
		p.t.Fatalf("gauntlet %s hangs: killed after %s\n%s", p.what, limit, p.all())
	}
	p.t.Logf("$ gauntlet %s -> %d in %s", p.what, p.code, p.ended.Sub(p.started).Round(100*time.Millisecond))
}

// until waits until a line holds all the words; gauntlet must say so before it ends.
func (p *process) until(words ...string) time.Time {
	p.t.Helper()
	deadline := time.After(drillLimit)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		if at, _ := p.first(words...); !at.IsZero() {
			return at
		}
		select {
		case <-p.done:
			if at, _ := p.first(words...); !at.IsZero() {
				return at
			}
			p.t.Fatalf("gauntlet %s ended with %d and never said %q\n%s", p.what, p.code, words, p.all())
		case <-deadline:
			p.t.Fatalf("gauntlet %s does not say %q\n%s", p.what, words, p.all())
		case <-tick.C:
		}
	}
}

// first is the first line that holds all the words, and when it came.
func (p *process) first(words ...string) (time.Time, string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, s := range p.lines {
		if holds(s.text, words...) {
			return s.at, s.text
		}
	}
	return time.Time{}, ""
}

// failure is the error that gauntlet ended with, without where the ladder can be seen.
func (p *process) failure() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, s := range p.lines {
		if s.fail {
			text, _, _ := strings.Cut(s.text, "\n")
			return text
		}
	}
	return ""
}

// all is what it wrote, each line with its time since the start.
func (p *process) all() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var b strings.Builder
	for _, s := range p.lines {
		b.WriteString(s.at.Sub(p.started).Round(100*time.Millisecond).String() + " " + s.raw + "\n")
	}
	return b.String()
}

// holds says whether a text holds all the words, in any case of letters.
func holds(text string, words ...string) bool {
	text = strings.ToLower(text)
	for _, w := range words {
		if !strings.Contains(text, strings.ToLower(w)) {
			return false
		}
	}
	return true
}
