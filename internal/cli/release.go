package cli

import (
	"fmt"

	"github.com/spf13/cobra"
)

func (a *app) releaseCmd() *cobra.Command {
	c := &cobra.Command{
		Use: "release", Short: "Name a release for production",
		Example: "  gauntlet release tag v1.4.0",
	}
	return group(c, &cobra.Command{
		Use:   "tag VERSION [RELEASE]",
		Short: "Give a release its version, and its images a tag of that name",
		Long: `Gives a release (the newest, when none is named) its version, and the images that were
tested for it a tag of that name. A version is a new name for what was tested, never a
rebuild: it is given once, never moves, and rises. Run again after it was interrupted,
it does what is missing.`,
		Example: `  gauntlet release tag v1.4.0 --key ci
  gauntlet release tag v1.4.0 3f2a9c --key ci`,
		Args:              args("VERSION", "[RELEASE]"),
		ValidArgsFunction: a.completeVersion,
		RunE: func(c *cobra.Command, names []string) error {
			w, err := a.open()
			if err != nil {
				return err
			}
			return a.say(w.Version(c.Context(), optional(names, 1), names[0]))
		},
	})
}

func (a *app) versionCmd() *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		Short:   "Print gauntlet's own version",
		Example: "  gauntlet version -o json",
		Args:    args(),
		RunE: func(*cobra.Command, []string) error {
			type result struct {
				Version string `json:"version"`
			}
			return a.print(result{version()}, func() { fmt.Fprintln(a.out, "gauntlet version "+version()) })
		},
	}
}
