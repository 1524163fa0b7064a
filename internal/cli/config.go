package cli

import (
	"fmt"

	"github.com/spf13/cobra"
)

func (a *app) configCmd() *cobra.Command {
	c := &cobra.Command{
		Use: "config", Short: "Check the configuration",
		Example: "  gauntlet config check",
	}
	return group(c, &cobra.Command{
		Use:   "check",
		Short: "Report every mistake in gauntlet.yaml, the policy and the values files",
		Long: `Reads gauntlet.yaml, the policy, the values files of every hub and the chart, and
reports all mistakes at once: file:line:column, the cause, and what fixes it. Where
the other files are is only known once gauntlet.yaml has no mistake. Nothing is
contacted but the repository of a chart that was never fetched before.`,
		Example: `  gauntlet config check
  gauntlet config check -f deployments/gauntlet.yaml`,
		Args: args(),
		RunE: func(c *cobra.Command, _ []string) error {
			w, err := a.open()
			if err != nil {
				return err
			}
			if err := w.ConfigCheck(c.Context()); err != nil {
				return err
			}
			return a.say(fmt.Sprintf("%s is right: %d images, %d hubs", a.file, len(w.Platform.Images.Build), len(w.Platform.Hubs)), nil)
		},
	})
}
