package cli

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"gauntlet/internal/packages"
	"gauntlet/internal/pipeline"
)

func (a *app) diffCmd() *cobra.Command {
	var markdown bool
	c := &cobra.Command{
		Use:   "diff FROM TO",
		Short: "Say which packages differ between two releases, hubs or images",
		Long: `Lists what was added, removed, upgraded and downgraded in each image, environment by
environment: Debian's packages, each Python environment, each of conda's. Python and
what runs notebooks come first. Then, for each pair, what came to notebook and worker
together and what to one alone. FROM and TO are releases, image sets (the tag or the digest
that gauntlet build tells), hubs (what each runs now) or images by reference. What the
builder recorded tells, or else the registry: nothing is pulled to a node or started.

Exit codes: 0 also when they differ; 1 it could not be read; 2 wrong input.`,
		Example: `  gauntlet diff v1.3.0 v1.4.0
  gauntlet diff compute testing --markdown >> pull-request.md
  gauntlet diff registry.example.org/platform/notebook:3f2a9c1 v1.4.0 -o json`,
		Args: args("FROM", "TO"),
		ValidArgsFunction: func(c *cobra.Command, got []string, typed string) ([]string, cobra.ShellCompDirective) {
			if len(got) > 1 {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			releases, d := a.completeReleases(c, nil, typed)
			hubs, _ := a.completeHubs(c, nil, typed)
			return append(releases, hubs...), d
		},
		RunE: func(c *cobra.Command, names []string) error {
			if markdown && a.format == "json" {
				return usagef("--markdown and -o json exclude each other: leave one out")
			}
			w, err := a.open()
			if err != nil {
				return err
			}
			d, err := w.Diff(c.Context(), names[0], names[1])
			if err != nil {
				return err
			}
			return a.print(d, func() {
				if markdown {
					markdownDiff(a.out, d)
				} else {
					drawDiff(a.out, d)
				}
			})
		},
	}
	c.Flags().BoolVar(&markdown, "markdown", false, "write tables of Markdown, for a pull request")
	return c
}

// state says of an image what its environments do not; "" when they say it all.
func state(i pipeline.ImageDiff) string {
	switch {
	case i.From == "":
		return "new image, " + count(i.Packages, "package", "packages")
	case i.To == "":
		return "no longer there, " + count(i.Packages, "package", "packages")
	case len(i.Environments) == 0:
		return "no package differs of " + fmt.Sprint(i.Packages)
	}
	return ""
}

// place is an environment for people.
func place(e packages.Difference) string {
	if e.Kind == packages.Debian {
		return "Debian packages"
	}
	s := e.Path
	if e.Kind == packages.Conda {
		s += " (conda)"
	}
	if e.PythonFrom != e.PythonTo {
		s += ", Python " + orNone(e.PythonFrom) + " → " + orNone(e.PythonTo)
	}
	return s
}

func orNone(version string) string {
	if version == "" {
		return "none"
	}
	return version
}

// drawDiff draws what differs, a line for each package.
func drawDiff(out io.Writer, d *pipeline.Diff) {
	s := styleOf(out)
	fmt.Fprintf(out, "%s → %s\n", plain(d.From), plain(d.To))
	for _, i := range d.Images {
		fmt.Fprintf(out, "\n%s", s.bold(plain(i.Image)))
		if st := state(i); st != "" {
			fmt.Fprintf(out, ": %s\n", st)
		} else {
			fmt.Fprintln(out)
		}
		if i.From == "" || i.To == "" {
			continue
		}
		for _, e := range i.Environments {
			fmt.Fprintf(out, "  %s\n", plain(place(e)))
			for _, c := range e.Changes {
				fmt.Fprintf(out, "    %s\n", changeLine(s, c))
			}
		}
	}
	drawPairs(out, s, d)
}

// drawPairs says of each pair what came together: only that is sure to meet its like.
func drawPairs(out io.Writer, s style, d *pipeline.Diff) {
	for _, p := range d.Pairs {
		fmt.Fprintf(out, "\n%s\n", s.bold(plain(p.Notebook)+" + "+plain(p.Worker)))
		for _, part := range sharedParts(p) {
			fmt.Fprintf(out, "  %s: %s\n", part.where, plain(inLine(part.changes)))
		}
	}
}

type sharedPart struct {
	where   string
	changes []packages.Change
}

// sharedParts are the parts of a pair's changes that hold something.
func sharedParts(p pipeline.PairDiff) []sharedPart {
	var out []sharedPart
	for _, part := range []sharedPart{{"in both", p.Both}, {"in the notebook alone", p.First}, {"in the worker alone", p.Second}} {
		if len(part.changes) > 0 {
			out = append(out, part)
		}
	}
	return out
}

// inLine is changes in one line.
func inLine(changes []packages.Change) string {
	var words []string
	for _, c := range changes {
		switch c.What {
		case packages.Added:
			words = append(words, c.Package+" "+c.To+" added")
		case packages.Removed:
			words = append(words, c.Package+" "+c.From+" removed")
		default:
			words = append(words, c.Package+" "+c.From+" → "+c.To)
		}
	}
	return strings.Join(words, ", ")
}

func changeLine(s style, c packages.Change) string {
	name := fmt.Sprintf("%-24s", plain(c.Package))
	switch c.What {
	case packages.Added:
		return s.green("+ ") + name + " " + plain(c.To)
	case packages.Removed:
		return s.red("- ") + name + " " + plain(c.From)
	case packages.Downgraded:
		return s.yellow("↓ ") + name + " " + plain(c.From) + " → " + plain(c.To)
	case packages.Upgraded:
		return "↑ " + name + " " + plain(c.From) + " → " + plain(c.To)
	}
	return "~ " + name + " " + plain(c.From) + " → " + plain(c.To)
}

// markdownDiff writes what differs as GitHub-flavoured Markdown.
func markdownDiff(out io.Writer, d *pipeline.Diff) {
	fmt.Fprintf(out, "## Packages: %s → %s\n", cell(d.From), cell(d.To))
	for _, i := range d.Images {
		fmt.Fprintf(out, "\n### %s\n", cell(i.Image))
		if st := state(i); st != "" {
			fmt.Fprintf(out, "\n%s\n", st)
		}
		if i.From == "" || i.To == "" {
			continue
		}
		for _, e := range i.Environments {
			fmt.Fprintf(out, "\n%s\n", cell(place(e)))
			if len(e.Changes) == 0 {
				continue
			}
			fmt.Fprint(out, "\n| package | | from | to |\n|---|---|---|---|\n")
			for _, c := range e.Changes {
				fmt.Fprintf(out, "| %s | %s | %s | %s |\n", cell(c.Package), c.What, cell(c.From), cell(c.To))
			}
		}
	}
	for _, p := range d.Pairs {
		fmt.Fprintf(out, "\n### %s + %s\n\n", cell(p.Notebook), cell(p.Worker))
		for _, part := range sharedParts(p) {
			fmt.Fprintf(out, "- %s: %s\n", part.where, cell(inLine(part.changes)))
		}
	}
}

// markup is what Markdown and the HTML in it give a meaning to.
var markup = strings.NewReplacer(`\`, `\\`, "`", "\\`", "|", `\|`, "*", `\*`, "_", `\_`, "[", `\[`, "]", `\]`, "<", "&lt;", ">", "&gt;", "&", "&amp;", "#", `\#`, "@", "&#64;", "~", `\~`, "\t", " ")

// cell makes text that came from an image fit for a cell of a table: it stays one
// cell, is no markup and mentions nobody.
func cell(text string) string { return markup.Replace(plain(text)) }
