// Walk measures the walk of a release side by side with what people use today: plain
// helm and buildctl, on the lab, the same chart, values and image sources. bench/run
// compiles what it needs and runs it.
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
)

// A bench is one run of all measurements.
type bench struct {
	*rig.Rig
	known *rig.Platform // whose ledger knows the images
	fresh *rig.Platform // whose ledger knows none
	peer  *rig.Peer
	rows  []*rig.Row
	facts facts
}

func main() {
	rounds := flag.Int("n", 5, "rounds of each measurement")
	results := flag.String("out", filepath.Join("bench", "walk", "RESULTS.md"), "file to write the results to")
	flag.Parse()
	if flag.NArg() > 0 || *rounds < 1 {
		fmt.Fprintln(os.Stderr, "usage: bench/run walk [-n ROUNDS] [-out FILE]")
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends it at once
	if err := run(ctx, *rounds, *results); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, rounds int, results string) (err error) {
	machine, err := rig.DescribeMachine()
	if err != nil {
		return err
	}
	r, err := rig.Open(ctx, rounds)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Close(ctx)) }()
	b := &bench{Rig: r}
	if b.known, err = r.NewPlatform(ctx, "bench-gauntlet", 30150, true); err != nil {
		return err
	}
	if b.fresh, err = r.NewPlatform(ctx, "bench-fresh", 30152, false); err != nil {
		return err
	}
	if b.peer, err = r.NewPeer(ctx, "bench-helm", 30151, b.known); err != nil {
		return err
	}
	for _, measure := range []func(context.Context) error{b.changed, b.unchanged, b.missingImage, b.builds} {
		if err := measure(ctx); err != nil {
			return err
		}
	}
	if b.facts.helm, err = b.HelmVersion(ctx); err != nil {
		return err
	}
	if machine.After, err = rig.Load(); err != nil {
		return err
	}
	fmt.Println()
	fmt.Print(rig.Table(b.rows))
	return os.WriteFile(results, []byte(report(machine, rounds, b.rows, b.facts)), 0o644)
}
