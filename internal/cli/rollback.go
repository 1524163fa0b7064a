package cli

import (
	"fmt"
	"maps"
	"slices"

	"github.com/spf13/cobra"
)

func (a *app) rollbackCmd() *cobra.Command {
	var to int
	var reason string
	c := &cobra.Command{
		Use:   "rollback HUB",
		Short: "Bring a hub back to what it ran before, at once",
		Long: `Brings a hub back to the newest earlier revision in Helm's history that gauntlet
made, that ran, and that differs from what the hub has now; --to names another. It
needs no gate and one person, a deployer or a board member, and it works when the
registry is down: it then says that nothing is recorded. Run it again and it changes
nothing, but records what is missing. Afterwards the tier's suites run on the hub.

Exit codes: 0 the hub is back (-o json says whether that is recorded and verified);
1 it could not go back, or is back and failed a suite; 2 wrong input.`,
		Example: `  gauntlet rollback compute --key ci --reason "users cannot start servers"
  gauntlet rollback compute --key ada --to 12 --reason "back to before the new chart"`,
		Args: args("HUB"),
		ValidArgsFunction: func(_ *cobra.Command, got []string, _ string) ([]string, cobra.ShellCompDirective) {
			if w, ok := a.quiet(); ok && len(got) == 0 {
				return slices.Sorted(maps.Keys(w.Platform.Hubs)), cobra.ShellCompDirectiveNoFileComp
			}
			return nil, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(c *cobra.Command, names []string) error {
			if reason == "" {
				return usagef("say why: --reason \"…\"")
			}
			if c.Flags().Changed("to") && to < 1 {
				return usagef("--to %d: revisions of Helm count from 1", to)
			}
			w, err := a.open()
			if err != nil {
				return err
			}
			b, err := w.Rollback(c.Context(), names[0], to, reason)
			if b == nil {
				return err
			}
			if perr := a.print(b, func() {
				fmt.Fprintf(a.out, "%s is back: revision %d runs what revision %d did (release %.12s)\n", plain(b.Hub), b.Revision, b.To, plain(b.Release))
				switch {
				case b.Problem != "":
					fmt.Fprintln(a.out, plain(b.Problem))
				case b.Verified:
					fmt.Fprintln(a.out, "recorded, and its suites passed")
				}
			}); perr != nil {
				return perr
			}
			return err
		},
	}
	c.Flags().IntVar(&to, "to", 0, "the `REVISION` in Helm's history to go back to")
	c.Flags().StringVar(&reason, "reason", "", "why the hub goes back")
	return c
}
