package cli

import (
	"github.com/spf13/cobra"

	"gauntlet/internal/pipeline"
)

func (a *app) holdCmd() *cobra.Command {
	var of pipeline.HoldScope
	var reason, lift string
	c := &cobra.Command{
		Use:   "hold",
		Short: "Stop the line: one hub, tier or release, or everything",
		Long: `Stops the line until the hold is lifted: nothing enters the hub, the tier, or any
hub at all when none is named; or the named release enters no further hub. What runs
goes on running, and a rollback needs no lift. Board members and deployers may hold;
who set a hold lifts it, or any board member.

A rollback holds back what it left, in that tier. It is lifted like a hold, by its id
alone: somebody has looked at it. gauntlet status lists all that stands.

Exit codes: 0 it is recorded; 1 it could not be; 2 wrong input.`,
		Example: `  gauntlet hold --key ada --reason "storage moves tonight"
  gauntlet hold --key ci --hub compute --reason "a workshop runs until Friday"
  gauntlet hold --key ada --release 3f2a9c --reason "waits for the new chart"
  gauntlet hold --key ada --lift 9b1c44
  gauntlet hold --key ada --lift all`,
		Args: args(),
		RunE: func(c *cobra.Command, _ []string) error {
			set := c.Flags().Changed
			if set("lift") == set("reason") {
				return usagef("say either why (--reason \"…\") or which hold to lift (--lift ID or --lift all)")
			}
			named := 0
			for _, n := range []string{"hub", "tier", "release"} {
				if set(n) {
					named++
				}
			}
			switch {
			case named > 1:
				return usagef("one hold stops one thing: name a hub, a tier or a release, or nothing to stop everything")
			case named > 0 && of == pipeline.HoldScope{}:
				return usagef("the name of what to hold is empty: leave the option out to stop everything")
			case named > 0 && set("lift"):
				return usagef("--lift names the hold by its id: leave --hub, --tier and --release out")
			}
			w, err := a.open()
			if err != nil {
				return err
			}
			if set("lift") {
				return a.say(w.LiftHold(c.Context(), lift))
			}
			return a.say(w.Hold(c.Context(), of, reason))
		},
	}
	c.Flags().StringVar(&of.Hub, "hub", "", "stop this hub alone")
	c.Flags().StringVar(&of.Tier, "tier", "", "stop this tier alone")
	c.Flags().StringVar(&of.Release, "release", "", "stop this release alone")
	c.Flags().StringVar(&reason, "reason", "", "what is waited for")
	c.Flags().StringVar(&lift, "lift", "", "lift the hold with this `ID`, or all that you may")
	_ = c.RegisterFlagCompletionFunc("hub", a.completeHubs)
	_ = c.RegisterFlagCompletionFunc("tier", a.completeTiers)
	_ = c.RegisterFlagCompletionFunc("release", a.completeReleases)
	_ = c.RegisterFlagCompletionFunc("lift", a.completeLifts(false))
	return c
}
