package cli

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"gauntlet/internal/pipeline"
	"gauntlet/internal/preflight"
	"gauntlet/internal/preflight/codes"
)

func (a *app) preflightCmd() *cobra.Command {
	var o pipeline.DeployOptions
	c := &cobra.Command{
		Use:   "preflight RELEASE HUB",
		Short: "Look for what would make a deploy fail, or hurt its users",
		Long: `Looks, before a hub is touched, for what is known to go wrong with upgrades of
JupyterHub and Dask: images that their registries do not give to the hub's own pull
secrets, a Helm operation that never ended, nodes that take no pods, a database that
the new hub refuses, homes that would not be found again, secrets that every deploy
makes anew, users that are cut off or locked out, and more. Each finding has a code, a
cause and what mends it; docs/preflight.md lists the codes.

An error stops a deploy, a warning is recorded and told. gauntlet.yaml changes which is
which: preflight: {codes: {secret-plain: error, node-full: off}}.

A deploy does all this by itself. The command changes and records nothing, asks no gate
and needs no key.

Exit codes: 0 a deploy would go on; 1 an error would stop it; 2 wrong input.`,
		Example: `  gauntlet preflight 3f2a9c compute
  gauntlet preflight v1.4.0 compute -o json`,
		Args:              args("RELEASE", "HUB"),
		ValidArgsFunction: a.completeDeploy,
		RunE: func(c *cobra.Command, names []string) error {
			w, err := a.open()
			if err != nil {
				return err
			}
			p, err := w.Preflight(c.Context(), names[0], names[1], o)
			if err != nil {
				return err
			}
			if err := a.print(p, func() { drawPreflight(a.out, p) }); err != nil {
				return err
			}
			if n := len(preflight.Errors(p.Findings)); n > 0 {
				return fmt.Errorf("%s would stop a deploy of %s", count(n, "error", "errors"), p.Hub)
			}
			return nil
		},
	}
	c.Flags().BoolVar(&o.Adopt, "adopt", false, "judge a deploy that replaces what plain helm or another tool has deployed there")
	return c
}

// drawPreflight draws the findings, the errors first.
func drawPreflight(out io.Writer, p *pipeline.Preflighted) {
	s := styleOf(out)
	fmt.Fprintf(out, "release %s on %s (%s, cluster %s), %.1f s\n", s.bold(p.Release.Short()), s.bold(plain(p.Hub)), plain(p.Tier), plain(p.Cluster), p.Seconds)
	if p.Reused {
		fmt.Fprintln(out, "the hub runs this release already: a deploy would change nothing")
	}
	drawFindings(out, s, p.Findings)
}

// drawFindings draws what preflight found.
func drawFindings(out io.Writer, s style, found []preflight.Finding) {
	if len(found) == 0 {
		fmt.Fprintln(out, s.green("nothing was found"))
		return
	}
	width := 0
	for _, f := range found {
		width = max(width, len(f.Code))
	}
	for _, f := range found {
		mark := s.yellow("warning")
		if f.Severity == codes.Error {
			mark = s.red("error  ")
		}
		fmt.Fprintf(out, "\n%s  %s  %s\n", mark, s.bold(fmt.Sprintf("%-*s", width, f.Code)), plain(f.Object))
		indent := strings.Repeat(" ", len("warning")+2)
		fmt.Fprintf(out, "%s%s\n", indent, plain(f.Cause))
		if f.Fix != "" {
			fmt.Fprintf(out, "%s%s %s\n", indent, s.dim("fix:"), plain(f.Fix))
		}
		if f.Set {
			fmt.Fprintf(out, "%s%s\n", indent, s.dim("its severity is set in gauntlet.yaml"))
		}
	}
}
