package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"

	"gauntlet/bench/rig"
	"gauntlet/internal/kube"
	"gauntlet/internal/pipeline"
)

const cleanLimit = 3 * time.Minute

// healthy are upgrades in which nothing is wrong, round by round.
type healthy struct {
	waited rig.Row // from the first write of the revision until the tool said that the hub is up
	whole  rig.Row // the whole deployment: step by step on one side, the whole command on the other
}

// healthyUpgrades measures a changed value that restarts the hub, where every image is
// on its node already.
func (b *bench) healthyUpgrades(ctx context.Context) error {
	h := &b.upgrades
	h.waited = rig.Row{What: "from the first write of the revision until the tool says that it is up", Peer: "helm upgrade --wait"}
	h.whole = rig.Row{What: "the whole deployment: also preflight, pre-pull, lock, record", Peer: "the whole of helm upgrade --wait"}
	edit := func(round int) map[string]any {
		return map[string]any{"jupyterhub.singleuser.storage.capacity": fmt.Sprintf("%dMi", 257+round)}
	}
	return b.Alternate(ctx, "a healthy upgrade", func(ctx context.Context, round int) error {
		if err := b.Commit(ctx, b.ours, edit(round)); err != nil {
			return err
		}
		written, err := firstWrite(ctx, b.ours.Name)
		if err != nil {
			return err
		}
		o, err := b.OK(ctx, b.Gauntlet(b.ours, "run", "-o", "json"))
		if err != nil {
			return err
		}
		began, up, err := deployed(o.Err)
		if err != nil {
			return err
		}
		first, err := written()
		if err != nil {
			return err
		}
		h.waited.Gauntlet = append(h.waited.Gauntlet, up.Sub(first).Seconds())
		h.whole.Gauntlet = append(h.whole.Gauntlet, up.Sub(began).Seconds())
		return nil
	}, func(ctx context.Context, round int) error {
		written, err := firstWrite(ctx, b.peer.Namespace)
		if err != nil {
			return err
		}
		o, err := rig.Succeeded(b.peer.Upgrade(ctx, edit(round)))
		if err != nil {
			return err
		}
		first, err := written()
		if err != nil {
			return err
		}
		h.waited.Other = append(h.waited.Other, time.Since(first).Seconds())
		h.whole.Other = append(h.whole.Other, o.Took.Seconds())
		return nil
	})
}

// deployed is when gauntlet began to move the hub (the first event of preflight,
// pre-pull or deploy) and when it said that the hub is up.
func deployed(events string) (began, up time.Time, err error) {
	for line := range strings.Lines(events) {
		var e pipeline.Event
		if json.Unmarshal([]byte(line), &e) != nil {
			continue
		}
		switch e.Step {
		case "preflight", "prepull", "deploy":
			if began.IsZero() {
				began = e.Time
			}
			if e.Step == "deploy" && e.State == pipeline.Passed && e.Item == "" {
				return began, e.Time, nil
			}
		}
	}
	return began, up, fmt.Errorf("no event tells that the hub is up: %s", rig.Tail(events))
}

// firstWrite watches a namespace for the next record of a Helm revision; what it
// returns tells when that was seen.
func firstWrite(ctx context.Context, namespace string) (func() (time.Time, error), error) {
	c, err := kube.Connect(rig.Cluster)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Minute)
	secrets := c.CoreV1().Secrets(namespace)
	opts := metav1.ListOptions{LabelSelector: "owner=helm,name=" + rig.Hub}
	list, err := secrets.List(ctx, opts)
	if err != nil {
		cancel()
		return nil, err
	}
	opts.ResourceVersion = list.ResourceVersion
	w, err := secrets.Watch(ctx, opts)
	if err != nil {
		cancel()
		return nil, err
	}
	seen := make(chan time.Time, 1)
	go func() {
		defer close(seen)
		for e := range w.ResultChan() {
			if e.Type == watch.Added {
				seen <- time.Now()
				return
			}
		}
	}()
	return func() (time.Time, error) {
		defer cancel()
		defer w.Stop()
		select {
		case t, ok := <-seen:
			if !ok {
				return t, fmt.Errorf("the watch of namespace %s ended before a revision was written", namespace)
			}
			return t, nil
		default:
			return time.Time{}, fmt.Errorf("no revision was written in namespace %s", namespace)
		}
	}, nil
}
