package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"time"

	"gauntlet/bench/rig"
	"gauntlet/internal/pipeline"
	"gauntlet/lab"
)

// Simulated nodes that a pre-pull is watched over.
const (
	watchNodes  = 1000
	watchPrefix = "bench-watched"
	watchLabel  = "bench.gauntlet/watched"
)

// watching is what a pre-pull over many simulated nodes took.
type watching struct {
	nodes  int
	took   time.Duration // the whole command
	memory int64         // of gauntlet at most, in bytes
	idle   int64         // of gauntlet when it prints the status alone, in bytes
	counts map[string]int
	over   time.Duration // from the first request to the last
}

// watchManyNodes pre-pulls a release over simulated nodes, through a proxy that counts
// what gauntlet asks of the API server.
func (b *bench) watchManyNodes(ctx context.Context) (err error) {
	b.Say("making %d more simulated nodes", watchNodes)
	err = lab.Simulate(ctx, os.Stderr, rig.Cluster, lab.Simulated{Prefix: watchPrefix, Count: watchNodes, Labels: map[string]string{watchLabel: "true"}})
	if err != nil {
		return err
	}
	st, err := b.Status(ctx, b.ours)
	if err != nil {
		return err
	}
	err = b.ours.SetPools(map[string]any{
		"name": "watched", "nodeSelector": map[string]any{watchLabel: "true"}, "min": watchNodes,
		"tolerations": []any{map[string]any{"key": lab.SimulatedKey, "operator": "Exists"}},
	})
	if err != nil {
		return err
	}
	proxy, err := b.NewAPIProxy(rig.Cluster)
	if err != nil {
		return err
	}
	defer func() { err = firstOf(err, proxy.Close()) }()
	through := func(args ...string) rig.Command {
		c := b.Gauntlet(b.ours, args...)
		c.Env = append(c.Env, "KUBECONFIG="+proxy.Kubeconfig)
		return c
	}
	idle, err := b.OK(ctx, through("status", "-o", "json"))
	if err != nil {
		return err
	}
	proxy.Reset()
	b.Say("pre-pulling over them")
	o, err := b.OK(ctx, through("prepull", st.Release.Hex(), rig.Hub, "-o", "json"))
	if err != nil {
		return err
	}
	var out pipeline.Prepulled
	if err := json.Unmarshal([]byte(o.Out), &out); err != nil {
		return fmt.Errorf("read what gauntlet prepull printed: %w", err)
	}
	if len(out.Pools) != 1 || out.Pools[0].Have < watchNodes {
		return fmt.Errorf("the images did not come to %d nodes: %s", watchNodes, rig.Tail(o.Out))
	}
	b.watch = watching{nodes: out.Pools[0].Have, took: o.Took, memory: o.Memory, idle: idle.Memory}
	b.watch.counts, b.watch.over = proxy.Counts()
	return nil
}

func firstOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// requests are all of them.
func (w watching) requests() int {
	n := 0
	for _, c := range w.counts {
		n += c
	}
	return n
}

// text is what was asked, verb by verb.
func (w watching) text() string {
	s := ""
	for _, verb := range slices.Sorted(maps.Keys(w.counts)) {
		s += fmt.Sprintf(", %d %s", w.counts[verb], verb)
	}
	return s[min(2, len(s)):]
}
