package demo

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"

	"sigs.k8s.io/yaml"

	"gauntlet/internal/config"
	"gauntlet/internal/ledger"
	"gauntlet/internal/release"
)

// prepareTeam makes what a team has before it uses gauntlet: keys, a policy that
// names them, and a repository with the platform's files.
func (d *Demo) prepareTeam(ctx context.Context) error {
	d.title("the team: keys, a policy and a repository, in %s", d.opts.Dir)
	if err := d.copyExample(); err != nil {
		return fmt.Errorf("copy the example platform: %w", err)
	}
	if err := d.writeKeys(ctx); err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(d.team(), ".git")); err != nil {
		if err := d.git(ctx, "init", "--quiet", "--initial-branch=main"); err != nil {
			return err
		}
	}
	return d.commit(ctx, "Change the platform")
}

// copyExample makes the team's files those of the example, but for the tags that
// the values ask for: those are the team's own.
func (d *Demo) copyExample() error {
	tags, err := d.tags()
	if err != nil {
		return err
	}
	// What the example no longer holds has to go too; .git stays.
	old, err := os.ReadDir(d.team())
	if err != nil && !os.IsNotExist(err) {
		return err
	}
	for _, e := range old {
		if e.Name() != ".git" {
			if err := os.RemoveAll(filepath.Join(d.team(), e.Name())); err != nil {
				return err
			}
		}
	}
	if err := os.MkdirAll(d.team(), 0o755); err != nil {
		return err
	}
	if err := copyTree(d.opts.Example, d.team()); err != nil {
		return err
	}
	return d.setTags(tags)
}

// requests are where the values files ask for the notebook image's tag.
var requests = map[string]string{
	"jupyter-config.yml":   "jupyterhub.singleuser.image.tag",
	"impactlab-config.yml": "jupyterhub.singleuser.image.tag",
}

// tags are the tags that the team's values files ask for now; none before the first
// walk.
func (d *Demo) tags() (map[string]string, error) {
	tags := map[string]string{}
	for file, path := range requests {
		data, err := os.ReadFile(filepath.Join(d.team(), file))
		if os.IsNotExist(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		v, err := release.ParseValues(file, data)
		if err != nil {
			return nil, err
		}
		if tag, ok := v.Get(path); ok {
			tags[file] = fmt.Sprint(tag)
		}
	}
	return tags, nil
}

func (d *Demo) setTags(tags map[string]string) error {
	for file, tag := range tags {
		name := filepath.Join(d.team(), file)
		data, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		if data, err = config.SetPaths(data, map[string]any{requests[file]: tag}); err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		if err := os.WriteFile(name, data, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// writeKeys makes a key for everybody in the policy and writes the public halves
// into it.
func (d *Demo) writeKeys(ctx context.Context) error {
	file := filepath.Join(d.team(), "policy.yaml")
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var policy struct{ People map[string]any }
	if err := yaml.Unmarshal(data, &policy); err != nil {
		return fmt.Errorf("read the example's policy: %w", err)
	}
	names := slices.Sorted(maps.Keys(policy.People))
	edits := map[string]any{}
	for _, name := range names {
		path := filepath.Join(d.opts.Dir, "config", "gauntlet", "keys", name+".pem")
		if _, err := os.Stat(path); os.IsNotExist(err) {
			if err := d.quiet(ctx, d.opts.Gauntlet, "key", "new", name); err != nil {
				return err
			}
		}
		key, err := ledger.LoadKey(path)
		if err != nil {
			return err
		}
		edits["people."+name+".key"] = key.Public()
	}
	if data, err = config.SetPaths(data, edits); err != nil {
		return fmt.Errorf("write the keys into the policy: %w", err)
	}
	return os.WriteFile(file, data, 0o644)
}

// commit commits all changes of the team's repository, if there are any.
func (d *Demo) commit(ctx context.Context, message string) error {
	if err := d.git(ctx, "add", "--all"); err != nil {
		return err
	}
	if d.git(ctx, "diff", "--cached", "--quiet") == nil {
		return nil
	}
	return d.git(ctx, "commit", "--quiet", "--message", message)
}

// author commits in the demonstration: a board member, so that it can be seen that
// nobody approves their own change.
const author = "margaret"

// environ is the environment of a program of the demonstration, with the author as git
// takes it.
func (d *Demo) environ() []string {
	return slices.Concat(d.env, []string{
		"GIT_AUTHOR_NAME=" + author, "GIT_AUTHOR_EMAIL=" + author + "@pangeo.example",
		"GIT_COMMITTER_NAME=" + author, "GIT_COMMITTER_EMAIL=" + author + "@pangeo.example",
	})
}

func (d *Demo) git(ctx context.Context, args ...string) error {
	return d.quiet(ctx, "git", append([]string{"-c", "commit.gpgsign=false", "-C", d.team()}, args...)...)
}

// quiet runs a program and shows its output only when it fails.
func (d *Demo) quiet(ctx context.Context, program string, args ...string) error {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Env, cmd.Dir = d.environ(), d.opts.Dir
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s %v: %w: %s", filepath.Base(program), args, err, bytes.TrimSpace(out.Bytes()))
	}
	return nil
}
