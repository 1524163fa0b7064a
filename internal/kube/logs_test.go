package kube

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"unicode/utf8"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
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

func TestAKubeletsExcuseIsNoLog(t *testing.T) {
	const excuse = `failed to try resolving symlinks in path "/var/log/pods/a_hub_1/hub/2.log": lstat /var/log/pods/a_hub_1/hub/2.log: no such file or directory`
	for name, c := range map[string]struct{ previous, now, want string }{
		"of the run before": {excuse, "KeyError: 'x'\n", "KeyError: 'x'"},
		"of this run":       {"KeyError: 'x'\n", excuse + "\n", "KeyError: 'x'"},
		"another":           {"unable to retrieve container logs for containerd://1", "KeyError: 'x'\n", "KeyError: 'x'"},
		"of both":           {excuse, excuse, ""},
		"in a log":          {"", "one\n" + excuse + "\n", OneLine(excuse)},
	} {
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Query().Get("previous") == "true" {
				_, _ = io.WriteString(w, c.previous)
				return
			}
			_, _ = io.WriteString(w, c.now)
		}))
		set, err := kubernetes.NewForConfig(&rest.Config{Host: srv.URL})
		if err != nil {
			t.Fatal(err)
		}
		got, err := (&Client{Interface: set}).LastWords(t.Context(), "a", "hub", "hub")
		if got != c.want || (err != nil) != (c.want == "") {
			t.Errorf("%s: got %q, %v", name, got, err)
		}
		srv.Close()
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
