package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"gauntlet/internal/gate"
	"gauntlet/internal/pipeline"
)

func (a *app) logCmd() *cobra.Command {
	return &cobra.Command{
		Use:   "log [RELEASE]",
		Short: "List the signed statements of the ledger",
		Long: `Lists the statements of the ledger, oldest first: all, or those about a release,
its images and its hubs. Each line is the statement's id, its time, who signed it,
what it is about and what it says. Times are the signers' claims. Statements that
could not be verified are listed last and count as absent.`,
		Example: `  gauntlet log
  gauntlet log v1.4.0 -o json`,
		Args:              args("[RELEASE]"),
		ValidArgsFunction: a.completeReleases,
		RunE: func(c *cobra.Command, names []string) error {
			w, err := a.open()
			if err != nil {
				return err
			}
			entries, rejected, err := w.Log(c.Context(), first(names))
			if err != nil {
				return err
			}
			type result struct {
				Statements []pipeline.Entry `json:"statements"`
				Rejected   []gate.Rejected  `json:"rejected"`
			}
			return a.print(result{entries, rejected}, func() {
				s := styleOf(a.out)
				for _, e := range entries {
					fmt.Fprintf(a.out, "%s %s %-10s %-23s %s\n", s.dim(e.ID.Short()), e.Time.Local().Format("2006-01-02 15:04:05"), plain(e.Who), subjectOf(e), plain(e.Text))
				}
				for _, r := range rejected {
					fmt.Fprintf(a.out, "%s %s %s\n", s.dim(r.ID.Short()), s.red("counts as absent:"), plain(r.Reason))
				}
			})
		},
	}
}

// subjectOf is what a statement is about first of all.
func subjectOf(e pipeline.Entry) string {
	if len(e.Subjects) == 0 {
		return ""
	}
	return plain(e.Subjects[0].Kind + " " + e.Subjects[0].Digest.Short())
}
