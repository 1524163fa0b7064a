package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"gauntlet/internal/cli/exit"
	"gauntlet/internal/evidence"
)

// walk carries the team's release to production.
func (d *Demo) walk(ctx context.Context) error {
	if err := d.setPolicy(ctx); err != nil {
		return err
	}
	d.title("steps 1 and 2: build, test and pair the images, and ask for them in the values files")
	if err := d.run(ctx, exit.OK, "build", "--key", "ci"); err != nil {
		return err
	}
	if err := d.askFor(ctx); err != nil {
		return err
	}
	d.title("step 3: deploy to the test hubs")
	r, err := d.runTo(ctx, "bleeding-edge")
	if err != nil {
		return err
	}
	st, err := d.status(ctx, r)
	if err != nil {
		return err
	}
	if err := d.run(ctx, exit.OK, "deploy", r, "test2", "--key", "ci"); err != nil {
		return err
	}
	if !st.done("production") {
		if err := d.untilProduction(ctx, r, st); err != nil {
			return err
		}
	} else if err := d.run(ctx, exit.OK, "run", "--key", "ci"); err != nil {
		return err
	}
	return d.finish(ctx, r)
}

// askFor brings the newest images into the values files, by a branch that is merged.
func (d *Demo) askFor(ctx context.Context) error {
	const branch = "new-images"
	if err := d.run(ctx, exit.OK, "bump", "--branch", branch); err != nil {
		return err
	}
	if d.git(ctx, "rev-parse", "--verify", "--quiet", "refs/heads/"+branch) != nil {
		return nil // they are asked for already
	}
	if err := d.git(ctx, "merge", "--quiet", "--ff-only", branch); err != nil {
		return err
	}
	return d.git(ctx, "branch", "--quiet", "--delete", branch)
}

// carried is how gauntlet run says which release it carried.
var carried = regexp.MustCompile(`release ([0-9a-f]{12}) has passed`)

// runTo runs the checkout into a tier and returns the release.
func (d *Demo) runTo(ctx context.Context, tier string) (string, error) {
	args := []string{"run", "--to", tier, "--key", "ci"}
	fmt.Fprintf(d.opts.Out, "\n$ gauntlet %s\n", quoted(args))
	var out bytes.Buffer
	code, err := d.exec(ctx, io.MultiWriter(d.opts.Out, &out), d.opts.Out, args...)
	if err != nil {
		return "", err
	}
	m := carried.FindSubmatch(out.Bytes())
	if code != exit.OK || m == nil {
		return "", fmt.Errorf("gauntlet %s: exit code %d", quoted(args), code)
	}
	return string(m[1]), nil
}

// setPolicy brings the team's policy into force: as the first one, or in place of
// the one that an earlier demonstration set.
func (d *Demo) setPolicy(ctx context.Context) error {
	text, err := os.ReadFile(filepath.Join(d.team(), "policy.yaml"))
	if err != nil {
		return err
	}
	var out, errs bytes.Buffer
	code, err := d.exec(ctx, &out, &errs, "policy", "show", "-o", "json")
	if err != nil {
		return err
	}
	var inForce struct {
		Text string `json:"text"`
	}
	if code == exit.OK {
		if err := json.Unmarshal(out.Bytes(), &inForce); err != nil {
			return fmt.Errorf("read what gauntlet policy show says: %w", err)
		}
	}
	if code != exit.OK || inForce.Text == string(text) {
		d.title("the board sets the policy, and every cluster pins it")
		what := "init"
		if code == exit.OK {
			what = "pin" // it is in force: hubs that were made anew pin it again
		}
		return d.run(ctx, exit.OK, "policy", what, "--key", "ada")
	}
	d.title("the example's policy has changed: the board accepts it in place of the one in force")
	if err := d.run(ctx, exit.OK, "policy", "propose", "--key", "ada"); err != nil {
		return err
	}
	digest := evidence.PolicyArtifact(text).Digest().Short()
	for _, who := range []string{"ada", "grace"} {
		if err := d.run(ctx, exit.OK, "policy", "accept", digest, "--key", who); err != nil {
			return err
		}
	}
	return nil
}

// untilProduction shows production denied, then gives each missing word.
func (d *Demo) untilProduction(ctx context.Context, r string, st ladder) error {
	d.title("production is denied: nobody has approved or tried anything yet")
	if err := d.runAny(ctx, []int{exit.Wait, exit.Denied}, "deploy", r, "compute", "--key", "ci"); err != nil {
		return err
	}
	d.title("step 4: canary, after the board's approval; %s wrote the change and cannot give it", author)
	if err := d.run(ctx, exit.Usage, "approve", r, "canary", "--key", author); err != nil {
		return err
	}
	for _, who := range []string{"ada", "grace"} {
		if err := d.run(ctx, exit.OK, "approve", r, "canary", "--key", who); err != nil {
			return err
		}
	}
	if err := d.runAny(ctx, []int{exit.Wait}, "run", "--key", "ci"); err != nil {
		return err
	}
	d.title("every user tries the canary and signs off; for one, a board member vouches")
	if err := d.run(ctx, exit.OK, "signoff", r, "--key", "linus"); err != nil {
		return err
	}
	if err := d.run(ctx, exit.OK, "signoff", r, "--key", "ada", "--for", "barbara", "--link", "https://chat.pangeo.example/p/42"); err != nil {
		return err
	}
	if err := d.runAny(ctx, []int{exit.Wait}, "run", "--key", "ci"); err != nil {
		return err
	}
	d.title("step 5: production gets a version, never a commit")
	if st.Version == "" {
		v, err := d.nextVersion(ctx)
		if err != nil {
			return err
		}
		if err := d.run(ctx, exit.OK, "release", "tag", v, r, "--key", "ci"); err != nil {
			return err
		}
	}
	return d.run(ctx, exit.OK, "run", "--key", "ci")
}

