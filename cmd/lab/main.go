// Command lab runs real Kubernetes clusters, a registry and an image builder on
// this one machine. See package gauntlet/lab.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"gauntlet/lab"
)

// exitNotUp is the exit code of `lab status` when something is not up.
const exitNotUp = 3

var errNotUp = errors.New("the lab is not up")

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := command(os.Stdout).ExecuteContext(ctx)
	switch {
	case errors.Is(err, errNotUp):
		os.Exit(exitNotUp) // the table says it
	case err != nil && ctx.Err() != nil:
		fmt.Fprintln(os.Stderr, "lab: interrupted; `lab up` goes on from here, `lab down` cleans up")
		os.Exit(130)
	case err != nil:
		fmt.Fprintln(os.Stderr, "lab:", err)
		os.Exit(1)
	}
}

func command(out io.Writer) *cobra.Command {
	root := &cobra.Command{
		Use:           "lab",
		Short:         "Real Kubernetes clusters, a registry and an image builder on this one machine",
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.AddCommand(up(out), status(out), down(out), node(out), restartAPIServer(out), build(out), env(out))
	return root
}

func up(out io.Writer) *cobra.Command {
	return &cobra.Command{
		Use:   "up [services | CLUSTER]...",
		Short: "Bring up everything, or the services (registry, image builder) and the named clusters",
		Long: `Bring up three clusters, the registry and the image builder.

Builds and installs what is missing first. What is up and well stays untouched;
what an earlier, interrupted or killed run left behind is removed.`,
		ValidArgs: clusterNames(),
		RunE: func(cmd *cobra.Command, args []string) error {
			return lab.Up(cmd.Context(), out, args...)
		},
	}
}

func clusterNames() []string {
	names := []string{lab.Services}
	for _, c := range lab.Clusters() {
		names = append(names, c.Name)
	}
	return names
}

func down(out io.Writer) *cobra.Command {
	var all bool
	cmd := &cobra.Command{
		Use:   "down",
		Short: "End the lab and remove what it made, but for the registry's content and caches",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			return lab.Down(cmd.Context(), out, all)
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "remove the registry's content, the caches and the built programs too (building them again takes about 12 minutes)")
	return cmd
}

func build(out io.Writer) *cobra.Command {
	return &cobra.Command{
		Use:   "build",
		Short: "Build and install the programs the lab runs, where missing",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			return lab.Build(cmd.Context(), out)
		},
	}
}

func status(out io.Writer) *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show clusters, nodes, registry, image builder and memory; exit code 3 when not all is up",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if format != "table" && format != "json" {
				return fmt.Errorf("-o %s: there is table and json", format)
			}
			s, err := lab.GetStatus(cmd.Context())
			if err != nil {
				return err
			}
			if format == "json" {
				enc := json.NewEncoder(out)
				enc.SetIndent("", "  ")
				err = enc.Encode(s)
			} else {
				err = s.Print(out)
			}
			if err == nil && !s.Up {
				err = errNotUp
			}
			return err
		},
	}
	cmd.Flags().StringVarP(&format, "output", "o", "table", "table or json")
	return cmd
}

func env(out io.Writer) *cobra.Command {
	return &cobra.Command{
		Use:   "env",
		Short: "Print the shell commands that point kubectl and others at the lab: eval \"$(lab env)\"",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			_, err := fmt.Fprintf(out, "export KUBECONFIG='%s'\nexport BUILDKIT_HOST='%s'\nexport PATH='%s':\"$PATH\"\n",
				lab.Kubeconfig(), lab.BuildkitAddr(), lab.BinDir())
			return err
		},
	}
}
