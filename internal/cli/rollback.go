package cli

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"gauntlet/internal/deploy"
	"gauntlet/internal/pipeline"
)

func (a *app) rollbackCmd() *cobra.Command {
	var o pipeline.RollbackOptions
	var restore, keep bool
	c := &cobra.Command{
		Use:   "rollback HUB|TIER",
		Short: "Bring a hub, or all of a tier, back to what ran before, at once",
		Long: `Brings a hub back to the newest earlier revision in Helm's history that gauntlet
made, that ran, and that differs from what the hub has now; --to names another. It
needs no gate and one person, a deployer or a board member, and it works when the
registry is down: it then says that nothing is recorded. Run it again and it changes
nothing, but records what is missing. Afterwards the tier's suites run on the hub.

With a tier the hubs that the tier's newest release came to go back one after another,
the last of the policy's order first; one that fails stops none of the others. A name
that both a hub and a tier bear is the hub's.

A hub whose JupyterHub was upgraded since has a migrated database that the one from
before cannot read. Then nothing is changed until you say what becomes of it:
--restore-database stops the hub, puts back the copy that the upgrade had made, and keeps
the migrated one beside it; the hub forgets the users and servers that came since, which
are named. --keep-database leaves it.

What was rolled back from is held back from the tier until that is lifted: see gauntlet
hold --help.

Exit codes: 0 every hub is back (-o json says of each whether that is recorded and
verified); 1 one could not go back, or is back and failed a suite; 2 wrong input.`,
		Example: `  gauntlet rollback compute --key ci --reason "users cannot start servers"
  gauntlet rollback compute --key ada --to 12 --reason "back to before the new chart"
  gauntlet rollback production --key ci --reason "plots are blank everywhere"`,
		Args:              args("HUB|TIER"),
		ValidArgsFunction: a.completeHubsOrTiers,
		RunE: func(c *cobra.Command, names []string) error {
			switch {
			case restore && keep:
				return usagef("--restore-database and --keep-database: only one of them")
			case restore:
				o.Database = deploy.RestoreDatabase
			case keep:
				o.Database = deploy.KeepDatabase
			}
			if o.Reason == "" {
				return usagef("say why: --reason \"…\"")
			}
			if c.Flags().Changed("to") && o.To < 1 {
				return usagef("--to %d: revisions of Helm count from 1", o.To)
			}
			w, err := a.open()
			if err != nil {
				return err
			}
			if w.IsTier(names[0]) {
				if o.To != 0 {
					return usagef("--to names a revision of one hub: name the hub instead of tier %s", plain(names[0]))
				}
				t, err := w.RollbackTier(c.Context(), names[0], o)
				if t == nil {
					return err
				}
				if perr := a.print(t, func() { drawTierBack(a.out, t) }); perr != nil {
					return perr
				}
				return err
			}
			b, err := w.Rollback(c.Context(), names[0], o)
			if b == nil {
				return err
			}
			if perr := a.print(b, func() { drawBack(a.out, b) }); perr != nil {
				return perr
			}
			return err
		},
	}
	c.Flags().IntVar(&o.To, "to", 0, "the `REVISION` in Helm's history to go back to")
	c.Flags().StringVar(&o.Reason, "reason", "", "why the hub goes back")
	c.Flags().BoolVar(&restore, "restore-database", false, "put back the hub's database from before it was migrated")
	c.Flags().BoolVar(&keep, "keep-database", false, "leave a migrated database as it is")
	return c
}

// drawBack says where a hub is that was brought back.
func drawBack(out io.Writer, b *pipeline.RolledBack) {
	of := "taken over, of no release"
	if b.Release != "" {
		of = fmt.Sprintf("release %.12s", plain(b.Release))
	}
	fmt.Fprintf(out, "%s is back: revision %d runs what revision %d did (%s)\n", plain(b.Hub), b.Revision, b.To, of)
	if r := b.Restored; r != nil && r.Migrated() {
		fmt.Fprintf(out, "its database is back too: %s; the migrated one is kept as %s\n", plain(r.File), plain(r.Kept))
	}
	switch {
	case b.Problem != "":
		fmt.Fprintln(out, plain(b.Problem))
	case b.Verified:
		fmt.Fprintln(out, "recorded, and its suites passed")
	}
}

// drawTierBack says where each hub of a tier is that was brought back.
func drawTierBack(out io.Writer, t *pipeline.TierBack) {
	s := styleOf(out)
	fmt.Fprintf(out, "tier %s goes back from release %s:\n", plain(t.Tier), shown(t.Release))
	for _, h := range t.Hubs {
		mark := s.green(h.State)
		switch h.State {
		case pipeline.HubLeft:
			mark = s.dim(h.State)
		case pipeline.HubFailed:
			mark = s.red(h.State)
		}
		text := h.Why
		if b := h.Result; b != nil && text == "" {
			text = fmt.Sprintf("revision %d runs what revision %d did (release %s)", b.Revision, b.To, b.Release[:min(12, len(b.Release))])
			switch {
			case b.Problem != "":
				text += "; " + b.Problem
			case b.Verified:
				text += "; recorded, and its suites passed"
			}
		}
		fmt.Fprintf(out, "  %-14s %-6s %s\n", plain(h.Hub), mark, plain(text))
	}
}
