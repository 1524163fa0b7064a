// Bench measures gauntlet side by side with what people use today: plain helm and
// buildctl, on the lab, the same chart, values and image sources. bench/run compiles
// what it needs and runs it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"gauntlet/lab"
)

// A bench is one run of all measurements.
type bench struct {
	rounds int
	root   string // of the checkout
	work   string // folder of what it makes, removed afterwards
	start  time.Time

	known  *platform // whose ledger knows the images
	fresh  *platform // whose ledger knows none
	values []byte    // that gauntlet gave Helm at first
	rows   []*row
	facts  facts
}

func main() {
	rounds := flag.Int("n", 5, "rounds of each measurement")
	results := flag.String("out", filepath.Join("bench", "RESULTS.md"), "file to write the results to")
	flag.Parse()
	if flag.NArg() > 0 || *rounds < 1 {
		fmt.Fprintln(os.Stderr, "usage: bench/run [-n ROUNDS] [-out FILE]")
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
	machine, err := describeMachine()
	if err != nil {
		return err
	}
	b := &bench{rounds: rounds, start: time.Now()}
	if b.root, err = os.Getwd(); err != nil {
		return err
	}
	if err := b.ready(ctx); err != nil {
		return err
	}
	if b.work, err = os.MkdirTemp("", "gauntlet-bench-"); err != nil {
		return err
	}
	defer func() {
		b.say("removing the namespaces")
		after, cancel := context.WithTimeout(context.WithoutCancel(ctx), 3*time.Minute)
		defer cancel()
		err = errors.Join(err, b.remove(after), os.RemoveAll(b.work))
	}()
	if err := b.remove(ctx); err != nil { // what a killed run left
		return err
	}
	if err := b.prepare(ctx); err != nil {
		return err
	}
	for _, measure := range []func(context.Context) error{b.changed, b.unchanged, b.missingImage, b.builds} {
		if err := measure(ctx); err != nil {
			return err
		}
	}
	if b.facts.helm, err = b.helmVersion(ctx); err != nil {
		return err
	}
	if machine.after, err = load(); err != nil {
		return err
	}
	fmt.Println()
	fmt.Print(table(b.rows))
	return os.WriteFile(results, []byte(report(machine, b.rounds, b.rows, b.facts)), 0o644)
}

// ready says what is missing before anything can be measured.
func (b *bench) ready(ctx context.Context) error {
	for _, p := range []string{"gauntlet", "helm"} {
		if _, err := os.Stat(b.program(p)); err != nil {
			return fmt.Errorf("bin/%s is not built: run bench/run in the checkout", p)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	st, err := lab.GetStatus(ctx)
	if err != nil {
		return err
	}
	if !st.Up {
		return errors.New("the lab is not up: make demo brings it up and makes the images that are measured with")
	}
	if _, err := os.Stat(filepath.Join(demoDir(), "platform", "gauntlet.yaml")); err != nil {
		return errors.New("the demonstration has not run, and its images are measured with: make demo")
	}
	return nil
}

func (b *bench) program(name string) string { return filepath.Join(b.root, "bin", name) }

// say tells what is being done and since when.
func (b *bench) say(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "==> [%s] %s\n", time.Since(b.start).Round(time.Second), strings.TrimSpace(fmt.Sprintf(format, args...)))
}
