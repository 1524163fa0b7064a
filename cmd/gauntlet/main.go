// Command gauntlet carries a change to a JupyterHub and Dask platform from commit
// to production and lets nothing skip a step.
package main

import (
	"context"
	"io"
	"log"
	"os"
	"os/signal"
	"syscall"

	"gauntlet/internal/cli"
)

func main() {
	// Libraries write to Go's default logger (net/http2, when a build is cancelled):
	// what matters comes as an error.
	log.SetOutput(io.Discard)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends at once
	code := cli.Main(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}
