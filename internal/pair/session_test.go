package pair

import (
	"bufio"
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// client plays the client script: it reads the settings and answers each question
// with what reply says; "" is no answer.
func client(reply func(n int) string) func(context.Context, io.Reader, io.Writer) error {
	return func(ctx context.Context, in io.Reader, out io.Writer) error {
		r := bufio.NewReader(in)
		if _, err := r.ReadString('\n'); err != nil { // the settings
			return err
		}
		for n := 0; ; n++ {
			if _, err := r.ReadString('\n'); err != nil {
				return err
			}
			s := reply(n)
			if s == "exit" {
				return errors.New("python3 in pod p ended with code 139")
			}
			if s == "" {
				<-ctx.Done()
				return ctx.Err()
			}
			if _, err := io.WriteString(out, s); err != nil {
				return err
			}
		}
	}
}

const fine = `{"check":"lambda","state":"passed","message":"fine","seconds":0.1}` + "\n"

func TestEachQuestionGetsItsAnswer(t *testing.T) {
	s := newSession(t.Context(), []byte("{}"), client(func(int) string { return fine }))
	defer s.end()
	for range 3 {
		a, err := s.ask(t.Context(), "lambda", time.Second)
		if err != nil || a.State != passed || a.Message != "fine" {
			t.Fatalf("%+v %v", a, err)
		}
	}
}

func TestASilentOrBrokenClientIsNamed(t *testing.T) {
	cases := map[string]struct{ reply, words string }{
		"hangs":                {"", "no answer from the client"},
		"dies":                 {"exit", "code 139"},
		"prints something":     {"Traceback (most recent call last)\n", "Traceback"},
		"prints without end":   {strings.Repeat("x", lineLimit+2), "line without end"},
		"answers another":      {strings.Replace(fine, "lambda", "map", 1), `answered "map"`},
		"gives no state":       {`{"check":"lambda"}` + "\n", "without check or state"},
		"gives a wrong state":  {`{"check":"lambda","state":"great"}` + "\n", "without check or state"},
		"gives a list":         {"[]\n", "instead of an answer"},
		"answers with nothing": {"\n", "instead of an answer"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			s := newSession(context.Background(), nil, client(func(int) string { return c.reply }))
			defer s.end()
			limit := 10 * time.Second
			if name == "hangs" {
				limit = 50 * time.Millisecond
			}
			ctx, cancel := context.WithTimeout(t.Context(), limit)
			defer cancel()
			if _, err := s.ask(ctx, "lambda", time.Second); err == nil || !strings.Contains(err.Error(), c.words) {
				t.Errorf("got %v, want %q", err, c.words)
			}
			_, err := s.ask(t.Context(), "map", time.Second)
			if err == nil || !strings.Contains(err.Error(), `after "lambda"`) {
				t.Errorf("a later question: %v", err)
			}
		})
	}
}

func TestAskingStopsForItsCause(t *testing.T) {
	s := newSession(t.Context(), nil, client(func(int) string { return "" }))
	defer s.end()
	ctx, stop := context.WithCancelCause(t.Context())
	stop(errors.New("every worker ended"))
	if _, err := s.ask(ctx, "join", time.Second); err == nil || err.Error() != "every worker ended" {
		t.Errorf("got %v", err)
	}
}

func TestASessionOutlivesTheCheckThatBeganIt(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	s := newSession(ctx, nil, client(func(int) string { return fine }))
	cancel()
	if _, err := s.ask(t.Context(), "lambda", time.Second); err != nil {
		t.Error(err)
	}
	s.end()
	if _, err := s.ask(t.Context(), "lambda", time.Second); err == nil {
		t.Error("an ended session answered")
	}
	(*session)(nil).end() // never began
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(fine))
	f.Add([]byte(`{"check":"x","state":"failed","message":"a\nb\u001b[31m"}`))
	f.Add([]byte(`{"check":"x","state":"failed","seconds":1e999}`))
	f.Fuzz(func(t *testing.T, line []byte) {
		a, err := parse(line)
		if err != nil {
			if strings.ContainsAny(err.Error(), "\n\x1b") {
				t.Errorf("an error of several lines: %q", err)
			}
			return
		}
		if a.State != passed && a.State != warned && a.State != failed {
			t.Errorf("state %q", a.State)
		}
		if a.Check == "" || a.Message == "" || strings.ContainsAny(a.Check+a.Message, "\n\x1b") || !utf8.ValidString(a.Message) {
			t.Errorf("%q became %+v", line, a)
		}
	})
}
