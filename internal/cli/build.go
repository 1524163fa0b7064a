package cli

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"gauntlet/internal/release"
)

func (a *app) buildCmd() *cobra.Command {
	var write bool
	c := &cobra.Command{
		Use:   "build",
		Short: "Build the images of this commit, test them and pair them",
		Long: `Builds the images of the configuration from the image source's newest commit, in
parallel, pushes them by digest and writes the worker's digest into the notebook. Then
each image is tested and, side by side with that, each pair. The commit's tag appears
only once all images have passed. Images that were built from the same source before
are not built again, and verdicts on the same images by the same tests are reused.

With --write the tag is also written into every values file that asks for one, and
only there: comments and layout stay.`,
		Example: `  gauntlet build --key ci
  gauntlet build --key ci --write && git commit -am "Ask for the new images"
  gauntlet build -o json`,
		Args: args(),
		RunE: func(c *cobra.Command, _ []string) error {
			w, err := a.open()
			if err != nil {
				return err
			}
			b, err := w.Build(c.Context())
			if err != nil {
				return err
			}
			set, label := release.ImageSet{Images: b.Images}, b.Label
			var written []string
			if write {
				if written, err = w.WriteTag(label); err != nil {
					return err
				}
			}
			type result struct {
				ImageSet release.Digest            `json:"imageSet"`
				Tag      string                    `json:"tag"`
				Images   map[string]release.Digest `json:"images"`
				Total    int64                     `json:"total"`
				Shared   int64                     `json:"shared"`
				Written  []string                  `json:"written,omitempty"`
			}
			return a.print(result{set.Digest(), label, set.Images, b.Total, b.Shared, written}, func() {
				fmt.Fprintf(a.out, "image set %s, tag %s\n", set.Digest().Short(), label)
				for _, n := range slices.Sorted(maps.Keys(set.Images)) {
					fmt.Fprintf(a.out, "  %-10s %s/%s@%s\n", n, w.Platform.Registry, n, set.Images[n])
				}
				switch {
				case len(written) > 0:
					fmt.Fprintf(a.out, "asked for in %s: commit that\n", plain(strings.Join(written, ", ")))
				case write:
					fmt.Fprintln(a.out, "no values file was changed: they ask for this tag already, or leave it to the commit")
				}
			})
		},
	}
	c.Flags().BoolVar(&write, "write", false, "write the tag into the values files")
	return c
}
