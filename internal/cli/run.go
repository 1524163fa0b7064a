package cli

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"gauntlet/internal/pipeline"
	"gauntlet/internal/release"
)

func (a *app) runCmd() *cobra.Command {
	var to string
	var build pipeline.BuildOptions
	var o pipeline.DeployOptions
	c := &cobra.Command{
		Use:   "run",
		Short: "Carry this commit as far as the gates allow",
		Long: `Carries the commit of this checkout through the steps: build and test its images,
prove that they pair, render every hub, then tier by tier: ask the gate, deploy,
check. What the ledger shows as done is not done again, so the same command goes
on after people have given their word, or after it was interrupted. A hub on which
anything fails is rolled back: see gauntlet deploy --help.

Where any hub of a tier will do it takes one that nobody has reserved and no other run
uses, and gives it back.

Exit codes: 0 it got there; 1 a step failed; 2 the configuration or checkout is
wrong; 3 it waits for people or time; 4 the gate denies.`,
		Example: `  gauntlet run --to bleeding-edge --key ci
  gauntlet run                             as far as the gates allow
  gauntlet run --dirty --key ci            try what is not committed yet, on the first tier`,
		Args: args(),
		RunE: func(c *cobra.Command, _ []string) error {
			w, err := a.open()
			if err != nil {
				return err
			}
			id, last, err := w.Run(c.Context(), to, build, o)
			if err != nil {
				return a.verdict(a.withRelease(err, id.Short()))
			}
			type result struct {
				Result  string         `json:"result"`
				Release release.Digest `json:"release"`
			}
			line := fmt.Sprintf("release %s has passed %s", id.Short(), passed(last))
			return a.print(result{line, id}, func() { fmt.Fprintln(a.out, plain(line)) })
		},
	}
	c.Flags().StringVar(&to, "to", "", "stop after this tier")
	c.Flags().BoolVar(&o.Wait, "wait", false, "wait in line when others have all hubs of a tier where any will do")
	buildFlags(c, &build)
	deployFlags(c, &o)
	_ = c.RegisterFlagCompletionFunc("to", a.completeTiers)
	return c
}

// withRelease tells, beside a failure, where the whole ladder can be seen.
func (a *app) withRelease(err error, id string) error {
	var step *pipeline.StepError
	if id != "" && errors.As(err, &step) {
		return fmt.Errorf("%w\n  the ladder: gauntlet status %s", err, id)
	}
	return err
}

func passed(to string) string {
	if to == "" {
		return "every tier"
	}
	return to
}
