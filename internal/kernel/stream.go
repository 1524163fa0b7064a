package kernel

import (
	"context"
	"crypto/rand"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coder/websocket"

	"gauntlet/internal/kube"
)

// reconnectEvery is how often a websocket that was cut is tried again.
const reconnectEvery = 500 * time.Millisecond

// How often the other end is asked whether it is there, and how long it may take.
const (
	pingEvery = 2 * time.Second
	pingTime  = 5 * time.Second
)

// dialTime bounds one attempt to open the websocket again.
const dialTime = 10 * time.Second

// A Stream is code that runs on in a kernel while its output is read. When the
// websocket is cut (a proxy restarts) it is opened again for the same session: what
// the kernel says meanwhile is kept by its server and not lost. What the server had
// handed to the proxy, and the proxy to nobody, is.
type Stream struct {
	k    *Kernel
	done chan struct{}

	mu   sync.Mutex
	run  run
	err  error
	down error // why there is no websocket now; nil while there is
	cuts []int // how much of stdout had come at each cut, in bytes
}

// Stream begins to run code. Until it has ended the kernel is not to be used
// otherwise, but for Interrupt. It ends with ctx at the latest.
func (k *Kernel) Stream(ctx context.Context, code string) (*Stream, error) {
	s := &Stream{k: k, done: make(chan struct{}), run: run{id: strings.ToLower(rand.Text())}}
	if err := k.send(ctx, s.run.id, code); err != nil {
		return nil, err
	}
	go func() {
		defer close(s.done)
		err := s.read(ctx)
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.err = err; err == nil && s.run.failed != nil {
			s.err = s.run.failed
		}
	}()
	return s, nil
}

// read reads until the code has ended.
func (s *Stream) read(ctx context.Context) error {
	life, end := context.WithCancel(ctx)
	defer end()
	go alive(life, s.k.conn)
	for {
		kind, data, err := s.k.conn.Read(ctx)
		if err != nil {
			if err := s.reconnect(ctx, err); err != nil {
				return err
			}
			go alive(life, s.k.conn)
			continue
		}
		if kind != websocket.MessageText {
			continue
		}
		m, err := parse(data)
		if err != nil {
			return err
		}
		s.mu.Lock()
		done, err := s.run.take(m)
		s.mu.Unlock()
		if done || err != nil {
			return err
		}
	}
}

// alive closes a connection whose other end has gone without a word, as that of a
// proxy's pod does whose address is no more.
func alive(ctx context.Context, c *websocket.Conn) {
	for kube.Sleep(ctx, pingEvery) == nil {
		// A ping that is given up half sent would close the connection.
		ping, cancel := context.WithTimeout(context.WithoutCancel(ctx), pingTime)
		err := c.Ping(ping)
		cancel()
		if err != nil {
			_ = c.CloseNow()
			return
		}
	}
}

// reconnect opens the websocket again, until that is done or ctx ends: whether to go
// on waiting is for the caller, who sees why in Down.
func (s *Stream) reconnect(ctx context.Context, why error) error {
	s.mu.Lock()
	s.cuts = append(s.cuts, len(s.run.out.Stdout))
	s.down = why
	s.mu.Unlock()
	_ = s.k.conn.CloseNow()
	for {
		dial, cancel := context.WithTimeoutCause(ctx, dialTime, errors.New("no answer in "+dialTime.String()))
		err := s.k.connect(dial)
		cancel()
		s.mu.Lock()
		s.down = err
		s.mu.Unlock()
		if err == nil {
			return nil
		}
		if kube.Sleep(ctx, reconnectEvery) != nil {
			return context.Cause(ctx)
		}
	}
}

// Output is what the code has put out so far.
func (s *Stream) Output() Output {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.run.out
}

// Cuts are the places in stdout, in bytes, where the websocket was cut. What was in the
// proxy's hands at that moment may be missing there. down is why there is no websocket
// now, nil when there is one.
func (s *Stream) Cuts() (at []int, down error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.cuts), s.down
}

// Done is closed when the code has ended, and Err is then why: nil when it ended by
// itself, *Error for an exception.
func (s *Stream) Done() <-chan struct{} { return s.done }

// Err is why the stream has ended; nil before.
func (s *Stream) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}
