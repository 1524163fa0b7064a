package cli

import (
	"fmt"

	"github.com/spf13/cobra"
)

func (a *app) statusCmd() *cobra.Command {
	return &cobra.Command{
		Use:   "status [RELEASE]",
		Short: "Show the ladder of a release and what the hubs run",
		Long: `Draws the ladder of a release (the newest, when none is named): every step with
its state, since when, the evidence it rests on and the command that moves it; and
what every hub runs now. Overrides with what they left due, holds, rollbacks and freeze
windows come first. All of it is read from the ledger and the clusters.

A release is named by its digest or the start of one, its version or its commit.`,
		Example: `  gauntlet status
  gauntlet status v1.4.0
  gauntlet status 3f2a9c -o json`,
		Args:              args("[RELEASE]"),
		ValidArgsFunction: a.completeReleases,
		RunE: func(c *cobra.Command, names []string) error {
			w, err := a.open()
			if err != nil {
				return err
			}
			st, err := w.Status(c.Context(), first(names))
			if err != nil {
				return err
			}
			return a.print(st, func() {
				drawStops(a.out, st)
				drawLadder(a.out, st, now())
				drawHubs(a.out, st)
				fmt.Fprintf(a.out, "\npolicy %s\n", st.Policy.Short())
			})
		},
	}
}

func first(names []string) string {
	if len(names) == 0 {
		return ""
	}
	return names[0]
}
