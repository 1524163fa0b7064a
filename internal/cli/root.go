// Package cli is gauntlet's command line: one file a command, flags and words, no
// logic of its own.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"

	"gauntlet/internal/cli/exit"
	"gauntlet/internal/deploy"
	"gauntlet/internal/pipeline"
)

// app is what every command shares.
type app struct {
	in       io.Reader
	out, err io.Writer
	file     string // gauntlet.yaml
	key      string // name or path of the signing key
	format   string // "text" or "json"
	board    *board // of a command that tells its progress on a terminal, nil for none
}

// Main runs the command line and returns its exit code.
func Main(ctx context.Context, args []string, in io.Reader, out, errw io.Writer) int {
	a := &app{in: in, out: out, err: errw}
	root := a.root()
	root.SetArgs(args)
	root.SetIn(in)
	root.SetOut(out)
	root.SetErr(errw)
	err := root.ExecuteContext(ctx)
	a.settle()
	return a.report(ctx, err)
}

// settle leaves the terminal to what is written next.
func (a *app) settle() {
	if a.board != nil {
		a.board.clear()
	}
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "gauntlet",
		Short: "Carry a change to a JupyterHub and Dask platform from commit to production",
		Long: `Gauntlet carries a change (images, chart or values) to a JupyterHub and Dask
platform from commit to production over several hubs, and lets nothing skip a
step: image build test, image pairing test, bleeding-edge, canary, production.

What was tested, who approved and what runs is kept as signed statements in an
OCI registry. A gate reads them before every deploy and says allow, wait or deny,
always with its reasons and the command that would satisfy each.`,
		Example: `  gauntlet run --to bleeding-edge    build, test, pair and deploy to the test hubs
  gauntlet status                    the ladder of the newest release
  gauntlet approve 3f2a9c canary     a board member's word
  gauntlet run                       go on as far as the gates allow`,
		Version:           version(),
		SilenceErrors:     true,
		SilenceUsage:      true,
		DisableAutoGenTag: true,
		Args:              noCommand,
		RunE:              help,
		PersistentPreRunE: func(*cobra.Command, []string) error {
			if a.format != "text" && a.format != "json" {
				return usagef("-o %s: the formats are text and json", plain(a.format))
			}
			return nil
		},
	}
	f := root.PersistentFlags()
	f.StringVarP(&a.file, "file", "f", "gauntlet.yaml", "the platform's configuration")
	f.StringVar(&a.key, "key", "", "signing key: the `NAME` of one made with gauntlet key new, or a file (default $GAUNTLET_KEY)")
	f.StringVarP(&a.format, "output", "o", "text", "output format: text or json")
	_ = root.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{"text", "json"}, cobra.ShellCompDirectiveNoFileComp))
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return usagef("%s\n  usage: %s\n  see: %s --help", plain(err.Error()), c.UseLine(), c.CommandPath())
	})
	root.AddCommand(
		a.buildCmd(), a.runCmd(), a.statusCmd(), a.approveCmd(), a.signoffCmd(), a.readyCmd(), a.vetoCmd(),
		a.bumpCmd(), a.releaseCmd(), a.versionCmd(), a.diffCmd(), a.planCmd(), a.preflightCmd(), a.checkCmd(), a.vizCmd(), a.prepullCmd(), a.adoptCmd(), a.deployCmd(), a.rollbackCmd(), a.holdCmd(), a.reserveCmd(), a.releaseHubCmd(), a.overrideCmd(), a.unstickCmd(), a.logCmd(), a.policyCmd(), a.keyCmd(), a.configCmd(), a.demoCmd(),
	)
	return root
}

// usageError is a wrong command line: nothing was tried.
type usageError struct{ text string }

func (e *usageError) Error() string { return e.text }

// asksError says that a person must decide: what about is printed already.
type asksError struct{}

func (*asksError) Error() string { return "waits for --yes" }

func usagef(format string, args ...any) error { return &usageError{fmt.Sprintf(format, args...)} }

// args checks the number of arguments and names the missing one.
func args(names ...string) cobra.PositionalArgs {
	return func(c *cobra.Command, got []string) error {
		required := 0
		for _, n := range names {
			if n[0] != '[' {
				required++
			}
		}
		switch {
		case len(got) < required:
			return usagef("%s is missing\n  usage: %s", names[len(got)], c.UseLine())
		case len(got) > len(names):
			return usagef("%q is one argument too many\n  usage: %s", got[len(names)], c.UseLine())
		}
		return nil
	}
}

// optional is the argument at i, "" when it was left out.
func optional(got []string, i int) string {
	if i < len(got) {
		return got[i]
	}
	return ""
}

// group is a command that only holds others.
func group(c *cobra.Command, of ...*cobra.Command) *cobra.Command {
	c.Args, c.RunE = noCommand, help
	c.AddCommand(of...)
	return c
}

func help(c *cobra.Command, _ []string) error { return c.Help() }

// noCommand refuses what is left where a command was expected.
func noCommand(c *cobra.Command, got []string) error {
	if len(got) == 0 {
		return nil
	}
	c.SuggestionsMinimumDistance = 2
	near := ""
	if s := c.SuggestionsFor(got[0]); len(s) > 0 {
		near = fmt.Sprintf(": did you mean %s?", strings.Join(s, " or "))
	}
	return usagef("there is no command %q%s\n  see: %s --help", c.CommandPath()+" "+got[0], near, c.CommandPath())
}

// report prints an error the way its kind asks for and gives its exit code.
func (a *app) report(ctx context.Context, err error) int {
	var (
		pending *pipeline.PendingError
		busy    *pipeline.BusyError
		denied  *pipeline.DeniedError
		moved   *pipeline.MovedError
		usage   *usageError
		input   *pipeline.InputError
		asks    *asksError
	)
	switch {
	case err == nil:
		return exit.OK
	case errors.As(err, &pending), errors.As(err, &asks):
		return exit.Wait // its reasons are in the verdict already
	case errors.As(err, &busy):
		return a.fail(exit.Wait, err, err.Error())
	case errors.As(err, &denied):
		return exit.Denied
	case errors.As(err, &moved):
		return a.fail(exit.Denied, err, err.Error())
	case ctx.Err() != nil:
		return a.fail(exit.Failed, nil, "interrupted; nothing is lost: run the same command again and it goes on")
	case errors.As(err, &usage), errors.As(err, &input):
		return a.fail(exit.Usage, err, err.Error())
	default:
		return a.fail(exit.Failed, err, err.Error())
	}
}

// fail tells the cause on standard error, as progress is told there; err may hold
// more than it says.
func (a *app) fail(code int, err error, cause string) int {
	if a.format == "json" {
		_ = writeJSON(a.err, struct {
			Error    string         `json:"error"`
			ExitCode int            `json:"exitCode"`
			Causes   []deploy.Cause `json:"causes,omitempty"` // of a wait in a cluster
		}{cause, code, pipeline.Causes(err)}, "")
	} else {
		fmt.Fprintf(a.err, "gauntlet: %s\n", plainLines(cause))
	}
	return code
}

func version() string {
	v, rev := "(devel)", ""
	if bi, ok := debug.ReadBuildInfo(); ok {
		if bi.Main.Version != "" {
			v = bi.Main.Version
		}
		for _, s := range bi.Settings {
			if s.Key == "vcs.revision" {
				rev = " " + s.Value
			}
		}
	}
	return v + rev
}
