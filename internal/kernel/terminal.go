package kernel

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"

	"github.com/coder/websocket"
)

// A Terminal is a shell of a user's server and the websocket to it. What is typed goes
// as ["stdin", TEXT], what is shown comes as ["stdout", TEXT].
// Format: jupyter-server-terminals, TermSocket.
type Terminal struct {
	server *Server
	name   string
	conn   *websocket.Conn
	said   strings.Builder // what was shown for the last line
	lines  int
}

// Terminal opens a terminal of 24 lines by 120 columns. It must be closed.
func (s *Server) Terminal(ctx context.Context) (*Terminal, error) {
	var made struct {
		Name string `json:"name"`
	}
	if err := s.do(ctx, "open a terminal", http.MethodPost, map[string]string{}, &made, "api", "terminals"); err != nil {
		return nil, err
	}
	if made.Name == "" {
		return nil, errors.New("open a terminal: the server gave it no name")
	}
	t := &Terminal{server: s, name: made.Name}
	conn, err := s.socket(ctx, "terminal", s.base.JoinPath("terminals", "websocket", made.Name))
	if err != nil {
		_ = t.Close(context.WithoutCancel(ctx))
		return nil, err
	}
	t.conn = conn
	return t, t.write(ctx, "set_size", 24, 120)
}

func (t *Terminal) write(ctx context.Context, frame ...any) error {
	data, err := json.Marshal(frame)
	if err != nil {
		return err
	}
	if err := t.conn.Write(ctx, websocket.MessageText, data); err != nil {
		return fmt.Errorf("type into the terminal: %w", ended(ctx, err))
	}
	return nil
}

// shown is what was shown, without colours and movements of the cursor. A bell stays, as
// "\a".
func (t *Terminal) shown() string {
	return strings.ReplaceAll(controls.ReplaceAllString(t.said.String(), ""), "\r\n", "\n")
}

// until reads until what was shown satisfies done, or ctx ends; then the error says what
// was shown last.
func (t *Terminal) until(ctx context.Context, done func(shown string) bool) error {
	for !done(t.shown()) {
		kind, data, err := t.conn.Read(ctx)
		if err != nil {
			return fmt.Errorf("the terminal shows %s: %w", tailOf(t.shown()), ended(ctx, err))
		}
		if kind != websocket.MessageText {
			continue
		}
		var frame []any
		if err := json.Unmarshal(data, &frame); err != nil || len(frame) == 0 {
			return fmt.Errorf("a message of the terminal cannot be read: %v", err)
		}
		switch frame[0] {
		case "stdout":
			if text, ok := frame[len(frame)-1].(string); ok {
				t.said.WriteString(text)
			}
		case "disconnect":
			return fmt.Errorf("the shell ended; the terminal shows %s", tailOf(t.shown()))
		}
	}
	return nil
}

// Line types keys, deletes the line they made, and is all that was shown until then: a
// shell takes its keys one after another, so nothing is waited for that may not come.
func (t *Terminal) Line(ctx context.Context, keys string) (shown string, err error) {
	t.lines++
	t.said.Reset()
	// Shown as it is typed, it is not yet what it prints.
	mark := fmt.Sprintf("gauntlet-line-%d-", t.lines)
	echo, end := "echo "+mark+"$((20+3))", mark+"23"
	if err := t.write(ctx, "stdin", keys+"\x15"+echo+"\r"); err != nil {
		return "", err
	}
	if err := t.until(ctx, func(shown string) bool { return strings.Contains(shown, end) }); err != nil {
		return "", err
	}
	shown, _, _ = strings.Cut(t.shown(), end)
	// A shell that is still starting shows its keys before what it says itself.
	return strings.ReplaceAll(shown, echo, ""), nil
}

// Close ends the terminal and its shell.
func (t *Terminal) Close(ctx context.Context) error {
	if t.conn != nil {
		_ = t.conn.CloseNow()
	}
	return t.server.remove(ctx, "end the terminal", "api", "terminals", t.name)
}

// controls are the sequences by which a program moves the cursor and colours text
// (ECMA-48), and those by which it names the window.
var controls = regexp.MustCompile(`\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\a\x1b]*(?:\a|\x1b\\)|\x1b[@-Z\\-_=>()][0-9A-B]?`)

// tailOf is the end of what was shown, quoted.
func tailOf(s string) string {
	const most = 300
	if len(s) > most {
		s = "…" + s[len(s)-most:]
	}
	return fmt.Sprintf("%q", s)
}
