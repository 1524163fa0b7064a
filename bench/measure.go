package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"gauntlet/internal/kill"
	"gauntlet/internal/pipeline"
)

// A row is one measurement: seconds of gauntlet and of the peer, round by round.
type row struct {
	what, peer string
	gauntlet   []float64
	other      []float64
}

func (b *bench) row(what, peer string) *row {
	r := &row{what: what, peer: peer}
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

// alternate runs both sides in turn, each first in every other round, so that what
// else the machine does hits both.
func (b *bench) alternate(ctx context.Context, what string, gauntlet, other func(ctx context.Context, round int) error) error {
	for i := range b.rounds {
		b.say("%s: round %d of %d", what, i+1, b.rounds)
		sides := []func(context.Context, int) error{gauntlet, other}
		if i%2 == 1 {
			sides[0], sides[1] = sides[1], sides[0]
		}
		for _, side := range sides {
			if err := side(ctx, i); err != nil {
				return fmt.Errorf("%s: %w", what, err)
			}
		}
	}
	return nil
}

// changed measures a changed value until the hub is rolled out.
func (b *bench) changed(ctx context.Context) error {
	rollout := b.row("a changed value, until the hub is rolled out", "helm upgrade --install --wait")
	whole := b.row("the same change, the whole gauntlet run: also release, render, gate, evidence, probe of the hub", "the same")
	edit := func(round int) map[string]any {
		return map[string]any{"jupyterhub.singleuser.storage.capacity": fmt.Sprintf("%dMi", 257+round)}
	}
	return b.alternate(ctx, "a changed value", func(ctx context.Context, round int) error {
		if err := b.commit(ctx, b.known, edit(round)); err != nil {
			return err
		}
		o, err := b.ok(ctx, b.gauntlet(b.known, "run", "-o", "json"))
		if err != nil {
			return err
		}
		took, err := between(o.errout, "deploy", pipeline.Started, pipeline.Passed)
		if err != nil {
			return err
		}
		rollout.gauntlet = append(rollout.gauntlet, took.Seconds())
		whole.gauntlet = append(whole.gauntlet, o.took.Seconds())
		return nil
	}, func(ctx context.Context, round int) error {
		o, err := succeeded(b.upgrade(ctx, edit(round)))
		if err != nil {
			return err
		}
		rollout.other = append(rollout.other, o.took.Seconds())
		whole.other = append(whole.other, o.took.Seconds())
		return nil
	})
}

// between is the time between two states of a step, by the events of gauntlet.
func between(events, step, from, to string) (time.Duration, error) {
	var began time.Time
	for line := range strings.Lines(events) {
		var e pipeline.Event
		if json.Unmarshal([]byte(line), &e) != nil || e.Step != step || e.Item != "" {
			continue
		}
		switch {
		case e.State == from:
			began = e.Time
		case e.State == to && !began.IsZero():
			return e.Time.Sub(began), nil
		}
	}
	return 0, fmt.Errorf("no events tell when %s went from %s to %s: %s", step, from, to, tail(events))
}

// unchanged measures both commands when there is nothing to do.
func (b *bench) unchanged(ctx context.Context) error {
	r := b.row("nothing changed: the whole gauntlet deploy", "helm upgrade --install --wait")
	st, err := b.status(ctx, b.known)
	if err != nil {
		return err
	}
	edits := map[string]any{"jupyterhub.singleuser.storage.capacity": fmt.Sprintf("%dMi", 257+b.rounds-1)} // as both hubs have it
	before, err := b.bothRevisions(ctx)
	if err != nil {
		return err
	}
	err = b.alternate(ctx, "nothing changed", func(ctx context.Context, _ int) error {
		o, err := b.ok(ctx, b.gauntlet(b.known, "deploy", st.Release.Hex(), hub))
		r.gauntlet = append(r.gauntlet, o.took.Seconds())
		return err
	}, func(ctx context.Context, _ int) error {
		o, err := succeeded(b.upgrade(ctx, edits))
		r.other = append(r.other, o.took.Seconds())
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
	for i, ns := range []string{b.known.name, peer} {
		if n[i], err = b.revisions(ctx, ns); err != nil {
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
	return b.alternate(ctx, "a missing image", func(ctx context.Context, round int) error {
		if err := b.commit(ctx, b.known, map[string]any{path: tag(round)}); err != nil {
			return err
		}
		o, err := failed(b.run(ctx, b.gauntlet(b.known, "run")))
		if err != nil {
			return err
		}
		b.facts.gauntletLine = ""
		for line := range strings.Lines(o.errout) {
			if strings.HasPrefix(line, "gauntlet: ") {
				b.facts.gauntletLine = strings.TrimSpace(line)
			}
		}
		if strings.Contains(b.facts.gauntletLine, tag(round)) {
			b.facts.gauntletNamed++
		}
		r.gauntlet = append(r.gauntlet, o.took.Seconds())
		if err := b.commit(ctx, b.known, map[string]any{path: good}); err != nil {
			return err
		}
		_, err = b.ok(ctx, b.gauntlet(b.known, "run"))
		return err
	}, func(ctx context.Context, round int) error {
		o, err := failed(b.upgrade(ctx, map[string]any{path: tag(round)}, "--timeout", "60s"))
		if err != nil {
			return err
		}
		b.facts.helmLine = strings.TrimSpace(o.out + o.errout)
		if strings.Contains(b.facts.helmLine, tag(round)) {
			b.facts.helmSaid++
		}
		r.other = append(r.other, o.took.Seconds())
		return b.upgradeOK(ctx, nil)
	})
}

// failed makes a success an error.
func failed(o outcome, err error) (outcome, error) {
	if err == nil && o.code == 0 {
		err = fmt.Errorf("%s: it succeeded, though the image does not exist", o.command)
	}
	return o, err
}

// builds measures warm builds of both images, with nothing changed.
func (b *bench) builds(ctx context.Context) error {
	reused := b.row("a warm build of both images, nothing changed: the whole gauntlet build", "two buildctl build side by side")
	asked := b.row("the same where the ledger knows no build, until both are pushed", "the same")
	first := true // once unmeasured, so that all caches are warm
	round := func(ctx context.Context, _ int) error {
		k, err := b.ok(ctx, b.gauntlet(b.known, "build"))
		if err != nil {
			return err
		}
		f, err := b.buildUntilPushed(ctx)
		if err != nil || first {
			return err
		}
		reused.gauntlet = append(reused.gauntlet, k.took.Seconds())
		asked.gauntlet = append(asked.gauntlet, f.Seconds())
		return nil
	}
	other := func(ctx context.Context, _ int) error {
		took, err := b.buildctl(ctx)
		if err != nil || first {
			return err
		}
		reused.other = append(reused.other, took.Seconds())
		asked.other = append(asked.other, took.Seconds())
		return nil
	}
	for _, side := range []func(context.Context, int) error{round, other} {
		if err := side(ctx, 0); err != nil {
			return err
		}
	}
	first = false
	return b.alternate(ctx, "a warm build", round, other)
}

// buildUntilPushed runs gauntlet build on the platform whose ledger knows no image,
// and ends it when both are pushed: before it says so in the ledger, so that it is
// the same the next time.
func (b *bench) buildUntilPushed(ctx context.Context) (time.Duration, error) {
	c := b.gauntlet(b.fresh, "build", "-o", "json") // whose events hold every line
	c.env = append(c.env, kill.Env+"=build:pushed")
	o, err := b.run(ctx, c)
	if err == nil && (o.code != -1 || strings.Count(o.errout, "built and pushed") != 2) {
		err = fmt.Errorf("%s: it did not build and push two images: exit code %d: %s", c, o.code, tail(o.out+o.errout))
	}
	return o.took, err
}
