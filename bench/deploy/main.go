// Deploy measures deploying side by side with helm upgrade, on the lab with 100
// simulated nodes beside the real ones: healthy upgrades, every drill of the
// end-to-end tests, and how much watching a pre-pull over 1,000 simulated nodes takes.
// bench/run compiles what it needs and runs it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"gauntlet/bench/rig"
	"gauntlet/lab"
)

// Simulated nodes beside the real ones, during the upgrades and the drills.
const (
	besideNodes  = 100
	besidePrefix = "bench-beside"
)

// A bench is one run of all measurements.
type bench struct {
	*rig.Rig
	ours *rig.Platform
	peer *rig.Peer

	upgrades     healthy
	drills       []drill
	drillsFailed bool

	watch watching
}

func main() {
	rounds := flag.Int("n", 15, "pairs of healthy upgrades")
	results := flag.String("out", filepath.Join("bench", "deploy", "RESULTS.md"), "file to write the results to")
	drills := flag.Bool("drills", true, "run every drill too, each under gauntlet and under helm (about half an hour)")
	flag.Parse()
	if flag.NArg() > 0 || *rounds < 1 {
		fmt.Fprintln(os.Stderr, "usage: bench/run deploy [-n ROUNDS] [-drills=false] [-out FILE]")
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends it at once
	if err := run(ctx, *rounds, *drills, *results); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, rounds int, drills bool, results string) (err error) {
	machine, err := rig.DescribeMachine()
	if err != nil {
		return err
	}
	r, err := rig.Open(ctx, rounds)
	if err != nil {
		return err
	}
	b := &bench{Rig: r}
	defer func() {
		after, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanLimit)
		defer cancel()
		err = errors.Join(err, r.Close(ctx), lab.RemoveSimulated(after, rig.Cluster, besidePrefix), lab.RemoveSimulated(after, rig.Cluster, watchPrefix))
	}()
	b.Say("making %d simulated nodes", besideNodes)
	if err := lab.Simulate(ctx, os.Stderr, rig.Cluster, lab.Simulated{Prefix: besidePrefix, Count: besideNodes}); err != nil {
		return err
	}
	if b.ours, err = r.NewPlatform(ctx, "bench-gauntlet", 30150, true); err != nil {
		return err
	}
	if b.peer, err = r.NewPeer(ctx, "bench-helm", 30151, b.ours); err != nil {
		return err
	}
	measures := []func(context.Context) error{b.healthyUpgrades, b.watchManyNodes}
	if drills {
		measures = append(measures, b.runDrills)
	}
	for _, measure := range measures {
		if err := measure(ctx); err != nil {
			return err
		}
	}
	helm, err := b.HelmVersion(ctx)
	if err != nil {
		return err
	}
	if machine.After, err = rig.Load(); err != nil {
		return err
	}
	text := b.report(machine, helm)
	fmt.Print("\n", text)
	return os.WriteFile(results, []byte(text), 0o644)
}
