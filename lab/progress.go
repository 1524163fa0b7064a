package lab

import (
	"fmt"
	"io"
	"sync"
	"time"
)

// progress prints lines that begin with the time since the start.
type progress struct {
	mu    sync.Mutex
	out   io.Writer
	start time.Time
}

func newProgress(out io.Writer) *progress { return &progress{out: out, start: time.Now()} }

func (p *progress) say(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	fmt.Fprintf(p.out, "%6.1fs  %s\n", time.Since(p.start).Seconds(), fmt.Sprintf(format, args...))
}

// every says a line at each interval until the returned function is called.
func (p *progress) every(interval time.Duration, line func(elapsed time.Duration) string) (stop func()) {
	began, done := time.Now(), make(chan struct{})
	var wg sync.WaitGroup
	wg.Add(1)
	go func() {
		defer wg.Done()
		t := time.NewTicker(interval)
		defer t.Stop()
		for {
			select {
			case <-done:
				return
			case <-t.C:
				p.say("%s", line(time.Since(began)))
			}
		}
	}()
	return func() { close(done); wg.Wait() }
}
