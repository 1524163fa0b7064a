package cli

import (
	"bytes"
	"errors"
	"os"
	"strings"
	"testing"

	"gauntlet/internal/cli/exit"
	"gauntlet/internal/gate"
	"gauntlet/internal/pipeline"
)

func TestPlainShowsWhatATerminalWouldActOn(t *testing.T) {
	for text, want := range map[string]string{
		"":                           "",
		"nothing odd: ü, 漢, ✓":       "nothing odd: ü, 漢, ✓",
		"a\ttab":                     "a\ttab",
		"\x1b[2Jgone":                `\x1b[2Jgone`,
		"one\nline":                  `one\nline`,
		"back\rover":                 `back\rover`,
		"bell\a":                     `bell\a`,
		"c1 \u009b31m":               `c1 \u009b31m`,
		"turned \u202e round":        `turned \u202e round`,
		"hidden\u200bspace":          `hidden\u200bspace`,
		"not \xff text":              `not � text`,
		"quotes ' \" and \\ stay":    "quotes ' \" and \\ stay",
		"a line\u2028of another way": `a line\u2028of another way`,
	} {
		if got := plain(text); got != want {
			t.Errorf("%q is shown as %q, expected %q", text, got, want)
		}
	}
	if got, want := plainLines("one\n  two\x1b\n\rthree"), "one\n  two\\x1b\n\\rthree"; got != want {
		t.Errorf("got %q, expected %q", got, want)
	}
}

func TestColourIsForTerminalsOnly(t *testing.T) {
	t.Setenv("NO_COLOR", "")
	t.Setenv("TERM", "xterm")
	if styleOf(&bytes.Buffer{}).on {
		t.Error("a buffer has colour")
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	if styleOf(w).on {
		t.Error("a pipe has colour")
	}
	tty := terminal(t)
	if !styleOf(tty).on {
		t.Error("a terminal has none")
	}
	t.Setenv("TERM", "dumb")
	if styleOf(tty).on {
		t.Error("a dumb terminal has colour")
	}
	t.Setenv("TERM", "xterm")
	t.Setenv("NO_COLOR", "1")
	if styleOf(tty).on {
		t.Error("NO_COLOR is ignored")
	}
	if got := (style{on: true}).red("no"); got != "\x1b[31mno\x1b[0m" {
		t.Errorf("got %q", got)
	}
	if got := (style{on: true}).red(""); got != "" {
		t.Errorf("nothing is %q", got)
	}
}

func TestExitCodesTellFailedFromWaiting(t *testing.T) {
	pending := &pipeline.PendingError{Answer: answer(gate.Wait, "compute")}
	denied := &pipeline.DeniedError{Answer: answer(gate.Deny, "compute")}
	for name, tt := range map[string]struct {
		err  error
		code int
		say  string // on standard error, "" for nothing
	}{
		"nothing went wrong": {nil, exit.OK, ""},
		"a step failed":      {&pipeline.StepError{Step: "pairing", Cause: errors.New("no worker")}, exit.Failed, "gauntlet: pairing: no worker\n"},
		"wrong input":        {&pipeline.InputError{Err: errors.New("no such hub")}, exit.Usage, "gauntlet: no such hub\n"},
		"wrong input inside a step": {&pipeline.StepError{Step: "build", Cause: &pipeline.InputError{Err: errors.New("no such tag")}},
			exit.Usage, "gauntlet: build: no such tag\n"},
		"wrong command line":    {usagef("HUB is missing"), exit.Usage, "gauntlet: HUB is missing\n"},
		"people are waited for": {pending, exit.Wait, ""}, // the verdict has been printed
		"the gate denies":       {denied, exit.Denied, ""},
		"something else":        {errors.New("disk full"), exit.Failed, "gauntlet: disk full\n"},
		"what others wrote":     {errors.New("log: \x1b[2J\ngone"), exit.Failed, "gauntlet: log: \\x1b[2J\ngone\n"},
	} {
		t.Run(name, func(t *testing.T) {
			var b bytes.Buffer
			a := &app{err: &b, format: "text"}
			if code := a.report(t.Context(), tt.err); code != tt.code {
				t.Errorf("exit code %d, expected %d", code, tt.code)
			}
			if b.String() != tt.say {
				t.Errorf("said %q, expected %q", b.String(), tt.say)
			}
		})
	}
}

// An interrupted command says that it may be run again, whatever the error was.
func TestAnInterruptIsNoFailureOfTheStep(t *testing.T) {
	ctx, cancel := contextOf(t)
	cancel()
	var b bytes.Buffer
	a := &app{err: &b, format: "text"}
	if code := a.report(ctx, &pipeline.StepError{Step: "deploy", Cause: ctx.Err()}); code != exit.Failed {
		t.Errorf("exit code %d", code)
	}
	if !strings.Contains(b.String(), "run the same command again") {
		t.Errorf("said %q", b.String())
	}
}
