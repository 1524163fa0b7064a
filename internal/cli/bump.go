package cli

import (
	"fmt"

	"github.com/spf13/cobra"
)

func (a *app) bumpCmd() *cobra.Command {
	var branch string
	c := &cobra.Command{
		Use:   "bump [TAG]",
		Short: "Make a branch whose values files ask for other images",
		Long: `Makes a branch with one commit by which every values file that asks for an image by tag
asks for this one: the newest that was built and has passed its test, unless a tag is
named. Files that must stay in sync change together; comments, order and everything else
in them stay byte for byte. The branch begins at what is checked out; the working tree
and the branch you are on stay as they are.

Exit codes: 0 also when no file has to change; 1 it could not be made; 2 wrong input,
such as a branch that exists or a tag that no builder built.`,
		Example: `  gauntlet bump && git push origin bump-3f2a9c1
  gauntlet bump v1.4.0 --branch release-1.4
  gauntlet bump -o json`,
		Args: args("[TAG]"),
		RunE: func(c *cobra.Command, names []string) error {
			w, err := a.open()
			if err != nil {
				return err
			}
			b, err := w.Bump(c.Context(), optional(names, 0), branch)
			if err != nil {
				return err
			}
			return a.print(b, func() { fmt.Fprintln(a.out, plain(b.Line())) })
		},
	}
	c.Flags().StringVar(&branch, "branch", "", "name of the branch (default bump-TAG)")
	return c
}
