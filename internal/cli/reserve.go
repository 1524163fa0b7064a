package cli

import (
	"github.com/spf13/cobra"

	"gauntlet/internal/config"
)

func (a *app) reserveCmd() *cobra.Command {
	var lasts, why string
	c := &cobra.Command{
		Use:   "reserve HUB",
		Short: "Keep a test hub for yourself for a while",
		Long: `Keeps a hub for whoever signs, of a tier where any hub will do: releases of others go
over the tier's other hubs, or wait. It has an end; said again, it lasts as long from
now. Releases of your own go there as ever.

gauntlet status lists who has which hub; gauntlet release-hub gives one back.`,
		Example: `  gauntlet reserve testing --for 2d --key ada --reason "a new chart"
  gauntlet reserve testing --for 4h --key ada       longer, or less long
  gauntlet release-hub testing --key ada`,
		Args:              args("HUB"),
		ValidArgsFunction: a.completeHubs,
		RunE: func(c *cobra.Command, names []string) error {
			d, err := config.ParseDuration(lasts)
			if err != nil {
				return usagef("--for: %s: write 4h, 90m or 2d", err)
			}
			w, err := a.open()
			if err != nil {
				return err
			}
			return a.say(w.Reserve(c.Context(), names[0], d, why))
		},
	}
	c.Flags().StringVar(&lasts, "for", "1d", "how long from now: 4h, 90m, 2d")
	c.Flags().StringVar(&why, "reason", "", "what is tried, for others to read")
	return c
}

func (a *app) releaseHubCmd() *cobra.Command {
	return &cobra.Command{
		Use:               "release-hub HUB",
		Short:             "Give a hub back that you have reserved",
		Example:           "  gauntlet release-hub testing --key ada",
		Args:              args("HUB"),
		ValidArgsFunction: a.completeHubs,
		RunE: func(c *cobra.Command, names []string) error {
			w, err := a.open()
			if err != nil {
				return err
			}
			return a.say(w.ReleaseHub(c.Context(), names[0]))
		},
	}
}
