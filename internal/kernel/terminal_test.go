package kernel

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
)

var echoed = regexp.MustCompile(`echo (gauntlet-line-\d+-)\$\(\(20\+3\)\)\r`)

// shell is a server with one terminal whose shell says something of its own late, and
// then what the keys bring: answer is given what was typed of a line.
func shell(t *testing.T, greeting string, answer func(keys string) string) *Server {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("POST /user/u/api/terminals", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"name":"1"}`) })
	mux.HandleFunc("DELETE /user/u/api/terminals/1", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	mux.HandleFunc("/user/u/terminals/websocket/1", func(w http.ResponseWriter, r *http.Request) {
		c, err := websocket.Accept(w, r, nil)
		if err != nil {
			return
		}
		defer func() { _ = c.CloseNow() }()
		say := func(text string) {
			frame, _ := json.Marshal([]any{"stdout", text})
			_ = c.Write(r.Context(), websocket.MessageText, frame)
		}
		_ = c.Write(r.Context(), websocket.MessageText, []byte(`["setup", {}]`))
		first := true
		for {
			_, data, err := c.Read(r.Context())
			if err != nil {
				return
			}
			var frame []any
			if json.Unmarshal(data, &frame) != nil || frame[0] != "stdin" {
				continue
			}
			keys := frame[1].(string)
			m := echoed.FindStringSubmatchIndex(keys)
			if m == nil {
				continue
			}
			if first { // the terminal shows keys before its shell is there
				say(strings.TrimSuffix(keys, "\r"))
				say("\r\n" + greeting)
			}
			first = false
			say("\x1b[?2004h$ " + answer(strings.TrimSuffix(keys[:m[0]], "\x15")))
			say(keys[m[0]:m[1]-1] + "\r\n" + keys[m[2]:m[3]] + "23\r\n")
		}
	})
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	s, err := Dial(srv.URL, "/user/u/", "t0")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestALineShowsWhatItsKeysBringAndNothingOfTheNext(t *testing.T) {
	s := shell(t, "bash: /opt/gone: No such file or directory\r\n", func(keys string) string {
		if keys == "cat zz\t" {
			return "cat zz\x1b[Kprobe_file \a"
		}
		return keys
	})
	term, err := s.Terminal(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	greeting, err := term.Line(t.Context(), "")
	if err != nil || !strings.Contains(greeting, "/opt/gone: No such file") || strings.Contains(greeting, "20+3") {
		t.Errorf("greeting %q, %v", greeting, err)
	}
	said, err := term.Line(t.Context(), "cat zz\t")
	if err != nil || !strings.Contains(said, "cat zzprobe_file \a") || strings.Contains(said, "gauntlet-line") {
		t.Errorf("%q, %v", said, err)
	}
	if err := term.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestASilentTerminalEndsWithItsContextAndSaysWhatItShows(t *testing.T) {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /user/u/api/terminals", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"name":"1"}`) })
	mux.HandleFunc("/user/u/terminals/websocket/1", func(w http.ResponseWriter, r *http.Request) {
		c, err := websocket.Accept(w, r, nil)
		if err != nil {
			return
		}
		_ = c.Write(r.Context(), websocket.MessageText, []byte(`["stdout", "hello"]`))
		for {
			if _, _, err := c.Read(r.Context()); err != nil {
				return
			}
		}
	})
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	s, err := Dial(srv.URL, "/user/u/", "t0")
	if err != nil {
		t.Fatal(err)
	}
	term, err := s.Terminal(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if _, err := term.Line(ctx, ""); err == nil || !strings.Contains(err.Error(), `shows "hello"`) {
		t.Errorf("got %v", err)
	}
}
