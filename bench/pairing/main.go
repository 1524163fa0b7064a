// Pairing measures the way from a commit to the verdict on a pair: gauntlet side by side
// with the runbook's own way, on the lab, with the same sources and the same builder.
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
)

// A bench is one run of all measurements.
type bench struct {
	*rig.Rig
	platform *rig.Platform
	peer     *runbook
	rows     []*rig.Row
	checks   int // that gauntlet made of images and pair, in the last round
}

func main() {
	rounds := flag.Int("n", 5, "rounds of each measurement")
	results := flag.String("out", filepath.Join("bench", "pairing", "RESULTS.md"), "file to write the results to")
	flag.Parse()
	if flag.NArg() > 0 || *rounds < 1 {
		fmt.Fprintln(os.Stderr, "usage: bench/run pairing [-n ROUNDS] [-out FILE]")
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
	if b.platform, err = r.NewPlatform(ctx, "bench-pairing", 30153, false); err != nil {
		return err
	}
	if b.peer, err = newRunbook(ctx, r, b.platform); err != nil {
		return err
	}
	for _, measure := range []func(context.Context) error{b.early, b.late, b.unchanged} {
		if err := measure(ctx); err != nil {
			return err
		}
	}
	if machine.After, err = rig.Load(); err != nil {
		return err
	}
	fmt.Println()
	fmt.Print(rig.Table(b.rows))
	return os.WriteFile(results, []byte(report(machine, rounds, b.rows, b.checks)), 0o644)
}
