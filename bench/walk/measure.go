package main

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"gauntlet/bench/rig"
	"gauntlet/internal/kill"
	"gauntlet/internal/pipeline"
	"gauntlet/lab"
)

func (b *bench) row(what, peer string) *rig.Row {
	r := &rig.Row{What: what, Peer: peer}
	b.rows = append(b.rows, r)
	return r
}

// facts are what was seen beside the times.
type facts struct {
	helm                    string // its version
	gauntletMade, helmMade  int    // revisions, when nothing had changed
	gauntletNamed, helmSaid int    // rounds in which the output named the missing image
	gauntletLine, helmLine  string // the last words of either about it
}

// changed measures a changed value until the hub is rolled out.
func (b *bench) changed(ctx context.Context) error {
	rollout := b.row("a changed value, until the hub is rolled out", "helm upgrade --install --wait")
	whole := b.row("the same change, the whole gauntlet run: also release, render, gate, evidence, probe of the hub", "the same")
	edit := func(round int) map[string]any {
		return map[string]any{"jupyterhub.singleuser.storage.capacity": fmt.Sprintf("%dMi", 257+round)}
	}
	return b.Alternate(ctx, "a changed value", func(ctx context.Context, round int) error {
		if err := b.Commit(ctx, b.known, edit(round)); err != nil {
			return err
		}
		o, err := b.OK(ctx, b.Gauntlet(b.known, "run", "-o", "json"))
		if err != nil {
			return err
		}
		took, err := rig.Between(o.Err, "deploy", pipeline.Started, pipeline.Passed)
		if err != nil {
			return err
		}
		rollout.Gauntlet = append(rollout.Gauntlet, took.Seconds())
		whole.Gauntlet = append(whole.Gauntlet, o.Took.Seconds())
		return nil
	}, func(ctx context.Context, round int) error {
		o, err := rig.Succeeded(b.peer.Upgrade(ctx, edit(round)))
		if err != nil {
			return err
		}
		rollout.Other = append(rollout.Other, o.Took.Seconds())
		whole.Other = append(whole.Other, o.Took.Seconds())
		return nil
	})
}

// unchanged measures both commands when there is nothing to do.
func (b *bench) unchanged(ctx context.Context) error {
	r := b.row("nothing changed: the whole gauntlet deploy", "helm upgrade --install --wait")
	st, err := b.Status(ctx, b.known)
	if err != nil {
		return err
	}
	edits := map[string]any{"jupyterhub.singleuser.storage.capacity": fmt.Sprintf("%dMi", 257+b.Rounds-1)} // as both hubs have it
	before, err := b.bothRevisions(ctx)
	if err != nil {
		return err
	}
	err = b.Alternate(ctx, "nothing changed", func(ctx context.Context, _ int) error {
		o, err := b.OK(ctx, b.Gauntlet(b.known, "deploy", st.Release.Hex(), rig.Hub))
		r.Gauntlet = append(r.Gauntlet, o.Took.Seconds())
		return err
	}, func(ctx context.Context, _ int) error {
		o, err := rig.Succeeded(b.peer.Upgrade(ctx, edits))
		r.Other = append(r.Other, o.Took.Seconds())
		return err
	})
	if err != nil {
		return err
	}
	after, err := b.bothRevisions(ctx)
	b.facts.gauntletMade, b.facts.helmMade = after[0]-before[0], after[1]-before[1]
	return err
}

func (b *bench) bothRevisions(ctx context.Context) (n [2]int, err error) {
	for i, ns := range []string{b.known.Name, b.peer.Namespace} {
		if n[i], err = b.Revisions(ctx, ns); err != nil {
			return n, err
		}
	}
	return n, nil
}

