package cli

import "github.com/spf13/cobra"

func (a *app) approveCmd() *cobra.Command {
	var note string
	c := &cobra.Command{
		Use:   "approve RELEASE [TIER]",
		Short: "Give a board member's word that a release may enter a tier",
		Long: `Records, signed with your key, that the release may enter the tier (without one:
the first tier of the policy that asks for approval). Nobody approves a release
that holds a commit of theirs.`,
		Example:           `  gauntlet approve 3f2a9c canary --key ada --note "looked at the plan"`,
		Args:              args("RELEASE", "[TIER]"),
		ValidArgsFunction: a.completeApprove,
		RunE: func(c *cobra.Command, names []string) error {
			w, err := a.open()
			if err != nil {
				return err
			}
			return a.say(w.Approve(c.Context(), names[0], first(names[1:]), note))
		},
	}
	c.Flags().StringVar(&note, "note", "", "a word for the record")
	return c
}

func (a *app) signoffCmd() *cobra.Command {
	var user, link, note string
	c := &cobra.Command{
		Use:   "signoff RELEASE",
		Short: "Give a user's word that a release works for them",
		Long: `Records, signed with your key, that what you tried of this release works for you.
A board member may record it for a user who gave their word elsewhere (vouched):
with --for and a link to where they gave it.`,
		Example: `  gauntlet signoff 3f2a9c --key linus
  gauntlet signoff 3f2a9c --key ada --for margaret --link https://chat.example.org/p/42`,
		Args:              args("RELEASE"),
		ValidArgsFunction: a.completeReleases,
		RunE: func(c *cobra.Command, names []string) error {
			w, err := a.open()
			if err != nil {
				return err
			}
			return a.say(w.Signoff(c.Context(), names[0], user, link, note))
		},
	}
	c.Flags().StringVar(&user, "for", "", "the user whose word this is, when it is not yours")
	c.Flags().StringVar(&link, "link", "", "where the user's own word can be read")
	c.Flags().StringVar(&note, "note", "", "a word for the record")
	return c
}

func (a *app) readyCmd() *cobra.Command {
	var known []string
	c := &cobra.Command{
		Use:   "ready RELEASE",
		Short: "Say that a release is ready for the board, and what is known of it",
		Long: `Tells the board that a release has been tried and is ready, with every problem that is
known of it. It is recorded, and stands where the board is asked to approve; no gate asks
for it. Said again, the newer word counts.`,
		Example: `  gauntlet ready 3f2a9c --key ci
  gauntlet ready 3f2a9c --key ci --known "old maps draw slowly" --known "no octave yet"`,
		Args:              args("RELEASE"),
		ValidArgsFunction: a.completeReleases,
		RunE: func(c *cobra.Command, names []string) error {
			w, err := a.open()
			if err != nil {
				return err
			}
			return a.say(w.Ready(c.Context(), names[0], known))
		},
	}
	c.Flags().StringArrayVar(&known, "known", nil, "a problem that is known, in one line; may be given several times")
	return c
}

func (a *app) vetoCmd() *cobra.Command {
	var reason string
	var lift bool
	c := &cobra.Command{
		Use:   "veto RELEASE",
		Short: "Stop a release everywhere, or lift your own veto",
		Long: `Stops a release: it enters no further hub until whoever vetoed it lifts the veto.
Board members and users may veto.`,
		Example: `  gauntlet veto 3f2a9c --key linus --reason "geopandas draws nothing"
  gauntlet veto 3f2a9c --key linus --lift`,
		Args:              args("RELEASE"),
		ValidArgsFunction: a.completeReleases,
		RunE: func(c *cobra.Command, names []string) error {
			if lift == (reason != "") {
				return usagef("say either why (--reason \"…\") or --lift")
			}
			w, err := a.open()
			if err != nil {
				return err
			}
			if lift {
				return a.say(w.LiftVeto(c.Context(), names[0]))
			}
			return a.say(w.Veto(c.Context(), names[0], reason))
		},
	}
	c.Flags().StringVar(&reason, "reason", "", "what is wrong")
	c.Flags().BoolVar(&lift, "lift", false, "take your own veto back")
	return c
}
