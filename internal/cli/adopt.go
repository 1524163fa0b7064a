package cli

import (
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/spf13/cobra"

	"gauntlet/internal/pipeline"
)

func (a *app) adoptCmd() *cobra.Command {
	var o pipeline.AdoptOptions
	c := &cobra.Command{
		Use:   "adopt HUB",
		Short: "Take over a hub that plain helm runs",
		Long: `Reads the values that a hub was given by hand (helm upgrade --set, --values) and
writes those that its files in gauntlet.yaml lack into new ones: secrets, told by their
names and by what the hub's Secrets hold, into a file that your sops program encrypts,
the rest into a values file. Both are added to the hub in gauntlet.yaml. Then it records
what the hub runs, so that the next deploy goes on from it. Nothing that runs is changed.

Commit what it has written, make a release with gauntlet run, and see with gauntlet plan
that it changes nothing. A hub of Argo CD or Flux is refused, with what lets it go. Helm
3 or 4 may have deployed it, and helm history and rollback keep working.

Deployers and board members may. It may be interrupted and run again.

Exit codes: 0 it is taken over; 1 it could not be; 2 wrong input.`,
		Example: `  gauntlet adopt compute --dry-run
  gauntlet adopt compute --key ci`,
		Args: args("HUB"),
		ValidArgsFunction: func(_ *cobra.Command, got []string, _ string) ([]string, cobra.ShellCompDirective) {
			if w, ok := a.quiet(); ok && len(got) == 0 {
				return slices.Sorted(maps.Keys(w.Platform.Hubs)), cobra.ShellCompDirectiveNoFileComp
			}
			return nil, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(c *cobra.Command, names []string) error {
			w, err := a.open()
			if err != nil {
				return err
			}
			found, err := w.Adopt(c.Context(), names[0], o)
			if found == nil {
				return err
			}
			if perr := a.print(found, func() { drawAdopted(a.out, found) }); perr != nil {
				return perr
			}
			return err
		},
	}
	c.Flags().BoolVar(&o.DryRun, "dry-run", false, "say what would be written, and write nothing")
	c.Flags().StringVar(&o.Folder, "folder", "adopted", "the `FOLDER` beside gauntlet.yaml for new files")
	return c
}

// drawAdopted tells what was found and written; of values the places alone.
func drawAdopted(out io.Writer, f *pipeline.Adopted) {
	s := styleOf(out)
	fmt.Fprintf(out, "%s in cluster %s: revision %d, chart %s\n", s.bold(plain(f.Hub)), plain(f.Cluster), f.Revision, plain(f.Chart))
	for _, i := range f.Images {
		fmt.Fprintf(out, "  image %s\n", plain(i))
	}
	verb := "written to"
	if f.DryRun {
		verb = "would be written to"
	}
	tell := func(file string, paths []string) {
		if len(paths) == 0 {
			return
		}
		fmt.Fprintf(out, "%s %s %s\n", count(len(paths), "value", "values"), verb, s.bold(plain(file)))
		for _, p := range paths {
			fmt.Fprintf(out, "  %s\n", plain(p))
		}
	}
	tell(f.ValuesFile, f.Values)
	tell(f.SecretsFile, f.Secrets)
	fmt.Fprintf(out, "%s in the files already\n", count(f.Same, "value was", "values were"))
	if len(f.Extra) > 0 {
		fmt.Fprintf(out, "%s in the files and not in what runs: a deploy brings them\n", count(len(f.Extra), "value is", "values are"))
		for _, p := range f.Extra {
			fmt.Fprintf(out, "  %s\n", plain(p))
		}
	}
	for _, n := range f.Notes {
		fmt.Fprintf(out, "%s %s\n", s.yellow("note:"), plain(n))
	}
	switch {
	case f.DryRun:
	case len(f.Values)+len(f.Secrets) > 0:
		fmt.Fprintln(out, "taken over; now commit these files and make a release with `gauntlet run`")
	default:
		fmt.Fprintln(out, "taken over")
	}
}