// missingImage measures how long it takes until a hub image that does not exist is
// named. Each round asks for another one, and mends the hub afterwards.
func (b *bench) missingImage(ctx context.Context) error {
	const path, good = "jupyterhub.hub.image.tag", "6.1.1-1"
	r := b.row("a hub image that does not exist, until the command has ended with the cause", "helm upgrade --install --wait --timeout 60s")
	tag := func(round int) string { return fmt.Sprintf("missing-%d", round+1) }
	return b.Alternate(ctx, "a missing image", func(ctx context.Context, round int) error {
		if err := b.Commit(ctx, b.known, map[string]any{path: tag(round)}); err != nil {
			return err
		}
		o, err := failed(b.Run(ctx, b.Gauntlet(b.known, "run")))
		if err != nil {
			return err
		}
		b.facts.gauntletLine = ""
		for line := range strings.Lines(o.Err) {
			if strings.HasPrefix(line, "gauntlet: ") {
				b.facts.gauntletLine = strings.TrimSpace(line)
			}
		}
		if strings.Contains(b.facts.gauntletLine, tag(round)) {
			b.facts.gauntletNamed++
		}
		r.Gauntlet = append(r.Gauntlet, o.Took.Seconds())
		if err := b.Commit(ctx, b.known, map[string]any{path: good}); err != nil {
			return err
		}
		_, err = b.OK(ctx, b.Gauntlet(b.known, "run"))
		return err
	}, func(ctx context.Context, round int) error {
		o, err := failed(b.peer.Upgrade(ctx, map[string]any{path: tag(round)}, "--timeout", "60s"))
		if err != nil {
			return err
		}
		b.facts.helmLine = strings.TrimSpace(o.Out + o.Err)
		if strings.Contains(b.facts.helmLine, tag(round)) {
			b.facts.helmSaid++
		}
		r.Other = append(r.Other, o.Took.Seconds())
		_, err = rig.Succeeded(b.peer.Upgrade(ctx, nil))
		return err
	})
}

// failed makes a success an error.
func failed(o rig.Outcome, err error) (rig.Outcome, error) {
	if err == nil && o.Code == 0 {
		err = fmt.Errorf("%s: it succeeded, though the image does not exist", o.Command)
	}
	return o, err
}

// builds measures warm builds of both images, with nothing changed.
func (b *bench) builds(ctx context.Context) error {
	reused := b.row("a warm build of both images, nothing changed: the whole gauntlet build", "two buildctl build side by side")
	asked := b.row("the same where the ledger knows no build, until both are pushed", "the same")
	first := true // once unmeasured, so that all caches are warm
	round := func(ctx context.Context, _ int) error {
		k, err := b.OK(ctx, b.Gauntlet(b.known, "build"))
		if err != nil {
			return err
		}
		f, err := b.buildUntilPushed(ctx)
		if err != nil || first {
			return err
		}
		reused.Gauntlet = append(reused.Gauntlet, k.Took.Seconds())
		asked.Gauntlet = append(asked.Gauntlet, f.Seconds())
		return nil
	}
	other := func(ctx context.Context, _ int) error {
		took, err := b.buildctl(ctx)
		if err != nil || first {
			return err
		}
		reused.Other = append(reused.Other, took.Seconds())
		asked.Other = append(asked.Other, took.Seconds())
		return nil
	}
	for _, side := range []func(context.Context, int) error{round, other} {
		if err := side(ctx, 0); err != nil {
			return err
		}
	}
	first = false
	return b.Alternate(ctx, "a warm build", round, other)
}

// buildUntilPushed runs gauntlet build on the platform whose ledger knows no image,
// and ends it when both are pushed: before it says so in the ledger, so that it is
// the same the next time.
func (b *bench) buildUntilPushed(ctx context.Context) (time.Duration, error) {
	c := b.Gauntlet(b.fresh, "build", "-o", "json") // whose events hold every line
	c.Env = append(c.Env, kill.Env+"=build:pushed")
	o, err := b.Run(ctx, c)
	if err == nil && (o.Code != -1 || strings.Count(o.Err, "built and pushed") != 2) {
		err = fmt.Errorf("%s: it did not build and push two images: exit code %d: %s", c, o.Code, rig.Tail(o.Out+o.Err))
	}
	return o.Took, err
}

// buildctl builds both images side by side and pushes them by digest, as gauntlet
// does, from the same sources with the same options.
func (b *bench) buildctl(ctx context.Context) (time.Duration, error) {
	start := time.Now()
	g, ctx := errgroup.WithContext(ctx)
	for _, image := range []string{"notebook", "worker"} {
		c := rig.Command{Dir: b.known.Dir, Argv: []string{filepath.Join(lab.BinDir(), "buildctl"), "build",
			"--frontend", "dockerfile.v0", "--local", "context=images", "--local", "dockerfile=images",
			"--opt", "filename=" + image + "/Dockerfile",
			"--opt", "build-arg:BASE=" + lab.Registry + "/platform/base:bookworm",
			"--secret", "id=ca,src=/etc/ssl/certs/ca-certificates.crt",
			"--output", "type=image,name=" + lab.Registry + "/bench/" + image +
				",push=true,push-by-digest=true,oci-mediatypes=true,compression=zstd"}}
		g.Go(func() error {
			_, err := b.OK(ctx, c)
			return err
		})
	}
	err := g.Wait()
	return time.Since(start), err
}
