package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"gauntlet/internal/config"
	"gauntlet/lab"
)

// A team is a repository with a platform in it, and an identity.
type team struct {
	t   *testing.T
	dir string   // of gauntlet.yaml
	env []string // of every command
}

// demoDir is where the demonstration keeps its team.
func demoDir() string { return filepath.Join(lab.Dir(), "demo") }

// environment is that of a person at the lab with the demonstration's keys and
// a cache of their own.
func environment(t *testing.T) []string {
	return append(os.Environ(),
		"KUBECONFIG="+lab.Kubeconfig(),
		"BUILDKIT_HOST="+lab.BuildkitAddr(),
		"XDG_CONFIG_HOME="+filepath.Join(demoDir(), "config"),
		"XDG_CACHE_HOME="+t.TempDir(),
		"TMPDIR="+t.TempDir(), // a run that is killed leaves its folders here
		"PATH="+lab.BinDir()+":"+os.Getenv("PATH"),
	)
}

// demoTeam is the demonstration's team.
func demoTeam(t *testing.T) *team {
	return &team{t: t, dir: filepath.Join(demoDir(), "platform"), env: environment(t)}
}

// copyOf is a team whose repository is a copy of a folder, not yet committed.
func copyOf(t *testing.T, from string, overlays ...string) *team {
	t.Helper()
	c := &team{t: t, dir: filepath.Join(t.TempDir(), "platform"), env: environment(t)}
	for _, dir := range append([]string{from}, overlays...) {
		c.overlay(dir)
	}
	c.sh("git", "init", "--quiet", "--initial-branch=main")
	return c
}

// overlay copies a folder over the team's, without its repository.
func (c *team) overlay(from string) {
	c.t.Helper()
	err := filepath.WalkDir(from, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		if e.IsDir() {
			if e.Name() == ".git" {
				return fs.SkipDir
			}
			return os.MkdirAll(filepath.Join(c.dir, rel), 0o755)
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(c.dir, rel), data, info.Mode().Perm())
	})
	if err != nil {
		c.t.Fatal(err)
	}
}

// set edits values of a YAML file of the team at dotted paths.
func (c *team) set(file string, edits map[string]any) {
	c.t.Helper()
	name := filepath.Join(c.dir, file)
	data, err := os.ReadFile(name)
	if err != nil {
		c.t.Fatal(err)
	}
	if data, err = config.SetPaths(data, edits); err != nil {
		c.t.Fatalf("%s: %v", file, err)
	}
	c.write(file, string(data))
}

func (c *team) write(file, content string) {
	c.t.Helper()
	if err := os.WriteFile(filepath.Join(c.dir, file), []byte(content), 0o644); err != nil {
		c.t.Fatal(err)
	}
}

// commit commits everything, by margaret as in the demonstration.
func (c *team) commit(message string) {
	c.t.Helper()
	c.sh("git", "add", "--all")
	c.sh("git", "-c", "user.name=margaret", "-c", "user.email=margaret@pangeo.example", "commit", "--quiet", "--allow-empty", "-m", message)
}

// sh runs a program in the team's folder; it must succeed.
func (c *team) sh(program string, args ...string) string {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir, cmd.Env = c.dir, c.env
	out, err := cmd.CombinedOutput()
	if err != nil {
		c.t.Fatalf("%s %s: %v\n%s", program, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// result is what a gauntlet command left behind.
type result struct {
	code   int // -1 when a signal ended it
	out    string
	errout string
}

func (r result) all() string { return r.out + r.errout }

// try runs gauntlet, at most ten minutes; extra is added to its environment.
func (c *team) try(extra []string, args ...string) result {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), 10*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir, cmd.Env = c.dir, append(c.env, extra...)
	var out, errout bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errout
	start := time.Now()
	err := cmd.Run()
	var exited *exec.ExitError
	if err != nil && !errors.As(err, &exited) {
		c.t.Fatalf("gauntlet %s: %v", strings.Join(args, " "), err)
	}
	r := result{code: cmd.ProcessState.ExitCode(), out: out.String(), errout: errout.String()}
	c.t.Logf("$ gauntlet %s %s -> %d in %s", strings.Join(args, " "), strings.Join(extra, " "), r.code, time.Since(start).Round(100*time.Millisecond))
	return r
}

// gauntlet runs a command that must end with the code, and returns what it printed.
func (c *team) gauntlet(code int, args ...string) result {
	c.t.Helper()
	r := c.try(nil, args...)
	if r.code != code {
		c.t.Fatalf("gauntlet %s: exit code %d, expected %d\n%s", strings.Join(args, " "), r.code, code, r.all())
	}
	return r
}

// read decodes what a command printed as JSON.
func read[T any](t *testing.T, r result) T {
	t.Helper()
	var v T
	if err := json.Unmarshal([]byte(r.out), &v); err != nil {
		t.Fatalf("no JSON: %v\n%s", err, r.out)
	}
	return v
}

// kubectl runs kubectl against a cluster of the lab.
func (c *team) kubectl(cluster string, args ...string) string {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), 2*time.Minute)
	defer cancel()
	out, err := kubectl(ctx, c.env, cluster, args...)
	if err != nil {
		c.t.Fatalf("kubectl --context %s %s: %v\n%s", cluster, strings.Join(args, " "), err, out)
	}
	return out
}

// away is what kubectl says of an API server that is being restarted.
var away = []string{"was refused", "connection reset by peer", "ServiceUnavailable", "TLS handshake timeout", "unexpected EOF"}

// kubectl runs kubectl until it can: another test that runs beside may be restarting an
// API server just then.
func kubectl(ctx context.Context, env []string, cluster string, args ...string) (string, error) {
	for {
		cmd := exec.CommandContext(ctx, filepath.Join(lab.BinDir(), "kubectl"), append([]string{"--context", cluster}, args...)...)
		cmd.Env = env
		out, err := cmd.CombinedOutput()
		if err == nil || !slices.ContainsFunc(away, func(words string) bool { return strings.Contains(string(out), words) }) {
			return string(out), err
		}
		select {
		case <-ctx.Done():
			return string(out), err
		case <-time.After(200 * time.Millisecond):
		}
	}
}
