// Package kernel runs code in a Jupyter kernel as a browser does: through the REST
// API and the websocket of a user's server.
package kernel

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/coder/websocket"

	"gauntlet/internal/kube"
)

// requestTime bounds one REST request; starting a kernel on a cold disk is slow.
const requestTime = time.Minute

// maxFrame bounds a message of a kernel, in bytes.
const maxFrame = 32 << 20

// ErrKernelDied says that the kernel's process ended while it was used.
var ErrKernelDied = errors.New("the kernel died")

// An Error is an exception of the code that was run.
type Error struct {
	Name      string // "ModuleNotFoundError"
	Value     string
	Traceback []string // lines, with the terminal's colours
}

func (e *Error) Error() string { return kube.OneLine(e.Name + ": " + e.Value) }

// A StatusError is a refusal of the user's server.
type StatusError struct {
	Op      string
	Status  int // HTTP status
	Message string
}

func (e *StatusError) Error() string {
	return fmt.Sprintf("%s: the server answers %d: %s", e.Op, e.Status, e.Message)
}

// A Server is a user's Jupyter server.
type Server struct {
	base  *url.URL
	token string
	http  *http.Client
}

// Dial makes a client for the server at a path ("/user/ada/") of a hub's address.
// A token in a header needs no cookie, and so no protection against forged
// requests (XSRF); without an Origin header, servers check none.
func Dial(hub, path, token string) (*Server, error) {
	base, err := url.Parse(hub)
	if err != nil || base.Host == "" || (base.Scheme != "http" && base.Scheme != "https") {
		return nil, fmt.Errorf("%q is no address of a hub", hub)
	}
	// The path comes from the hub: it must not lead elsewhere.
	if !strings.HasPrefix(path, "/") || strings.HasPrefix(path, "//") {
		return nil, fmt.Errorf("%q is no path of a user's server", path)
	}
	stay := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	at := &url.URL{Scheme: base.Scheme, Host: base.Host}
	return &Server{base: at.JoinPath(path), token: token, http: &http.Client{CheckRedirect: stay}}, nil
}

// do sends a REST request and reads the JSON answer into out, unless that is nil.
func (s *Server) do(ctx context.Context, op, method string, in, out any, segments ...string) error {
	ctx, cancel := context.WithTimeoutCause(ctx, requestTime, fmt.Errorf("no answer in %s", requestTime))
	defer cancel()
	var body io.Reader = http.NoBody
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return fmt.Errorf("%s: %w", op, err)
		}
		body = bytes.NewReader(b)
	}
	q, err := http.NewRequestWithContext(ctx, method, s.base.JoinPath(segments...).String(), body)
	if err != nil {
		return fmt.Errorf("%s: %w", op, err)
	}
	q.Header = s.auth()
	q.Header.Set("Content-Type", "application/json")
	resp, err := s.http.Do(q)
	if err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return fmt.Errorf("%s: %w", op, err)
	}
	defer func() { _ = resp.Body.Close() }()
	data, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return fmt.Errorf("%s: %w", op, err)
	}
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return &StatusError{Op: op, Status: resp.StatusCode, Message: refusal(resp, data)}
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(data, out); err != nil {
		return fmt.Errorf("%s: read the answer: %w", op, err)
	}
	return nil
}

// refusal is what a refusing server says, in a line.
func refusal(resp *http.Response, data []byte) string {
	if to := resp.Header.Get("Location"); to != "" {
		return kube.OneLine("it points to " + to)
	}
	var said struct {
		Message string `json:"message"`
	}
	if json.Unmarshal(data, &said) == nil && said.Message != "" {
		return kube.OneLine(said.Message)
	}
	return kube.OneLine(http.StatusText(resp.StatusCode))
}

func (s *Server) auth() http.Header {
	return http.Header{"Authorization": {"token " + s.token}}
}

// A Kernel is a running kernel and the websocket to it.
type Kernel struct {
	server  *Server
	id      string
	session string
	conn    *websocket.Conn
	used    time.Time // when the connection was last written to or read from
	left    bool      // code may still run that nobody waits for
}

// idle is how long a connection may be unused: after that servers and proxies close it,
// since nobody answers their pings while nobody reads.
const idle = 20 * time.Second

// Start starts a kernel of a kernelspec, "" for the server's default one. It must
// be closed.
func (s *Server) Start(ctx context.Context, spec string) (*Kernel, error) {
	in := map[string]string{}
	if spec != "" {
		in["name"] = spec
	}
	var made struct {
		ID string `json:"id"`
	}
	if err := s.do(ctx, "start a kernel", http.MethodPost, in, &made, "api", "kernels"); err != nil {
		return nil, err
	}
	if made.ID == "" {
		return nil, errors.New("start a kernel: the server gave it no id")
	}
	k := &Kernel{server: s, id: made.ID, session: strings.ToLower(rand.Text())}
	if err := k.connect(ctx); err != nil {
		_ = k.Close(context.WithoutCancel(ctx))
		return nil, err
	}
	return k, nil
}

