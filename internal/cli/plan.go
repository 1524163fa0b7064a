package cli

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"gauntlet/internal/pipeline"
	"gauntlet/internal/plan"
	"gauntlet/internal/preflight"
)

func (a *app) planCmd() *cobra.Command {
	save := ""
	c := &cobra.Command{
		Use:   "plan RELEASE HUB",
		Short: "Show what a deploy would change on a hub",
		Long: `Renders a release for a hub, lets the hub's API server say what it would make of
it (a server-side dry run), and compares that with what is live. Changes are grouped
by what they mean for users, the hardest first, with the number of people who are
connected now, of their kernels and Dask clusters. Nothing is changed and no gate is
asked. Values of Secrets are never shown.

Below the changes stands what preflight finds: an error would stop the deploy.

What is planned holds for the moment: what others change meanwhile is not in it. With
--save it is kept in a file, as hashes, and gauntlet deploy --plan does exactly that, or
refuses when the hub has moved on.

Exit codes: 0 also when nothing would change, or when preflight finds an error (gauntlet
preflight tells that by its own); 1 the plan failed, as the deploy would; 2 wrong input.`,
		Example: `  gauntlet plan 3f2a9c compute
  gauntlet plan v1.4.0 compute --save compute.plan
  gauntlet plan v1.4.0 compute -o json`,
		Args:              args("RELEASE", "HUB"),
		ValidArgsFunction: a.completeDeploy,
		RunE: func(c *cobra.Command, names []string) error {
			w, err := a.open()
			if err != nil {
				return err
			}
			p, err := w.Plan(c.Context(), names[0], names[1], save)
			if err != nil {
				return err
			}
			return a.print(p, func() { drawPlan(a.out, p) })
		},
	}
	c.Flags().StringVar(&save, "save", "", "keep the plan in this `FILE`, for gauntlet deploy --plan")
	return c
}

// drawPlan draws what a deploy would change, the hardest for users first.
func drawPlan(out io.Writer, p *pipeline.Planned) {
	drawChanges(out, p)
	drawForeseen(out, p)
	if p.Saved != nil {
		fmt.Fprintf(out, "\nsaved in %s (%s): gauntlet deploy %s %s --plan %s\n", plain(p.Saved.File), p.Saved.Digest.Short(), p.Release.Short(), plain(p.Hub), plain(p.Saved.File))
	}
}

// drawForeseen draws what preflight finds of a deploy that would change something.
func drawForeseen(out io.Writer, p *pipeline.Planned) {
	if len(p.Findings) == 0 {
		return
	}
	s := styleOf(out)
	title := s.yellow("PREFLIGHT")
	if n := len(preflight.Errors(p.Findings)); n > 0 {
		title = s.red(fmt.Sprintf("PREFLIGHT: %s would stop the deploy", count(n, "error", "errors")))
	}
	fmt.Fprintf(out, "\n%s\n", title)
	drawFindings(out, s, p.Findings)
}

func drawChanges(out io.Writer, p *pipeline.Planned) {
	s := styleOf(out)
	at := fmt.Sprintf("revision %d now", p.Revision)
	if p.Revision == 0 {
		at = "nothing installed yet"
	}
	fmt.Fprintf(out, "release %s on %s (%s, cluster %s, %s)\n", s.bold(p.Release.Short()), s.bold(plain(p.Hub)), plain(p.Tier), plain(p.Cluster), at)
	if p.Revision > 0 {
		fmt.Fprintf(out, "connected: %s\n", plain(connected(p.Connected)))
	}
	for _, n := range p.Notes {
		fmt.Fprintf(out, "%s %s\n", s.yellow("note:"), plain(n))
	}
	switch {
	case p.Reused:
		fmt.Fprintln(out, "\nnothing would change: the hub runs this release already")
		if len(p.Differs) > 0 {
			fmt.Fprintf(out, "changed by others since, or rendered otherwise now that the chart finds its own secrets, and left so: %s\n", plain(strings.Join(p.Differs, ", ")))
		}
		return
	case p.Unchanged:
		fmt.Fprintln(out, "\nnothing would change, but a deploy makes a new revision")
	}
	for _, g := range p.Groups {
		fmt.Fprintf(out, "\n%s\n", groupStyle(s, g.Name))
		for _, it := range g.Items {
			effect := ""
			if it.Effect != "" {
				effect = ": " + plain(it.Effect)
			}
			fmt.Fprintf(out, "  %s %s%s\n", actionMark(s, it.Action), s.bold(plain(it.Object)), effect)
			for _, l := range it.Lines {
				fmt.Fprintf(out, "      %s\n", s.dim(plain(l)))
			}
			if it.More > 0 {
				fmt.Fprintf(out, "      %s\n", s.dim(fmt.Sprintf("and %d more", it.More)))
			}
		}
	}
}

// connected says who is connected, or why that is not known.
func connected(c pipeline.Connected) string {
	users := fmt.Sprintf("%s with %s running", count(c.Users, "user", "users"), count(c.Servers, "server", "servers"))
	switch {
	case c.Problem != "":
		users = "not known: " + c.Problem
	case c.Users == 0:
		users = "nobody has a server running"
	case c.KernelsProblem == "":
		users += fmt.Sprintf(" and %s in them", count(c.Kernels, "kernel", "kernels"))
	case c.Kernels > 0:
		users += fmt.Sprintf(" and at least %s in them (%s)", count(c.Kernels, "kernel", "kernels"), c.KernelsProblem)
	default:
		users += fmt.Sprintf(", %d of them used in the last ten minutes (kernels are not known: %s)", c.Active, c.KernelsProblem)
	}
	switch {
	case c.DaskProblem != "":
		return users + "; Dask clusters: not known: " + c.DaskProblem
	case c.Dask.Clusters > 0:
		return users + fmt.Sprintf("; %s with %s", count(c.Dask.Clusters, "Dask cluster", "Dask clusters"), count(c.Dask.Workers, "worker", "workers"))
	}
	return users + "; no Dask cluster"
}

func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

func groupStyle(s style, name string) string {
	switch title := strings.ToUpper(name); name {
	case plan.CutOff:
		return s.red(title)
	case plan.Restarts, plan.UserServers, plan.Volumes, plan.Rights:
		return s.yellow(title)
	default:
		return s.cyan(title)
	}
}

func actionMark(s style, action string) string {
	switch action {
	case plan.Added:
		return s.green("+")
	case plan.Removed:
		return s.red("-")
	case plan.Runs:
		return s.cyan(">")
	case plan.Kept:
		return s.dim("=")
	}
	return s.yellow("~")
}
