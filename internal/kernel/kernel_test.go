package kernel

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/google/go-cmp/cmp"
)

// frame is a message of a kernel in answer to a request.
func frame(parent, kind, content string) string {
	return fmt.Sprintf(`{"channel":"iopub","header":{"msg_id":"m","msg_type":%q},"parent_header":{"msg_id":%q},"metadata":{},"content":%s}`, kind, parent, content)
}

func TestARunEndsWhenTheKernelHasRepliedAndIsIdle(t *testing.T) {
	for name, frames := range map[string][]string{
		"reply first": {
			frame("id", "status", `{"execution_state":"busy"}`),
			frame("other", "stream", `{"name":"stdout","text":"not ours"}`),
			frame("id", "stream", `{"name":"stdout","text":"4"}`),
			frame("id", "stream", `{"name":"stdout","text":"2\n"}`),
			frame("id", "stream", `{"name":"stderr","text":"hm"}`),
			frame("id", "display_data", `{"data":{"image/png":"AAAA"}}`),
			frame("id", "execute_result", `{"data":{"text/plain":"'r'","text/html":"<b>"}}`),
			frame("other", "status", `{"execution_state":"idle"}`),
			frame("id", "execute_reply", `{"status":"ok"}`),
			frame("id", "status", `{"execution_state":"idle"}`),
		},
		"idle first": {
			frame("id", "stream", `{"name":"stdout","text":"42\n"}`),
			frame("id", "stream", `{"name":"stderr","text":"hm"}`),
			frame("id", "execute_result", `{"data":{"text/plain":"'r'"}}`),
			frame("id", "status", `{"execution_state":"idle"}`),
			frame("id", "execute_reply", `{"status":"ok"}`),
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := run{id: "id"}
			for i, f := range frames {
				m, err := parse([]byte(f))
				if err != nil {
					t.Fatal(err)
				}
				done, err := r.take(m)
				if err != nil || done != (i == len(frames)-1) {
					t.Fatalf("after %d: done %v, %v", i, done, err)
				}
			}
			if d := cmp.Diff(Output{Stdout: "42\n", Stderr: "hm", Result: "'r'"}, r.out); d != "" || r.failed != nil {
				t.Errorf("%s, %v", d, r.failed)
			}
		})
	}
}

func TestADeadKernelEndsTheRun(t *testing.T) {
	m, err := parse([]byte(frame("", "status", `{"execution_state":"restarting"}`)))
	if err != nil {
		t.Fatal(err)
	}
	r := run{id: "id"}
	if _, err := r.take(m); !errors.Is(err, ErrKernelDied) {
		t.Errorf("got %v", err)
	}
}

func TestOutputIsBounded(t *testing.T) {
	var s string
	for range 3 {
		add(&s, strings.Repeat("x", maxOutput/2+1))
	}
	if len(s) != maxOutput {
		t.Errorf("%d bytes", len(s))
	}
}

