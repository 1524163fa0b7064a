package cli

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"gauntlet/internal/deploy/prepull"
	"gauntlet/internal/pipeline"
)

func (a *app) prepullCmd() *cobra.Command {
	return &cobra.Command{
		Use:   "prepull RELEASE HUB",
		Short: "Bring a release's images to the nodes of a hub before it is deployed",
		Long: `Pulls the images of a release onto the nodes where users and their Dask workers
will run, says of every node how far it is, and ends when enough of them have the
images (pools and prePull of the hub in gauntlet.yaml). Nodes that go away, are
cordoned, full or unreachable are named and left out. An image that its registry does
not have ends it at once. What it makes in the cluster is gone afterwards.

A deploy does the same by itself; done hours before, the deploy finds the images there.
No gate is asked, and nothing that users see changes. The result is recorded.

Exit codes: 0 the images are there; 1 they are not; 2 wrong input.`,
		Example: `  gauntlet prepull 3f2a9c compute --key ci
  gauntlet prepull v1.4.0 compute --key ci -o json`,
		Args:              args("RELEASE", "HUB"),
		ValidArgsFunction: a.completeDeploy,
		RunE: func(c *cobra.Command, names []string) error {
			w, err := a.open()
			if err != nil {
				return err
			}
			p, err := w.Prepull(c.Context(), names[0], names[1])
			if p != nil {
				if perr := a.print(p, func() { drawPrepull(a.out, p) }); err == nil {
					err = perr
				}
			}
			return err
		},
	}
}

// drawPrepull draws where the images are, a line for each pool and for each of its
// nodes that lacks them.
func drawPrepull(out io.Writer, p *pipeline.Prepulled) {
	s := styleOf(out)
	for _, r := range p.Pools {
		mark := s.green("✓")
		switch {
		case !r.Met:
			mark = s.red("✗")
		case len(r.Notes) > 0:
			mark = s.yellow("!")
		}
		fmt.Fprintf(out, "%s %s: %d of %s\n", mark, s.bold(plain(r.Pool)), r.Have, count(r.Want, "node", "nodes"))
		for _, ref := range r.Images {
			fmt.Fprintf(out, "    %s\n", s.dim(plain(ref)))
		}
		for _, n := range r.Nodes {
			if n.State != prepull.Had && n.State != prepull.Pulled {
				fmt.Fprintf(out, "  %s %s\n", s.bold(plain(n.Name)), plain(strings.TrimSpace(n.State+" "+n.Image+" "+n.Why)))
			}
		}
	}
}
