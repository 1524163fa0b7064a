package cli

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"gauntlet/internal/check/suites"
	"gauntlet/internal/pipeline"
)

// completionTimeout bounds what is asked for a key press.
const completionTimeout = 3 * time.Second

// quiet opens the platform for completion, where nothing may be printed.
func (a *app) quiet() (*pipeline.Workspace, bool) {
	w, err := pipeline.Open(pipeline.Options{File: a.file})
	return w, err == nil
}

func (a *app) completeReleases(c *cobra.Command, got []string, _ string) ([]string, cobra.ShellCompDirective) {
	if w, ok := a.quiet(); ok && len(got) == 0 {
		ctx, cancel := context.WithTimeout(c.Context(), completionTimeout)
		defer cancel()
		names, _ := w.Releases(ctx)
		return names, cobra.ShellCompDirectiveNoFileComp
	}
	return nil, cobra.ShellCompDirectiveNoFileComp
}

// completeVersion proposes releases after the version, which is for people to choose.
func (a *app) completeVersion(c *cobra.Command, got []string, typed string) ([]string, cobra.ShellCompDirective) {
	if len(got) == 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return a.completeReleases(c, got[1:], typed)
}

func (a *app) completeApprove(c *cobra.Command, got []string, typed string) ([]string, cobra.ShellCompDirective) {
	if len(got) == 1 {
		return a.completeTiers(c, got, typed)
	}
	return a.completeReleases(c, got, typed)
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

func (a *app) completeHubs(_ *cobra.Command, got []string, _ string) ([]string, cobra.ShellCompDirective) {
	if w, ok := a.quiet(); ok && len(got) == 0 {
		return slices.Sorted(maps.Keys(w.Platform.Hubs)), cobra.ShellCompDirectiveNoFileComp
	}
	return nil, cobra.ShellCompDirectiveNoFileComp
}

// completeCheck is a hub, then suites.
func (a *app) completeCheck(c *cobra.Command, got []string, typed string) ([]string, cobra.ShellCompDirective) {
	if url, _ := c.Flags().GetString("url"); url == "" && len(got) == 0 {
		return a.completeHubs(c, got, typed)
	}
	names := suites.Names()
	if w, ok := a.quiet(); ok {
		names = w.SuiteNames()
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

// completeHubsOrTiers proposes what a rollback takes.
func (a *app) completeHubsOrTiers(c *cobra.Command, got []string, typed string) ([]string, cobra.ShellCompDirective) {
	hubs, _ := a.completeHubs(c, got, typed)
	if len(got) == 0 {
		tiers, _ := a.completeTiers(c, got, typed)
		hubs = append(hubs, tiers...)
	}
	return hubs, cobra.ShellCompDirectiveNoFileComp
}

// completeLifts proposes what --lift takes: the holds, or the overrides, that stand.
func (a *app) completeLifts(overrides bool) func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return func(c *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
		var ids []string
		if w, ok := a.quiet(); ok {
			ctx, cancel := context.WithTimeout(c.Context(), completionTimeout)
			defer cancel()
			os, hs, _ := w.Standing(ctx)
			for _, o := range os {
				if overrides {
					ids = append(ids, o.ID.Short()+"\t"+plain("release "+o.Release.Short()+" for "+o.Tier+" by "+o.Who))
				}
			}
			for _, h := range hs {
				if !overrides {
					ids = append(ids, h.ID.Short()+"\t"+plain(h.Of()+" by "+h.Who))
				}
			}
		}
		return append(ids, "all"), cobra.ShellCompDirectiveNoFileComp
	}
}