// finish shows the ladder and how to look around, and holds the walk to its word.
func (d *Demo) finish(ctx context.Context, r string) error {
	d.title("the ladder of the release")
	if err := d.run(ctx, exit.OK, "status", r); err != nil {
		return err
	}
	st, err := d.status(ctx, r)
	if err != nil {
		return err
	}
	if len(st.Steps) == 0 {
		return errors.New("the ladder is empty")
	}
	for _, s := range st.Steps {
		if s.State != "done" {
			return fmt.Errorf("step %s is %s, not done", s.Name, s.State)
		}
	}
	fmt.Fprintf(d.opts.Out, `
Look around (the lab stays up; make lab-down stops it):
  eval "$(bin/lab env)"                             kubectl and the lab's addresses
  kubectl --context production get pods -A
  (cd %s && %s status)
`, d.team(), d.opts.Gauntlet)
	return nil
}

// run shows a gauntlet command, runs it in the team's repository, and checks its
// exit code.
func (d *Demo) run(ctx context.Context, want int, args ...string) error {
	return d.runAny(ctx, []int{want}, args...)
}

func (d *Demo) runAny(ctx context.Context, want []int, args ...string) error {
	fmt.Fprintf(d.opts.Out, "\n$ gauntlet %s\n", quoted(args))
	code, err := d.exec(ctx, d.opts.Out, d.opts.Out, args...)
	if err != nil {
		return err
	}
	for _, w := range want {
		if code == w {
			return nil
		}
	}
	return fmt.Errorf("gauntlet %s: exit code %d, expected %v", quoted(args), code, want)
}

func (d *Demo) exec(ctx context.Context, out, errw io.Writer, args ...string) (int, error) {
	cmd := exec.CommandContext(ctx, d.opts.Gauntlet, args...)
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = d.team(), d.environ(), out, errw
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) } // it cleans up after itself
	cmd.WaitDelay = 2 * time.Minute
	err := cmd.Run()
	var exited *exec.ExitError
	if errors.As(err, &exited) && ctx.Err() == nil {
		return exited.ExitCode(), nil
	}
	return 0, err
}

// ladder is what the demonstration reads of `gauntlet status -o json`.
type ladder struct {
	Version string `json:"version"`
	Steps   []struct {
		Name  string `json:"name"`
		State string `json:"state"`
	} `json:"steps"`
}

func (l ladder) done(step string) bool {
	for _, s := range l.Steps {
		if s.Name == step {
			return s.State == "done"
		}
	}
	return false
}

func (d *Demo) status(ctx context.Context, r string) (ladder, error) {
	var out, errs bytes.Buffer
	var l ladder
	code, err := d.exec(ctx, &out, &errs, "status", r, "-o", "json")
	if err != nil || code != 0 {
		return l, fmt.Errorf("gauntlet status: exit code %d: %w: %s", code, err, errs.Bytes())
	}
	if err := json.Unmarshal(out.Bytes(), &l); err != nil {
		return l, fmt.Errorf("read what gauntlet status says: %w", err)
	}
	return l, nil
}

// quoted is a command line as one would type it.
func quoted(args []string) string {
	var out []string
	for _, a := range args {
		if strings.ContainsAny(a, " \"'") {
			a = fmt.Sprintf("%q", a)
		}
		out = append(out, a)
	}
	return strings.Join(out, " ")
}

// nextVersion is the first minor version that no release bears yet.
func (d *Demo) nextVersion(ctx context.Context) (string, error) {
	var out, errs bytes.Buffer
	code, err := d.exec(ctx, &out, &errs, "log", "-o", "json")
	if err != nil || code != exit.OK {
		return "", fmt.Errorf("gauntlet log: exit code %d: %w: %s", code, err, errs.Bytes())
	}
	var log struct {
		Statements []struct {
			Type      string           `json:"type"`
			Predicate evidence.Version `json:"predicate"`
		} `json:"statements"`
	}
	if err := json.Unmarshal(out.Bytes(), &log); err != nil {
		return "", fmt.Errorf("read what gauntlet log says: %w", err)
	}
	minor := 0
	for _, s := range log.Statements {
		if s.Type == evidence.VersionType {
			minor++
		}
	}
	return fmt.Sprintf("v1.%d.0", minor), nil
}
