package cli

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"gauntlet/internal/demo"
)

func (a *app) demoCmd() *cobra.Command {
	var opts demo.Options
	c := &cobra.Command{
		Use:   "demo",
		Short: "Walk the example platform to production on the lab",
		Long: `Walks a release of the example platform through every step to production on the
lab (bin/lab up), showing each gauntlet command as it runs it. Production is first
shown denied, then allowed as each missing word is given. Run it again after a
change to examples/pangeo and the change walks; without one, nothing is done twice.`,
		Example: `  make demo                 the lab and this, from a fresh checkout
  gauntlet demo`,
		Args: args(),
		RunE: func(c *cobra.Command, _ []string) error {
			if a.format != "text" {
				return usagef("-o %s: a demonstration is for people to watch; the commands it shows take -o json", a.format)
			}
			self, err := os.Executable()
			if err != nil {
				return fmt.Errorf("find this program: %w", err)
			}
			opts.Gauntlet, opts.Out = self, a.out
			return demo.Run(c.Context(), opts)
		},
	}
	c.Flags().StringVar(&opts.Example, "example", "examples/pangeo", "the example platform's folder")
	c.Flags().StringVar(&opts.Dir, "dir", "", "where the team's repository and keys are kept (default beside the lab's state)")
	return c
}
