package cli

import (
	"maps"
	"slices"

	"github.com/spf13/cobra"

	"gauntlet/internal/pipeline"
)

// quiet opens the platform for completion, where nothing may be printed.
func (a *app) quiet() (*pipeline.Workspace, bool) {
	w, err := pipeline.Open(pipeline.Options{File: a.file})
	return w, err == nil
}

func (a *app) completeReleases(c *cobra.Command, got []string, _ string) ([]string, cobra.ShellCompDirective) {
	if w, ok := a.quiet(); ok && len(got) == 0 {
		names, _ := w.Releases(c.Context())
		return names, cobra.ShellCompDirectiveNoFileComp
	}
	return nil, cobra.ShellCompDirectiveNoFileComp
}

func (a *app) completeDeploy(c *cobra.Command, got []string, typed string) ([]string, cobra.ShellCompDirective) {
	if len(got) == 0 {
		return a.completeReleases(c, got, typed)
	}
	if w, ok := a.quiet(); ok && len(got) == 1 {
		return slices.Sorted(maps.Keys(w.Platform.Hubs)), cobra.ShellCompDirectiveNoFileComp
	}
	return nil, cobra.ShellCompDirectiveNoFileComp
}

func (a *app) completeTiers(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	tiers := map[string]bool{}
	if w, ok := a.quiet(); ok {
		for _, h := range w.Platform.Hubs {
			tiers[h.Tier] = true
		}
	}
	return slices.Sorted(maps.Keys(tiers)), cobra.ShellCompDirectiveNoFileComp
}
