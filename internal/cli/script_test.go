package cli_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"gauntlet/internal/cli"
	"gauntlet/internal/release"
)

// TestMain lets scripts run gauntlet as a program: this test binary, called by that
// name.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"gauntlet": func() {
			ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
			context.AfterFunc(ctx, stop) // as cmd/gauntlet does
			code := cli.Main(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
			stop()
			os.Exit(code)
		},
	})
}

// TestScripts runs testdata/script. A script has a registry ($REGISTRY), three
// clusters in its kubeconfig that hold objects and run nothing, and folders of its
// own for keys and caches.
func TestScripts(t *testing.T) {
	examples, err := filepath.Abs("../../examples")
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		UpdateScripts:       os.Getenv("UPDATE_SCRIPTS") != "",
		Setup: func(env *testscript.Env) error {
			env.Setenv("EXAMPLES", examples)
			env.Setenv("HOME", filepath.Join(env.WorkDir, "home"))
			env.Setenv("XDG_CONFIG_HOME", filepath.Join(env.WorkDir, "config"))
			env.Setenv("XDG_CACHE_HOME", filepath.Join(env.WorkDir, "cache"))
			env.Setenv("GIT_CONFIG_NOSYSTEM", "1")
			env.Setenv("GIT_CONFIG_GLOBAL", os.DevNull)
			env.Setenv("GAUNTLET_KEY", "")
			env.Setenv("HOSTILE", "bad\x1b[2J\r\ngauntlet: all is well\u202e")
			return newWorld(env)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"proposed": proposed, "await": await, "exits": exits, "helps": helps, "keyless": keyless, "mode": mode, "nocontrol": nocontrol, "bears": bears, // look
			"commit": commit, "edit": edit, "platform": platform, // change the folder
			"pushed": pushed, "built": built, "rendered": rendered, "deployed": deployed, "rolledback": rolledback, // change the world
		},
	})
}

// exits runs a program that must end with a code: exits CODE PROGRAM ARGS...
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE PROGRAM ARGS...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	err = ts.Exec(args[1], args[2:]...)
	var exited *exec.ExitError
	switch {
	case errors.As(err, &exited):
		got = exited.ExitCode()
	case err != nil:
		ts.Fatalf("%v", err)
	}
	if got != want {
		ts.Fatalf("exit code %d, expected %d", got, want)
	}
}

// await waits until a file, which a program writes in the background, holds a text:
// await FILE TEXT
func await(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: await FILE TEXT")
	}
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	end := time.After(time.Minute)
	for {
		data, err := os.ReadFile(ts.MkAbs(args[0]))
		if err == nil && strings.Contains(string(data), args[1]) {
			return
		}
		select {
		case <-tick.C:
		case <-end:
			ts.Fatalf("%s holds no %q after a minute: %q", args[0], args[1], data)
		}
	}
}

// helps checks that commands show their usage and examples: helps COMMAND...
func helps(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: helps COMMAND...")
	}
	for _, c := range args {
		ts.Check(ts.Exec("gauntlet", append(strings.Fields(c), "--help")...))
		out := ts.ReadFile("stdout")
		_, examples, found := strings.Cut(out, "\nExamples:\n")
		if !strings.Contains(out, "Usage:\n  gauntlet "+c) || !found || !strings.Contains(examples, "gauntlet "+c) {
			ts.Fatalf("the help of %s has no usage or no example of it", c)
		}
	}
}

// keyless checks that a command ends with 2 when it is called without a key, and
// says how to get one: keyless COMMAND ARGS...
func keyless(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: keyless COMMAND ARGS...")
	}
	exits(ts, false, append([]string{"2", "gauntlet"}, args...))
	if !strings.Contains(ts.ReadFile("stderr"), "make one with `gauntlet key new NAME`") {
		ts.Fatalf("it does not say how to get a key")
	}
}

// proposed sets $PROPOSED to the policy that was printed last.
func proposed(ts *testscript.TestScript, neg bool, args []string) {
	var out struct{ Digest release.Digest }
	ts.Check(json.Unmarshal([]byte(ts.ReadFile("stdout")), &out))
	ts.Setenv("PROPOSED", out.Digest.Short())
}

// commit commits all of the current folder, which becomes a repository: commit [AUTHOR]
func commit(ts *testscript.TestScript, neg bool, args []string) {
	author := "margaret"
	if neg || len(args) > 1 {
		ts.Fatalf("usage: commit [AUTHOR]")
	}
	if len(args) == 1 {
		author = args[0]
	}
	for _, c := range [][]string{
		{"init", "--quiet", "--initial-branch=main"},
		{"add", "--all"},
		{"-c", "user.name=" + author, "-c", "user.email=" + author + "@pangeo.example", "commit", "--quiet", "--allow-empty", "--message", "Change"},
	} {
		ts.Check(ts.Exec("git", c...))
	}
}

// edit replaces text of a file, which must hold it; \n is a new line: edit FILE OLD NEW
func edit(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: edit FILE OLD NEW")
	}
	file := ts.MkAbs(args[0])
	data, err := os.ReadFile(file)
	ts.Check(err)
	before, after := strings.ReplaceAll(args[1], `\n`, "\n"), strings.ReplaceAll(args[2], `\n`, "\n")
	if !strings.Contains(string(data), before) {
		ts.Fatalf("%s does not hold %q", args[0], before)
	}
	ts.Check(os.WriteFile(file, []byte(strings.ReplaceAll(string(data), before, after)), 0o644))
}

// mode checks a file's permissions: mode 0600 FILE
func mode(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: mode PERMISSIONS FILE")
	}
	st, err := os.Stat(ts.MkAbs(args[1]))
	ts.Check(err)
	if got := fmt.Sprintf("%04o", st.Mode().Perm()); got != args[0] {
		ts.Fatalf("%s has mode %s, expected %s", args[1], got, args[0])
	}
}

// nocontrol checks that what the last program printed holds nothing that a terminal
// would act on, and no line of $HOSTILE.
func nocontrol(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 0 {
		ts.Fatalf("usage: nocontrol")
	}
	for _, name := range []string{"stdout", "stderr"} {
		if strings.Contains("\n"+ts.ReadFile(name), "\ngauntlet: all is well") {
			ts.Fatalf("%s holds a line that somebody else wrote", name)
		}
		for i, r := range ts.ReadFile(name) {
			if r != '\n' && !strconv.IsPrint(r) {
				ts.Fatalf("%s holds %q at byte %d", name, r, i)
			}
		}
	}
}