// connect opens the websocket. While none is open, the server keeps what the kernel
// says for the same session.
func (k *Kernel) connect(ctx context.Context) error {
	at := k.server.base.JoinPath("api", "kernels", k.id, "channels")
	at.RawQuery = url.Values{"session_id": {k.session}}.Encode()
	conn, err := k.server.socket(ctx, "kernel", at)
	if err != nil {
		return err
	}
	k.conn, k.used = conn, time.Now()
	return nil
}

// awake makes sure of a connection that is not about to be closed, to a kernel that is
// not at work for a run that was given up.
func (k *Kernel) awake(ctx context.Context) error {
	if k.left {
		if err := k.Interrupt(ctx); err != nil {
			return err
		}
		k.left, k.used = false, time.Time{} // who gives up reading has closed the connection
	}
	if time.Since(k.used) < idle {
		k.used = time.Now()
		return nil
	}
	_ = k.conn.CloseNow()
	return k.connect(ctx)
}

// rest notes that the connection is not used for now, and whether something was given up.
func (k *Kernel) rest(ctx context.Context) { k.used, k.left = time.Now(), ctx.Err() != nil }

// socket opens the websocket of something of the server.
func (s *Server) socket(ctx context.Context, of string, at *url.URL) (*websocket.Conn, error) {
	conn, resp, err := websocket.Dial(ctx, at.String(), &websocket.DialOptions{HTTPClient: s.http, HTTPHeader: s.auth()})
	if resp != nil && resp.Body != nil {
		_ = resp.Body.Close()
	}
	if err != nil {
		return nil, fmt.Errorf("open the %s's websocket (does the proxy pass websockets?): %w", of, ended(ctx, err))
	}
	conn.SetReadLimit(maxFrame)
	return conn, nil
}

// remove ends something of the server; what is gone already is no error.
func (s *Server) remove(ctx context.Context, op string, segments ...string) error {
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	err := s.do(ctx, op, http.MethodDelete, nil, nil, segments...)
	var st *StatusError
	if errors.As(err, &st) && st.Status == http.StatusNotFound {
		return nil
	}
	return err
}

// Interrupt sends the kernel's process an interrupt (SIGINT).
func (k *Kernel) Interrupt(ctx context.Context) error {
	return k.server.do(ctx, "interrupt the kernel", http.MethodPost, nil, nil, "api", "kernels", k.id, "interrupt")
}

// Run runs code and collects what it puts out until the kernel is idle again. An
// exception of the code is an *Error, beside the output before it. When ctx ends
// the code goes on until the next run, which interrupts it.
func (k *Kernel) Run(ctx context.Context, code string) (Output, error) {
	if err := k.awake(ctx); err != nil {
		return Output{}, err
	}
	defer k.rest(ctx)
	r := run{id: strings.ToLower(rand.Text())}
	if err := k.send(ctx, r.id, code); err != nil {
		return Output{}, err
	}
	for {
		kind, data, err := k.conn.Read(ctx)
		if err != nil {
			return r.out, fmt.Errorf("wait for the kernel: %w", ended(ctx, err))
		}
		if kind != websocket.MessageText {
			continue // carries buffers of widgets
		}
		m, err := parse(data)
		if err != nil {
			return r.out, err
		}
		done, err := r.take(m)
		if err != nil {
			return r.out, err
		}
		if done {
			if r.failed != nil {
				return r.out, r.failed
			}
			return r.out, nil
		}
	}
}

// send asks the kernel to run code.
func (k *Kernel) send(ctx context.Context, id, code string) error {
	frame, err := request(id, k.session, "execute_request", map[string]any{
		"code": code, "silent": false, "store_history": false,
		"user_expressions": map[string]string{}, "allow_stdin": false,
		// What is sent while an interrupted run ends would be answered with "aborted".
		"stop_on_error": false,
	})
	if err != nil {
		return err
	}
	if err := k.conn.Write(ctx, websocket.MessageText, frame); err != nil {
		return fmt.Errorf("send code to the kernel: %w", ended(ctx, err))
	}
	return nil
}

// Close ends the kernel.
func (k *Kernel) Close(ctx context.Context) error {
	if k.conn != nil {
		_ = k.conn.CloseNow()
	}
	return k.server.remove(ctx, "end the kernel", "api", "kernels", k.id)
}

// ended prefers why ctx ended to what the connection says about it.
func ended(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}
