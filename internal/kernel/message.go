package kernel

import (
	"encoding/json"
	"errors"
	"fmt"
)

// A message is one frame of a kernel's websocket in its default form: JSON with
// the channel among its fields. Format: Jupyter messaging protocol 5.3, and
// jupyter-server's websocket protocol "".
type message struct {
	Channel      string          `json:"channel"`
	Header       header          `json:"header"`
	ParentHeader header          `json:"parent_header"`
	Metadata     json.RawMessage `json:"metadata"`
	Content      json.RawMessage `json:"content"`
	Buffers      []string        `json:"buffers"`
}

type header struct {
	ID       string `json:"msg_id,omitempty"`
	Type     string `json:"msg_type,omitempty"`
	Session  string `json:"session,omitempty"`
	Username string `json:"username,omitempty"`
	Version  string `json:"version,omitempty"`
	Date     string `json:"date,omitempty"`
}

var empty = json.RawMessage("{}")

// request is the frame of a request on the shell channel.
func request(id, session, kind string, content any) ([]byte, error) {
	c, err := json.Marshal(content)
	if err != nil {
		return nil, err
	}
	return json.Marshal(message{
		Channel:  "shell",
		Header:   header{ID: id, Type: kind, Session: session, Username: "gauntlet", Version: "5.3"},
		Metadata: empty, Content: c, Buffers: []string{},
	})
}

// parse reads a frame. Content stays raw: what it holds depends on the type.
func parse(frame []byte) (message, error) {
	var m message
	if err := json.Unmarshal(frame, &m); err != nil {
		return m, fmt.Errorf("a message of the kernel cannot be read: %w", err)
	}
	if m.Header.Type == "" {
		return m, errors.New("a message of the kernel has no type")
	}
	return m, nil
}

// An Output is what a piece of code left behind.
type Output struct {
	Stdout, Stderr string
	Result         string // of the last expression, as text
}

// maxOutput bounds each part of an output, in bytes; what comes later is dropped.
const maxOutput = 1 << 20

func add(to *string, text string) {
	if room := maxOutput - len(*to); room > 0 {
		*to += text[:min(len(text), room)]
	}
}

// A run is a request on its way: it ends when the kernel has replied and is idle.
type run struct {
	id      string
	out     Output
	failed  *Error
	replied bool
	idle    bool
}

// take looks at one message, and says whether the run has ended.
func (r *run) take(m message) (done bool, err error) {
	if m.Header.Type == "status" {
		var s struct {
			State string `json:"execution_state"`
		}
		if err := json.Unmarshal(m.Content, &s); err != nil {
			return false, fmt.Errorf("a status of the kernel cannot be read: %w", err)
		}
		if s.State == "dead" || s.State == "restarting" || s.State == "autorestarting" {
			return false, ErrKernelDied
		}
		if m.ParentHeader.ID == r.id && s.State == "idle" {
			r.idle = true
		}
		return r.replied && r.idle, nil
	}
	if m.ParentHeader.ID != r.id {
		return false, nil // of an earlier request, or of another client
	}
	var c struct {
		Name      string                     `json:"name"`
		Text      string                     `json:"text"`
		Data      map[string]json.RawMessage `json:"data"`
		Status    string                     `json:"status"`
		EName     string                     `json:"ename"`
		EValue    string                     `json:"evalue"`
		Traceback []string                   `json:"traceback"`
	}
	switch m.Header.Type {
	case "stream", "execute_result", "error", "execute_reply":
		if err := json.Unmarshal(m.Content, &c); err != nil {
			return false, fmt.Errorf("a %s of the kernel cannot be read: %w", m.Header.Type, err)
		}
	default:
		return false, nil
	}
	switch m.Header.Type {
	case "stream":
		if c.Name == "stderr" {
			add(&r.out.Stderr, c.Text)
		} else {
			add(&r.out.Stdout, c.Text)
		}
	case "execute_result":
		var text string
		if err := json.Unmarshal(c.Data["text/plain"], &text); err == nil {
			add(&r.out.Result, text)
		}
	case "error":
		r.failed = &Error{Name: c.EName, Value: c.EValue, Traceback: c.Traceback}
	case "execute_reply":
		r.replied = true
		if c.Status != "ok" && r.failed == nil {
			r.failed = &Error{Name: c.EName, Value: c.EValue, Traceback: c.Traceback}
			if c.EName == "" {
				r.failed.Name = "execution " + c.Status
			}
		}
	}
	return r.replied && r.idle, nil
}
