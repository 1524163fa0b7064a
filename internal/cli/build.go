package cli

import (
	"fmt"
	"maps"
	"slices"

	"github.com/spf13/cobra"

	"gauntlet/internal/pipeline"
	"gauntlet/internal/release"
)

func (a *app) buildCmd() *cobra.Command {
	var o pipeline.BuildOptions
	c := &cobra.Command{
		Use:   "build",
		Short: "Build the images of this commit, test them and pair them",
		Long: `Builds the images of the configuration from the image source's newest commit, in
parallel, pushes them by digest and writes the worker's digest into the notebook. Then
each image is tested and, side by side with that, each pair. The commit's tag appears
only once all images have passed. Images that were built from the same source before
are not built again, and verdicts on the same images by the same tests are reused.

What asks for them then: gauntlet bump.`,
		Example: `  gauntlet build --key ci
  gauntlet build --key ci --again      test and pair them once more
  gauntlet build --key ci --dirty      of the working tree, before it is committed
  gauntlet build -o json`,
		Args: args(),
		RunE: func(c *cobra.Command, _ []string) error {
			w, err := a.open()
			if err != nil {
				return err
			}
			b, err := w.Build(c.Context(), o)
			if err != nil {
				return err
			}
			set, label := release.ImageSet{Images: b.Images}, b.Label
			type result struct {
				ImageSet release.Digest            `json:"imageSet"`
				Tag      string                    `json:"tag"`
				Images   map[string]release.Digest `json:"images"`
				Total    int64                     `json:"total"`
				Shared   int64                     `json:"shared"`
			}
			return a.print(result{set.Digest(), label, set.Images, b.Total, b.Shared}, func() {
				fmt.Fprintf(a.out, "image set %s, tag %s\n", set.Digest().Short(), label)
				for _, n := range slices.Sorted(maps.Keys(set.Images)) {
					fmt.Fprintf(a.out, "  %-10s %s/%s@%s\n", n, w.Platform.Registry, n, set.Images[n])
				}
			})
		},
	}
	buildFlags(c, &o)
	return c
}

// buildFlags are for commands that build and test images.
func buildFlags(c *cobra.Command, o *pipeline.BuildOptions) {
	c.Flags().BoolVar(&o.Again, "again", false, "test and pair the images once more, whatever the ledger says of them")
	c.Flags().BoolVar(&o.Dirty, "dirty", false, "take the working tree as it is, with what no commit holds: for the first tier only, and named so")
}
