package cli

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"gauntlet/internal/check/suites"
	"gauntlet/internal/pipeline"
)

func (a *app) deployCmd() *cobra.Command {
	var check bool
	var o pipeline.DeployOptions
	c := &cobra.Command{
		Use:   "deploy RELEASE HUB",
		Short: "Bring one hub to a release, when the gate allows it",
		Long: `Asks the gate of the hub's tier and, when it allows, deploys the release to the
hub and runs the tier's suites on it. A hub that runs it already is left alone.

A hub that another tool changed last is refused: see gauntlet adopt. So is one with
values, given by hand, that the release lacks, unless each is let go with --drop; and
one whose objects belong to Argo CD or Flux. With --plan it does what a saved plan
showed: when an object of the hub was changed since, or is rendered otherwise now, it is
refused with the names of what moved.

Meanwhile a kernel is held open on the hub and the servers of users are watched. When
the rollout or a suite fails, when servers are lost or the kernel does not answer, the
hub is brought back to the newest revision that passed its suites, and they run again.
What a hub was rolled back from waits until somebody lifts that (gauntlet hold --lift).

With --try a release whose tests have failed, or were not run, comes onto a test hub that
you have reserved (gauntlet reserve). No suite runs, nothing is rolled back, and nothing of
it counts for gates.

Exit codes: 0 the hub runs it and passed; 1 it failed, and was rolled back where there
was something to go back to; 2 wrong input; 3 people or time are waited for; 4 the gate
denies, or the hub has moved on since its plan was saved.`,
		Example: `  gauntlet deploy 3f2a9c test2 --key ci
  gauntlet deploy v1.4.0 compute --check     what the gate says, and nothing else
  gauntlet deploy v1.4.0 compute --plan compute.plan
  gauntlet deploy 3f2a9c testing --try --key ci
  gauntlet deploy v1.4.0 compute --adopt --drop jupyterhub.debug`,
		Args:              args("RELEASE", "HUB"),
		ValidArgsFunction: a.completeDeploy,
		RunE: func(c *cobra.Command, names []string) error {
			w, err := a.open()
			if err != nil {
				return err
			}
			if check {
				return a.ask(c.Context(), w, names[0], names[1])
			}
			d, err := w.Deploy(c.Context(), names[0], names[1], o)
			if err != nil {
				return a.verdict(err)
			}
			type result struct {
				Result string `json:"result"`
				*pipeline.Deployed
			}
			line := fmt.Sprintf("%s runs release %s and passed its suites", names[1], names[0])
			if o.Try {
				line = fmt.Sprintf("%s runs release %s, to be tried by hand; it counts for no gate", names[1], names[0])
			}
			return a.print(result{line, d}, func() {
				fmt.Fprintln(a.out, plain(line))
				drawOlder(a.out, d.Older)
			})
		},
	}
	c.Flags().BoolVar(&check, "check", false, "ask the gate and deploy nothing")
	c.Flags().BoolVar(&o.Adopt, "adopt", false, "replace what plain helm or another tool has deployed there")
	c.Flags().BoolVar(&o.Try, "try", false, "to be tried by hand on a test hub that you have reserved, also when tests of it failed; no suite runs")
	c.Flags().StringVar(&o.Plan, "plan", "", "do exactly what the plan in this `FILE` showed (gauntlet plan --save), or nothing")
	c.Flags().StringSliceVar(&o.Drop, "drop", nil, "let go of the value at this `PATH` that somebody gave by hand (may be repeated)")
	deployFlags(c, &o)
	return c
}

// drawOlder tells whose servers go on with another notebook than the release's.
func drawOlder(out io.Writer, older []suites.OlderServer) {
	if len(older) == 0 {
		return
	}
	s := styleOf(out)
	fmt.Fprintf(out, "%s an older notebook until restarted by their users:\n", count(len(older), "server runs", "servers run"))
	for _, o := range older {
		note := ""
		if o.Unpaired {
			note = s.yellow("  never paired with the Dask workers that it gets now")
		}
		fmt.Fprintf(out, "  %s %s%s\n", s.bold(plain(o.String())), s.dim(o.Notebook.Short()), note)
	}
}

// deployFlags are the flags of every command that deploys.
func deployFlags(c *cobra.Command, o *pipeline.DeployOptions) {
	c.Flags().BoolVar(&o.NoRollback, "no-rollback", false, "leave a hub whose deployment failed as it is")
	c.Flags().BoolVar(&o.NoBackup, "no-backup", false, "migrate a hub's database although it cannot be copied before")
}

// ask prints every requirement of a hub's gate, met or not.
func (a *app) ask(ctx context.Context, w *pipeline.Workspace, ref, hub string) error {
	v, err := w.Ask(ctx, ref, hub)
	if _, ok := answered(err); err != nil && !ok {
		return err
	}
	if perr := a.print(v, func() {
		fmt.Fprintf(a.out, "%s: %s\n", hub, v.Decision)
		drawRequirements(a.out, v.Requirements)
	}); perr != nil {
		return perr
	}
	return err
}
