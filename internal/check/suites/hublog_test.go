package suites

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gauntlet/internal/check"
	"gauntlet/internal/kernel"
)

func TestAServerThatStartsMuchSlowerThanBeforeWarns(t *testing.T) {
	for name, tt := range map[string]struct {
		took, before time.Duration
		warns        bool
	}{
		"nothing is known":             {5 * time.Minute, 0, false},
		"as before":                    {20 * time.Second, 18 * time.Second, false},
		"twice a short time":           {9 * time.Second, 3 * time.Second, false},
		"half a minute of many":        {150 * time.Second, 110 * time.Second, false},
		"three times as long":          {75 * time.Second, 20 * time.Second, true},
		"a node had to come last time": {20 * time.Second, 4 * time.Minute, false},
	} {
		_, err := slower("pod", tt.took, tt.before)
		var w check.Warning
		if errors.As(err, &w) != tt.warns || err != nil && !tt.warns {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestErrorsOfAServersLogAreItsOwnAndPythons(t *testing.T) {
	errs, lines := faultsOf("[I 2026-11-27 ServerApp] started\n[W 2026 ServerApp] no jedi\n[E 2026 ServerApp] extension x failed\n" +
		"Traceback (most recent call last):\n  File \"x\"\n\n[I ServerApp] 200 GET /ERROR\n")
	if lines != 6 {
		t.Errorf("%d lines", lines)
	}
	if d := cmp.Diff([]string{"[E 2026 ServerApp] extension x failed", "Traceback (most recent call last):"}, errs); d != "" {
		t.Error(d)
	}
}

// What comes of a completion is judged by the line that it would make.
func TestACompletionIsJudgedByTheLinesItMakes(t *testing.T) {
	ex := tab{code: "os.path.ex", want: "os.path.exists", prefix: "os.path.ex"}
	reply := func(start, end int, matches ...string) kernel.Completion {
		return kernel.Completion{Status: "ok", Matches: matches, Start: start, End: end}
	}
	many := make([]string, mostMatches+1)
	for i := range many {
		many[i] = "exists"
	}
	for name, tt := range map[string]struct {
		t    tab
		got  kernel.Completion
		good bool
	}{
		"jedi's names":                 {ex, reply(8, 10, "exists", "expanduser"), true},
		"IPython's whole paths":        {ex, reply(0, 10, "os.path.exists", "os.path.expanduser"), true},
		"nothing":                      {ex, reply(10, 10), false},
		"not what is wanted":           {ex, reply(8, 10, "expanduser"), false},
		"all names there are":          {ex, reply(0, 10, "os.path.exists", "In", "Out", "print"), false},
		"all names, put at the end":    {ex, reply(10, 10, "exists", "print", "zz_probe_sentinel"), false},
		"a span beyond the line":       {ex, reply(8, 40, "exists"), false},
		"a span before the cursor":     {ex, reply(0, 2, "os.path.exists"), false},
		"more than anybody reads":      {ex, reply(8, 10, many...), false},
		"a variable of the user's":     {tab{code: "zz_pro", want: "zz_probe_sentinel", prefix: "zz_pro"}, reply(0, 6, "zz_probe_sentinel"), true},
		"a key with its closing quote": {tab{code: "d['", want: "d['key", prefix: "d["}, reply(3, 3, "key']"), true},
		"letters of more than a byte":  {tab{code: "größe.bit_l", want: "größe.bit_length", prefix: "größe.bit_l"}, reply(6, 11, "bit_length"), true},
	} {
		if said, err := judge(tt.t, tt.got); (err == nil) != tt.good {
			t.Errorf("%s: %q, %v", name, said, err)
		}
	}
}
