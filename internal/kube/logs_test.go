package kube

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestSalientFindsTheCause(t *testing.T) {
	cases := map[string]struct{ log, want string }{
		"exception before the last line": {"Traceback (most recent call last):\n  File x\nKeyError: 'nanny-plugins'\n\nshutting down\n", "KeyError: 'nanny-plugins'"},
		"the last of several":            {"ValueError: a\nRuntimeError: Nanny failed to start\n", "RuntimeError: Nanny failed to start"},
		"after a prefix":                 {"2026-11-25 - distributed.nanny - ERROR - x\ndistributed.comm.CommClosedError: closed\nbye", "distributed.comm.CommClosedError: closed"},
		"no exception":                   {"start\nexec: \"python3\": executable file not found in $PATH\nend", `exec: "python3": executable file not found in $PATH`},
		"a chain":                        {"TypeError: x\n\nThe above exception was the direct cause of the following exception:\n\nTraceback\n    raise RuntimeError(x) from exc\nRuntimeError: Nanny failed to start.", "RuntimeError: Nanny failed to start. (from TypeError: x)"},
		"nothing of note":                {"one\ntwo\n\n", "two"},
		"colours":                        {"\x1b[31mOSError: x\x1b[0m\n", "OSError: x"},
		"empty":                          {"\n \n", ""},
	}
	for name, c := range cases {
		if got := Salient(c.log); got != c.want {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
	if got := Failure("one\ntwo"); got != "" {
		t.Errorf("no line tells of a failure, got %q", got)
	}
}

func FuzzOneLine(f *testing.F) {
	f.Add("a\x1b[31mb\r\nc\x00")
	f.Add("\xff\xfe" + strings.Repeat("x", 400))
	f.Fuzz(func(t *testing.T, s string) {
		got := OneLine(s)
		if !utf8.ValidString(got) || utf8.RuneCountInString(got) > 301 || strings.ContainsAny(got, "\n\r\x1b\x00\x7f") {
			t.Errorf("%q became %q", s, got)
		}
	})
}

func TestTailKeepsTheEnd(t *testing.T) {
	tl := &tail{limit: 10}
	for range 100 {
		_, _ = tl.Write([]byte("0123456789ab"))
	}
	if tl.String() != "23456789ab" {
		t.Errorf("got %q", tl.String())
	}
}