func FuzzMessages(f *testing.F) {
	f.Add([]byte(frame("id", "stream", `{"name":"stdout","text":"x"}`)))
	f.Add([]byte(frame("id", "error", `{"ename":"E","evalue":"v","traceback":["a"]}`)))
	f.Add([]byte(frame("id", "execute_reply", `{"status":"aborted"}`)))
	f.Add([]byte(`{"header":{"msg_type":"execute_result"},"parent_header":{"msg_id":"id"},"content":{"data":{"text/plain":["a"]}}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := parse(data)
		if err != nil {
			return
		}
		r := run{id: "id"}
		_, _ = r.take(m)
		if len(r.out.Stdout) > maxOutput {
			t.Error("too long")
		}
	})
}

// jupyter is a server with one kernel that answers as behave says.
func jupyter(t *testing.T, behave func(ctx context.Context, c *websocket.Conn, request message)) *httptest.Server {
	t.Helper()
	return jupyterOpened(t, func(context.Context, *websocket.Conn) {}, behave)
}

// jupyterOpened is jupyter that does something first on every websocket. All of them
// must be of one session.
func jupyterOpened(t *testing.T, opened func(context.Context, *websocket.Conn), behave func(ctx context.Context, c *websocket.Conn, request message)) *httptest.Server {
	t.Helper()
	var session atomic.Value
	mux := http.NewServeMux()
	mux.HandleFunc("POST /user/u/api/kernels", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`{"id":"k1"}`)) })
	mux.HandleFunc("DELETE /user/u/api/kernels/k1", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204) })
	mux.HandleFunc("GET /user/u/api/kernels/k1/channels", func(w http.ResponseWriter, r *http.Request) {
		if id := r.URL.Query().Get("session_id"); !session.CompareAndSwap(nil, id) && session.Load() != id {
			t.Errorf("session %s after %v", id, session.Load())
		}
		if r.URL.Query().Get("session_id") == "" || r.Header.Get("Origin") != "" {
			t.Errorf("websocket asked for as %s, Origin %q", r.URL, r.Header.Get("Origin"))
		}
		c, err := websocket.Accept(w, r, nil)
		if err != nil {
			return
		}
		defer func() { _ = c.CloseNow() }()
		opened(r.Context(), c)
		for {
			_, data, err := c.Read(r.Context())
			if err != nil {
				return
			}
			m, err := parse(data)
			if err != nil {
				t.Error(err)
				return
			}
			behave(r.Context(), c, m)
		}
	})
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "token t0" {
			t.Errorf("%s without the token", r.URL)
		}
		mux.ServeHTTP(w, r)
	}))
	t.Cleanup(srv.Close)
	return srv
}

func start(t *testing.T, srv *httptest.Server) *Kernel {
	t.Helper()
	s, err := Dial(srv.URL, "/user/u/", "t0")
	if err != nil {
		t.Fatal(err)
	}
	k, err := s.Start(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := k.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return k
}

func TestAnExceptionIsTypedAndKeepsTheOutputBeforeIt(t *testing.T) {
	k := start(t, jupyter(t, func(ctx context.Context, c *websocket.Conn, m message) {
		var in struct {
			Code       string `json:"code"`
			AllowStdin bool   `json:"allow_stdin"`
		}
		if err := json.Unmarshal(m.Content, &in); err != nil || in.Code != "1/0" || in.AllowStdin || m.Channel != "shell" {
			t.Errorf("request %+v, %v", m, err)
		}
		_ = c.Write(ctx, websocket.MessageBinary, []byte("buffers of a widget"))
		for _, f := range []string{
			frame(m.Header.ID, "stream", `{"name":"stdout","text":"before"}`),
			frame(m.Header.ID, "error", `{"ename":"ZeroDivisionError","evalue":"division\nby zero","traceback":["t"]}`),
			frame(m.Header.ID, "execute_reply", `{"status":"error","ename":"ZeroDivisionError"}`),
			frame(m.Header.ID, "status", `{"execution_state":"idle"}`),
		} {
			_ = c.Write(ctx, websocket.MessageText, []byte(f))
		}
	}))
	out, err := k.Run(t.Context(), "1/0")
	var e *Error
	if !errors.As(err, &e) || e.Name != "ZeroDivisionError" || err.Error() != "ZeroDivisionError: division by zero" || out.Stdout != "before" {
		t.Errorf("%+v, %v", out, err)
	}
}

func TestAConnectionThatWasLeftAloneIsOpenedAnew(t *testing.T) {
	opened := 0
	k := start(t, jupyterOpened(t, func(context.Context, *websocket.Conn) { opened++ }, func(ctx context.Context, c *websocket.Conn, m message) {
		_ = c.Write(ctx, websocket.MessageText, []byte(frame(m.Header.ID, "execute_reply", `{"status":"ok"}`)))
		_ = c.Write(ctx, websocket.MessageText, []byte(frame(m.Header.ID, "status", `{"execution_state":"idle"}`)))
	}))
	for i, ago := range []time.Duration{0, idle + time.Second} {
		k.used = k.used.Add(-ago)
		if _, err := k.Run(t.Context(), "1"); err != nil || opened != i+1 {
			t.Errorf("after %s: %d connections, %v", ago, opened, err)
		}
	}
}

func TestARunThatWasGivenUpIsInterruptedBeforeTheNext(t *testing.T) {
	var interrupted atomic.Int32
	srv := jupyter(t, func(ctx context.Context, c *websocket.Conn, m message) {
		if interrupted.Load() == 0 {
			return
		}
		_ = c.Write(ctx, websocket.MessageText, []byte(frame(m.Header.ID, "execute_reply", `{"status":"ok"}`)))
		_ = c.Write(ctx, websocket.MessageText, []byte(frame(m.Header.ID, "status", `{"execution_state":"idle"}`)))
	})
	whole := srv.Config.Handler
	srv.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost && r.URL.Path == "/user/u/api/kernels/k1/interrupt" {
			interrupted.Add(1)
			w.WriteHeader(http.StatusNoContent)
			return
		}
		whole.ServeHTTP(w, r)
	})
	k := start(t, srv)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := k.Run(ctx, "while True: pass"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	for range 2 {
		if _, err := k.Run(t.Context(), "1"); err != nil || interrupted.Load() != 1 {
			t.Errorf("interrupted %d times, %v", interrupted.Load(), err)
		}
	}
}

func TestARunIsBoundedByItsContext(t *testing.T) {
	k := start(t, jupyter(t, func(context.Context, *websocket.Conn, message) {}))
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := k.Run(ctx, "while True: pass"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}

func TestRefusalsOfAServerAreTyped(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/hub/login", http.StatusFound)
	}))
	defer srv.Close()
	s, err := Dial(srv.URL, "/user/u/", "t0")
	if err != nil {
		t.Fatal(err)
	}
	var st *StatusError
	if _, err := s.Start(t.Context(), ""); !errors.As(err, &st) || st.Status != 302 || !strings.Contains(err.Error(), "/hub/login") {
		t.Errorf("got %v", err)
	}
}

func TestOnlyPathsOfTheHubAreDialled(t *testing.T) {
	for _, tt := range []struct{ hub, path string }{
		{"http://h", "//evil/user/u/"}, {"http://h", "http://evil/"}, {"h", "/user/u/"}, {"ftp://h", "/user/u/"},
	} {
		if _, err := Dial(tt.hub, tt.path, "t"); err == nil {
			t.Errorf("%q with %q was taken", tt.hub, tt.path)
		}
	}
	s, err := Dial("https://h:8/prefix", "/prefix/user/a%40b/", "t")
	if err != nil || s.base.String() != "https://h:8/prefix/user/a%40b/" {
		t.Errorf("%v, %v", s, err)
	}
}
