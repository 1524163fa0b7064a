package cli

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"gauntlet/internal/config"
	"gauntlet/internal/gate"
	"gauntlet/internal/pipeline"
)

func (a *app) overrideCmd() *cobra.Command {
	var reason, expires, lift string
	c := &cobra.Command{
		Use:   "override TIER [RELEASE]",
		Short: "In an emergency, let a release into a tier early",
		Long: `Lets a release (the newest, when none is named) into a tier without the soaks, the
sign-offs and the freeze windows before it, until the override expires. Nothing else is
skipped: not the evidence of images, pairing and earlier tiers, not approvals, vetoes,
holds, image resolution, preflight or verification. One board member may who wrote
nothing of the release. Any board member lifts it.

What it skipped stays due: later gates, the next release's too, and gauntlet status say
so until it is made up for.

Exit codes: 0 it is recorded (what the gate still asks for is printed); 1 it could not
be; 2 wrong input.`,
		Example: `  gauntlet override production --key ada --reason "users cannot start servers" --expires 4h
  gauntlet override canary 3f2a9c --key ada --reason "security fix" --expires 30m
  gauntlet override --key grace --lift 9b1c44`,
		Args: func(c *cobra.Command, got []string) error {
			if c.Flags().Changed("lift") {
				return args()(c, got)
			}
			return args("TIER", "[RELEASE]")(c, got)
		},
		ValidArgsFunction: func(c *cobra.Command, got []string, typed string) ([]string, cobra.ShellCompDirective) {
			if len(got) == 0 {
				return a.completeTiers(c, got, typed)
			}
			return a.completeReleases(c, got[1:], typed)
		},
		RunE: func(c *cobra.Command, names []string) error {
			set := c.Flags().Changed
			if set("lift") {
				if set("reason") || set("expires") {
					return usagef("--lift names the override by its id: leave --reason and --expires out")
				}
				w, err := a.open()
				if err != nil {
					return err
				}
				return a.say(w.LiftOverride(c.Context(), lift))
			}
			if reason == "" || !set("expires") {
				return usagef("say why and for how long: --reason \"…\" --expires 4h")
			}
			lasts, err := config.ParseDuration(expires)
			if err != nil {
				return usagef("--expires: %s: write 4h, 90m or 2d", err)
			}
			w, err := a.open()
			if err != nil {
				return err
			}
			o, err := w.Override(c.Context(), first(names[1:]), names[0], reason, lasts)
			if err != nil {
				return err
			}
			return a.print(o, func() { drawOverriding(a.out, o) })
		},
	}
	c.Flags().StringVar(&reason, "reason", "", "why the rules are not kept")
	c.Flags().StringVar(&expires, "expires", "", "how long it lasts, such as 4h, 7d at most")
	c.Flags().StringVar(&lift, "lift", "", "lift the override with this `ID`, or all")
	_ = c.RegisterFlagCompletionFunc("lift", a.completeLifts(true))
	return c
}

// drawOverriding says what an override that was just given does.
func drawOverriding(out io.Writer, o *pipeline.Overriding) {
	s := styleOf(out)
	fmt.Fprintf(out, "%s overrides the gate of %s for release %s until %s: %s\n",
		plain(o.Who), plain(o.Tier), o.Release.Short(), stamp(o.Expires), plain(o.Reason))
	if len(o.Skips) == 0 {
		fmt.Fprintln(out, "it skips nothing: no soak, sign-off or freeze window stands in the way")
	}
	for _, r := range o.Skips {
		fmt.Fprintf(out, "  %s %-28s %s\n", s.yellow("skips "), plain(r.Name), plain(r.Reason))
	}
	for _, r := range o.Lacks {
		fmt.Fprintf(out, "  %s %-28s %s\n", s.red("needs "), plain(r.Name), plain(r.Reason))
		if r.Command != "" {
			fmt.Fprintf(out, "         %s %s\n", s.dim("to satisfy it:"), plain(r.Command))
		}
	}
	fmt.Fprintf(out, "it is lifted with `gauntlet override --lift %s`\n", o.ID.Short())
}

// drawStops shows what is out of the ordinary: overrides and what they left due, holds
// and freeze windows.
func drawStops(out io.Writer, st *pipeline.Status) {
	s := styleOf(out)
	for _, r := range st.Ready {
		known := "no problem is known"
		if len(r.Known) > 0 {
			known = "known problems: " + strings.Join(r.Known, "; ")
		}
		fmt.Fprintf(out, "%s says %s since %s: %s\n", s.green("READY"), plain(r.Who), stamp(r.Since), plain(known))
	}
	for _, o := range st.Overrides {
		state := "until " + stamp(o.Expires)
		if !o.Stands {
			state = "which is over"
		}
		fmt.Fprintf(out, "%s release %s for %s by %s, %s: %s\n", s.red("OVERRIDE"), o.Release.Short(), plain(o.Tier), plain(o.Who), state, plain(o.Reason))
		for _, r := range o.Due {
			fmt.Fprintf(out, "  %s %s\n", s.red("DUE"), plain(r.Reason))
			if r.Command != "" {
				fmt.Fprintf(out, "      %s %s\n", s.dim("next:"), plain(r.Command))
			}
		}
		if o.Stands {
			fmt.Fprintf(out, "      %s gauntlet override --lift %s\n", s.dim("lift:"), o.ID.Short())
		}
	}
	for _, h := range st.Holds {
		verb := "HOLD"
		if h.Back != nil {
			verb = "ROLLED BACK"
		}
		fmt.Fprintf(out, "%s %s by %s since %s: %s\n", s.yellow(verb), plain(holdOf(h)), plain(h.Who), stamp(h.Since), plain(h.Reason))
		fmt.Fprintf(out, "      %s gauntlet hold --lift %s\n", s.dim("lift:"), h.ID.Short())
	}
	for _, f := range st.Freezes {
		when := "until " + stamp(f.To)
		switch {
		case !f.From.IsZero():
			when = "from " + stamp(f.From)
		case f.To.IsZero():
			when = "for more than a year"
		}
		fmt.Fprintf(out, "%s %s %s: %s\n", s.cyan("FREEZE"), plain(f.Of()), when, plain(f.Reason))
	}
	if len(st.Overrides)+len(st.Holds)+len(st.Freezes) > 0 {
		fmt.Fprintln(out)
	}
}

// holdOf is what a hold stops; a rollback names its hub too.
func holdOf(h gate.Hold) string {
	if h.Back != nil {
		return h.Of() + " from hub " + h.Hub
	}
	return h.Of()
}

// stamp is a time for people.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") }
