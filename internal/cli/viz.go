package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"

	"github.com/spf13/cobra"

	"gauntlet/internal/pipeline"
)

func (a *app) vizCmd() *cobra.Command {
	c := &cobra.Command{
		Use:   "viz",
		Short: "See and accept the pictures that the suite viz takes",
		Long: `The suite viz draws maps and plots in JupyterLab, in a real browser, and takes pictures
of them. Whether a picture that has changed is better or broken is for a person to say.`,
		Example: `  gauntlet viz show testing --out /tmp/pictures
  gauntlet viz accept testing --key ada`,
	}
	return group(c, a.vizShowCmd(), a.vizAcceptCmd())
}

func (a *app) vizShowCmd() *cobra.Command {
	var out string
	c := &cobra.Command{
		Use:   "show HUB",
		Short: "List the newest pictures of a hub, and which of them have changed",
		Long: `Lists the pictures that were last taken of what a hub runs. With --out they are written
as PNG files: NAME.png is what was seen, NAME.accepted.png what was accepted before, and
NAME.difference.png both and what differs. Of what was not drawn, NAME.png is what was
there instead.`,
		Example: `  gauntlet viz show testing
  gauntlet viz show testing --out /tmp/pictures`,
		Args:              args("HUB"),
		ValidArgsFunction: a.completeHubs,
		RunE: func(c *cobra.Command, names []string) error {
			w, err := a.open()
			if err != nil {
				return err
			}
			list, err := w.Pictures(c.Context(), names[0])
			if err != nil {
				return err
			}
			if out != "" {
				if err := writePictures(out, list); err != nil {
					return err
				}
			}
			return a.print(list, func() { drawPictures(a, names[0], list) })
		},
	}
	c.Flags().StringVar(&out, "out", "", "write the pictures into this folder")
	return c
}

func (a *app) vizAcceptCmd() *cobra.Command {
	return &cobra.Command{
		Use:   "accept HUB [PICTURE...]",
		Short: "Say that pictures look as they should",
		Long: `Records that pictures of a hub look as they should: those that are named, or all that
are new or have changed. From then on later releases are compared with them. For board
members: look at them first, with gauntlet viz show HUB --out FOLDER.`,
		Example: `  gauntlet viz accept testing --key ada
  gauntlet viz accept testing folium --key ada`,
		ValidArgsFunction: a.completeHubs,
		Args: func(c *cobra.Command, names []string) error {
			if len(names) == 0 {
				return args("HUB", "[PICTURE...]")(c, names)
			}
			return nil
		},
		RunE: func(c *cobra.Command, names []string) error {
			w, err := a.open()
			if err != nil {
				return err
			}
			return a.say(w.AcceptPictures(c.Context(), names[0], names[1:]))
		},
	}
}

// pictureName are the names that a file is given; others come from nobody's suite.
var pictureName = regexp.MustCompile(`^[a-z0-9-]{1,60}$`)

func writePictures(dir string, list []pipeline.Picture) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("make the folder of the pictures: %w", err)
	}
	for _, p := range list {
		if !pictureName.MatchString(p.Name) {
			return fmt.Errorf("the ledger has a picture of the name %q, which is no name for a file", plain(p.Name))
		}
		for end, png := range map[string][]byte{".png": p.Seen, ".accepted.png": p.Accepted, ".difference.png": p.Difference} {
			if png == nil {
				continue
			}
			if err := os.WriteFile(filepath.Join(dir, p.Name+end), png, 0o644); err != nil {
				return fmt.Errorf("write a picture: %w", err)
			}
		}
	}
	return nil
}

func drawPictures(a *app, hub string, list []pipeline.Picture) {
	s, open := styleOf(a.out), 0
	for _, p := range list {
		state := s.green("accepted")
		switch p.State {
		case pipeline.PictureFailed:
			state = s.red(p.State)
		case pipeline.PictureNew, pipeline.PictureChanged:
			state = s.yellow(p.State)
			open++
		}
		fmt.Fprintf(a.out, "%-16s %s\n", plain(p.Name), state)
	}
	if open > 0 {
		fmt.Fprintf(a.out, "%s to look at: gauntlet viz show %s --out FOLDER; then gauntlet viz accept %s\n", count(open, "picture", "pictures"), plain(hub), plain(hub))
	}
}
