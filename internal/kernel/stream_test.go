package kernel

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// A server that cuts the websocket in the middle, keeps what the kernel says, and gives
// it to the same session.
func TestAStreamGoesOnAfterACut(t *testing.T) {
	id := make(chan string, 1)
	var opened atomic.Int32
	srv := jupyterOpened(t, func(ctx context.Context, c *websocket.Conn) {
		if opened.Add(1) == 1 {
			return
		}
		parent := <-id
		for _, f := range []string{
			frame(parent, "stream", `{"name":"stdout","text":"1\n"}`),
			frame(parent, "execute_reply", `{"status":"ok"}`),
			frame(parent, "status", `{"execution_state":"idle"}`),
		} {
			_ = c.Write(ctx, websocket.MessageText, []byte(f))
		}
	}, func(ctx context.Context, c *websocket.Conn, m message) {
		_ = c.Write(ctx, websocket.MessageText, []byte(frame(m.Header.ID, "stream", `{"name":"stdout","text":"0\n"}`)))
		_ = c.CloseNow()
		id <- m.Header.ID
	})
	k := start(t, srv)
	s, err := k.Stream(t.Context(), "count()")
	if err != nil {
		t.Fatal(err)
	}
	<-s.Done()
	cuts, down := s.Cuts()
	if s.Err() != nil || s.Output().Stdout != "0\n1\n" || len(cuts) != 1 || cuts[0] != 2 || down != nil {
		t.Errorf("%q, cut at %v (%v), %v", s.Output().Stdout, cuts, down, s.Err())
	}
}

func TestAStreamSaysWhyItHasNoWebsocket(t *testing.T) {
	srv := jupyter(t, func(_ context.Context, c *websocket.Conn, _ message) { _ = c.CloseNow() })
	k := start(t, srv)
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	s, err := k.Stream(ctx, "count()")
	if err != nil {
		t.Fatal(err)
	}
	for len(first(s.Cuts())) == 0 {
		select {
		case <-t.Context().Done():
			t.Fatal("no cut is told")
		case <-time.After(time.Millisecond):
		}
	}
	stop := errors.New("nobody waits")
	cancel(stop)
	<-s.Done()
	if !errors.Is(s.Err(), stop) {
		t.Errorf("ended with %v", s.Err())
	}
}

func first(cuts []int, _ error) []int { return cuts }
