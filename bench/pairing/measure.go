package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"gauntlet/bench/rig"
	"gauntlet/internal/pipeline"
)

const runbooksWay = "the runbook's way: buildctl notebook, then worker, then scheduler pod, then worker pod, then two checks"

// early measures both images built anew from their first own layer; packages come from
// the builder's cache on both sides, so that no network is measured.
func (b *bench) early(ctx context.Context) error {
	return b.changed(ctx, "an early layer of both images changed", func(dir, what string) error {
		for _, lock := range []string{"installer.lock", "environment.lock", "notebook.lock"} {
			if err := add(filepath.Join(dir, "images", lock), "\n# "+what+"\n"); err != nil {
				return err
			}
		}
		return nil
	})
}

// late measures a line more at the end of one image.
func (b *bench) late(ctx context.Context) error {
	return b.changed(ctx, "a line at the end of the notebook's Dockerfile changed", func(dir, what string) error {
		return add(filepath.Join(dir, "images", "notebook", "Dockerfile"), "RUN echo \""+what+"\" > /tmp/edition\n")
	})
}

// changed measures a change, from the commit to the verdict.
func (b *bench) changed(ctx context.Context, what string, change func(dir, what string) error) error {
	row := &rig.Row{What: what, Peer: runbooksWay}
	b.rows = append(b.rows, row)
	return b.Alternate(ctx, what, func(ctx context.Context, round int) error {
		if err := change(b.platform.Dir, fmt.Sprintf("gauntlet %s %d", time.Now().Format(time.RFC3339Nano), round)); err != nil {
			return err
		}
		if err := b.Rig.Commit(ctx, b.platform, nil); err != nil {
			return err
		}
		took, err := b.verdict(ctx, pipeline.Passed)
		row.Gauntlet = append(row.Gauntlet, took.Seconds())
		return err
	}, func(ctx context.Context, round int) error {
		if err := change(b.peer.dir, fmt.Sprintf("runbook %s %d", time.Now().Format(time.RFC3339Nano), round)); err != nil {
			return err
		}
		took, err := b.peer.verdict(ctx)
		row.Other = append(row.Other, took.Seconds())
		return err
	})
}

// unchanged measures both when there is nothing new.
func (b *bench) unchanged(ctx context.Context) error {
	row := &rig.Row{What: "nothing changed", Peer: runbooksWay}
	b.rows = append(b.rows, row)
	return b.Alternate(ctx, "nothing changed", func(ctx context.Context, _ int) error {
		took, err := b.verdict(ctx, pipeline.Reused)
		row.Gauntlet = append(row.Gauntlet, took.Seconds())
		return err
	}, func(ctx context.Context, _ int) error {
		took, err := b.peer.verdict(ctx)
		row.Other = append(row.Other, took.Seconds())
		return err
	})
}

// verdict runs gauntlet build, which ends with the verdict on the pair, and makes sure
// that there was one of this kind: made, or reused.
func (b *bench) verdict(ctx context.Context, state string) (time.Duration, error) {
	o, err := b.OK(ctx, b.Gauntlet(b.platform, "build", "-o", "json"))
	if err != nil {
		return 0, err
	}
	found, checks := false, 0
	for line := range strings.Lines(o.Err) {
		var e pipeline.Event
		if json.Unmarshal([]byte(line), &e) != nil {
			continue
		}
		found = found || e.Step == "pairing" && e.Item == "" && e.State == state
		if (e.Step == "pairing" || e.Step == "image") && e.Item != "" && (e.State == pipeline.Passed || e.State == pipeline.Warned) {
			checks++
		}
	}
	if !found {
		return 0, fmt.Errorf("%s: no verdict on the pair was %s: %s", o.Command, state, rig.Tail(o.Err))
	}
	if checks > 0 {
		b.checks = checks
	}
	return o.Took, nil
}

// add adds text to a file.
func add(file, text string) error {
	f, err := os.OpenFile(file, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	if e := f.Close(); err == nil {
		err = e
	}
	return err
}
