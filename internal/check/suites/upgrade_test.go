package suites

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	"gauntlet/internal/check"
)

func lines(numbers ...int) string {
	var b strings.Builder
	for _, n := range numbers {
		fmt.Fprintln(&b, n)
	}
	return b.String()
}

func TestALineThatIsMissingWasLostUnlessTheProxyHeldIt(t *testing.T) {
	cut := len(lines(0, 1))
	for name, tt := range map[string]struct {
		out        string
		cuts       []int
		last, lost int
		err        string
	}{
		"nothing yet":                {"", nil, -1, 0, ""},
		"whole":                      {lines(0, 1, 2), nil, 2, 0, ""},
		"half a line":                {lines(0, 1) + "2", nil, 1, 0, ""},
		"ended":                      {lines(0, 1) + "end 2\n", nil, 1, 0, ""},
		"lost":                       {lines(0, 1, 3), nil, 1, 0, "line 3 came after line 1"},
		"lost at a cut":              {lines(0, 1, 3), []int{cut}, 3, 1, ""},
		"lost at another place":      {lines(0, 1, 3), []int{2}, 1, 0, "line 3 came after line 1"},
		"more than a proxy can hold": {lines(0, 1, 2+inFlight+1), []int{cut}, 1, 0, "was lost"},
		"twice":                      {lines(0, 1, 1), []int{cut}, 1, 0, "line 1 came after line 1"},
		"begun again":                {lines(0, 1, 0), nil, 1, 0, "line 0 came after line 1"},
		"something else":             {lines(0) + "Traceback\n", nil, 0, 0, `it says "Traceback"`},
	} {
		t.Run(name, func(t *testing.T) {
			last, lost, err := counted(tt.out, tt.cuts)
			if last != tt.last || lost != tt.lost || (tt.err == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), tt.err) {
				t.Errorf("%d, %d, %v", last, lost, err)
			}
		})
	}
}

func TestWhatAKernelSaysAtItsEndIsComparedWithWhatCame(t *testing.T) {
	for name, tt := range map[string]struct {
		out     string
		cuts    []int
		n, lost int
		err     string
	}{
		"whole":         {lines(0, 1, 2) + "end 3\n", nil, 3, 0, ""},
		"lost at a cut": {lines(0, 2) + "end 3\n", []int{2}, 3, 1, ""},
		"the last lost": {lines(0, 1) + "end 3\n", nil, 0, 0, "it printed 3 lines and the last that came is 1"},
		"no end":        {lines(0, 1), nil, 0, 0, "what it said at its end"},
		"lost":          {lines(0, 2) + "end 3\n", nil, 0, 0, "line 2 came after line 0"},
	} {
		t.Run(name, func(t *testing.T) {
			n, lost, err := wholeCount(tt.out, tt.cuts)
			if n != tt.n || lost != tt.lost || (tt.err == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), tt.err) {
				t.Errorf("%d, %d, %v", n, lost, err)
			}
		})
	}
}

func server(user, uid string) UserServer { return UserServer{User: user, uid: uid} }

func TestTheFateOfServersIsThatOfTheirPodsAndOfWhatTheHubKnows(t *testing.T) {
	before := []UserServer{server("ada", "1"), server("grace", "2"), server("linus", "3"), server("barbara", "4")}
	pods := map[string]corev1.Pod{"1": {}, "2": {}, "44": {}}
	ready := map[key]string{{"ada", ""}: "/user/ada/", {"barbara", ""}: "/user/barbara/"}
	f := fateOf(before, pods, ready)
	for what, pair := range map[string][2]string{
		"kept":     {named(f.kept), "ada"},
		"orphaned": {named(f.orphaned), "grace"},
		"ended":    {named(f.ended), "linus, barbara"}, // barbara has a new one
	} {
		if d := cmp.Diff(pair[1], pair[0]); d != "" {
			t.Errorf("%s: %s", what, d)
		}
	}
}

func TestServersThatEndedAreTheChangesFaultWhenNothingSpeaksAgainstIt(t *testing.T) {
	two := []UserServer{server("ada", "1"), server("grace", "2")}
	for name, tt := range map[string]struct {
		before []UserServer
		fate   fate
		held   bool
		want   check.State
		says   string
	}{
		"none before":                        {nil, fate{}, false, check.Passed, "no user"},
		"all kept":                           {two, fate{kept: two}, false, check.Passed, "2 of 2"},
		"one ended":                          {two, fate{kept: two[:1], ended: two[1:]}, false, check.Warned, "1 of 2"},
		"all ended":                          {two, fate{ended: two}, false, check.Failed, "all 2 servers"},
		"all ended, and a probe's goes on":   {two, fate{ended: two}, true, check.Warned, "0 of 2"},
		"one is not known to the hub":        {two, fate{kept: two[:1], orphaned: two[1:]}, true, check.Failed, "does not know the servers of grace"},
		"a name that would break the screen": {[]UserServer{server("a\x1b[31m", "1")}, fate{orphaned: []UserServer{server("a\x1b[31m", "1")}}, true, check.Failed, "servers of a"},
	} {
		t.Run(name, func(t *testing.T) {
			u := &upgrade{Standing: &Standing{Servers: tt.before}}
			if tt.held {
				u.held = &heldKernel{}
			}
			says, err := u.verdict(tt.fate)
			got := check.Passed
			var w check.Warning
			if errors.As(err, &w) {
				got, says = check.Warned, w.Message
			} else if err != nil {
				got, says = check.Failed, err.Error()
			}
			if got != tt.want || !strings.Contains(says, tt.says) || strings.Contains(says, "\x1b") {
				t.Errorf("%s: %q", got, says)
			}
		})
	}
}

func TestManyServersAreNamedInPart(t *testing.T) {
	var many []UserServer
	for i := range 8 {
		many = append(many, UserServer{User: fmt.Sprint("u", i), Name: map[bool]string{true: "gpu"}[i == 1]})
	}
	if got := named(many); got != "u0, u1/gpu, u2, u3, u4 and 3 more" {
		t.Error(got)
	}
}
