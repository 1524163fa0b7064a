package cli

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"gauntlet/internal/deploy"
	"gauntlet/internal/pipeline"
)

func (a *app) unstickCmd() *cobra.Command {
	var yes, goOn bool
	c := &cobra.Command{
		Use:   "unstick HUB",
		Short: "Get a hub out of a Helm upgrade that hangs, whoever started it",
		Long: `For an upgrade that helm, a CI job or gauntlet itself began and that hangs or was
killed: says what it waits for and why, which nodes hold it, whether a helm may still be
at work, and the way out for the version of Helm that began it. Nothing is changed
without --yes.

With --yes the hook that is waited for is made to fail. A helm of version 3 or 4 that is
alive then notes the failure and ends; when none does, gauntlet marks the revision failed.
Hooks that were left at work (pods that go on pulling an image) are removed, and what the
hub runs is looked at. All of it is under gauntlet's lock, which helm ignores: whether a
helm is alive cannot be known, so look for it (a terminal, a CI job) before.

With --go-on a helm that is alive goes on instead: the nodes that hold the hook's DaemonSet
are left out of it, when it is ready on others. When it is ready on none, Helm 3 alone can
go on, without its hook: what that was to make sure of is then not so.

It needs no key and no registry: the rights on the cluster decide who may. The ledger gets
no record, since no release came or went; Helm's history says what was done.

Exit codes: 0 nothing hangs, or it does no more and the hub is up; 1 it failed, or the hub
is not up; 2 wrong input; 3 something hangs, and --yes is waited for.`,
		Example: `  gauntlet unstick compute
  gauntlet unstick compute --yes
  gauntlet unstick compute --go-on --yes`,
		Args:              args("HUB"),
		ValidArgsFunction: a.completeHubs,
		RunE: func(c *cobra.Command, names []string) error {
			if goOn && !yes {
				return usagef("--go-on is how to do it: add --yes")
			}
			w, err := a.open()
			if err != nil {
				return err
			}
			look := func() (*pipeline.Sticking, error) { return w.Hanging(c.Context(), names[0]) }
			if yes {
				look = func() (*pipeline.Sticking, error) { return w.Unstick(c.Context(), names[0], goOn) }
			}
			s, err := look()
			if s == nil {
				return err
			}
			if perr := a.print(s, func() { drawSticking(a.out, s) }); perr != nil {
				return perr
			}
			if err == nil && s.Hang != nil && s.Done == nil {
				return &asksError{}
			}
			return err
		},
	}
	c.Flags().BoolVar(&yes, "yes", false, "do it")
	c.Flags().BoolVar(&goOn, "go-on", false, "let a helm that is alive go on, instead of ending it")
	return c
}

// drawSticking says what hangs, why, and the ways out, or what was done.
func drawSticking(out io.Writer, st *pipeline.Sticking) {
	s := styleOf(out)
	h := st.Hang
	if h == nil {
		fmt.Fprintf(out, "nothing hangs on %s\n", plain(st.Hub))
	} else {
		drawHang(out, st.Hub, h)
	}
	if st.Alive != "" && st.Done == nil {
		fmt.Fprintf(out, "  %-10s %s. That cannot be known: helm's record names no process\n", "alive?", st.Alive)
	}
	if len(st.Ways) > 0 {
		fmt.Fprintln(out, "\nthe way out:")
		for _, w := range st.Ways {
			fmt.Fprintf(out, "  %s\n      %s\n", s.bold(plain(w.Command)), plain(w.Does))
		}
		if _, why := deploy.WayOn(h); why != "" && h.Helm == 4 && h.Hook != nil && h.Pending() && !h.Gauntlet {
			fmt.Fprintf(out, "  %s\n", s.dim(why))
		}
	}
	if d := st.Done; d != nil {
		drawDone(out, st.Hub, d)
	}
	for _, n := range st.Next {
		fmt.Fprintf(out, "next: %s\n", plain(n))
	}
}

func drawHang(out io.Writer, hub string, h *deploy.Hang) {
	s := styleOf(out)
	tool := fmt.Sprintf("Helm %d", h.Helm)
	if h.Gauntlet {
		tool = "gauntlet"
	}
	what := "hangs"
	if !h.Pending() {
		what = "has left hooks at work"
	}
	fmt.Fprintf(out, "%s: revision %d (%s) of %s %s since %s (%s)\n", s.bold(plain(hub)), h.Revision, plain(h.Status), tool, what, stamp(h.Begun), ago(h.Now.Sub(h.Begun)))
	line := func(label, text string) { fmt.Fprintf(out, "  %-10s %s\n", label, plain(text)) }
	if k := h.Hook; k != nil {
		line("waits for", k.Object+", a hook")
		if k.Says != "" {
			line("", "its log: "+k.Says)
		}
	}
	for _, c := range h.Causes {
		fmt.Fprintf(out, "  %-10s %s %s\n", s.red("cause"), plain(c.Object+":"), plain(c.Message))
	}
	if len(h.Causes) == 0 && h.Pending() {
		line("cause", "nothing is wrong with any of its pods")
	}
	for _, n := range h.Nodes {
		line("held by", fmt.Sprintf("node %s (pod %s)", n.Node, n.Pod))
	}
	if h.Pending() {
		applied := "some or all of its objects may have been"
		if h.Unapplied {
			applied = "nothing: the hub runs what it ran before"
		}
		line("applied", applied)
	}
	if len(h.Leftovers) > 0 {
		line("hooks", strings.Join(h.Leftovers, ", "))
	}
}

// drawDone says what was done and what the hub runs.
func drawDone(out io.Writer, hub string, d *deploy.Unstuck) {
	s := styleOf(out)
	if d.Hang != nil {
		switch d.Ended {
		case deploy.EndedItself:
			fmt.Fprintf(out, "\nthe helm that hung was alive and has noted the end of revision %d: it is %s\n", d.Hang.Revision, plain(d.Runs.Status))
		case deploy.EndedMarked:
			fmt.Fprintf(out, "\nno helm noted the end of revision %d: it is marked failed\n", d.Hang.Revision)
		}
		for _, r := range d.Removed {
			fmt.Fprintf(out, "removed %s\n", plain(r))
		}
	}
	r := d.Runs
	switch {
	case r.Revision == 0:
		fmt.Fprintf(out, "%s %s: %s\n", s.yellow("!"), plain(hub), plain(r.Why))
	case r.Up:
		fmt.Fprintf(out, "%s %s runs revision %d, and all its workloads are up\n", s.green("✓"), plain(hub), r.Revision)
	default:
		fmt.Fprintf(out, "%s %s: revision %d is deployed: %s\n", s.red("✗"), plain(hub), r.Revision, plain(r.Why))
	}
}
