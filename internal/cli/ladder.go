package cli

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"gauntlet/internal/gate"
	"gauntlet/internal/pipeline"
	"gauntlet/internal/release"
)

// drawLadder draws the steps of a release, bottom of the journey first: state,
// since when, on what evidence, and what moves it.
func drawLadder(out io.Writer, st *pipeline.Status, now time.Time) {
	s := styleOf(out)
	name := "commit " + st.Label
	if st.Version != "" {
		name = st.Version + ", " + name
	}
	fmt.Fprintf(out, "release %s (%s)\n", s.bold(st.Release.Short()), plain(name))
	for _, image := range slices.Sorted(maps.Keys(st.Images)) {
		fmt.Fprintf(out, "  %-10s %s\n", image, st.Images[image])
	}
	fmt.Fprintln(out)
	for i, step := range st.Steps {
		since := ""
		if !step.Since.IsZero() {
			since = "since " + ago(now.Sub(step.Since))
		}
		line := fmt.Sprintf("%d %s %s %-9s %-16s %s", i+1, stepMark(s, step.State), s.bold(fmt.Sprintf("%-20s", step.Name)),
			step.State, since, s.dim(evidenceOf(step.Evidence)))
		fmt.Fprintln(out, strings.TrimRight(line, " "))
		for _, hub := range slices.Sorted(maps.Keys(step.Hubs)) {
			fmt.Fprintf(out, "      %-14s %s\n", hub, plain(step.Hubs[hub]))
		}
		for _, r := range step.Reasons {
			fmt.Fprintf(out, "      %s %s\n", s.yellow("-"), plain(r))
		}
		if step.Command != "" {
			fmt.Fprintf(out, "      %s %s\n", s.dim("next:"), plain(step.Command))
		}
	}
}

// drawHubs shows what every hub runs now, in the order of the tiers.
func drawHubs(out io.Writer, st *pipeline.Status) {
	s := styleOf(out)
	fmt.Fprintf(out, "\n%s\n", s.dim(fmt.Sprintf("%-14s %-14s %-9s %-14s %s", "HUB", "TIER", "REVISION", "RELEASE", "DEPLOYABLE")))
	for _, tier := range st.Tiers {
		for _, hub := range slices.Sorted(maps.Keys(st.TierOf)) {
			if st.TierOf[hub] != tier {
				continue
			}
			h := st.Hubs[hub]
			if h.Problem != "" {
				fmt.Fprintf(out, "%-14s %-14s %s\n", hub, tier, s.red(plain(h.Problem)))
				continue
			}
			rev := "-"
			if h.Revision > 0 {
				rev = fmt.Sprint(h.Revision)
			}
			if h.Adopted {
				fmt.Fprintf(out, "%-14s %-14s %-9s %s\n", hub, tier, rev, s.cyan("adopted: deployed by another tool, taken over"))
				continue
			}
			if h.Foreign {
				fmt.Fprintf(out, "%-14s %-14s %-9s %s\n", hub, tier, rev, s.yellow("drifted: not made by gauntlet"))
				continue
			}
			kept := ""
			if r, ok := st.Reservations[hub]; ok {
				kept = "  " + s.yellow("kept for "+plain(r.Who())+" until "+r.Until.Local().Format("2 Jan 15:04"))
			}
			fmt.Fprintf(out, "%-14s %-14s %-9s %-14s %s%s\n", hub, tier, rev, shown(h.Release), shown(h.Deployable), kept)
		}
	}
}

// drawAnswer prints why a gate did not allow: every requirement that does not hold,
// with the command that would satisfy it.
func drawAnswer(out io.Writer, a pipeline.Answer) {
	verb := "is denied"
	if a.Decision == gate.Wait {
		verb = "waits before"
	}
	place := a.Tier
	if a.Hub != "" {
		place = fmt.Sprintf("%s (%s)", a.Hub, a.Tier)
	}
	fmt.Fprintf(out, "release %s %s %s:\n", a.Release.Short(), verb, place)
	var unmet []gate.Requirement
	for _, r := range a.Requirements {
		if r.Decision != gate.Allow {
			unmet = append(unmet, r)
		}
	}
	drawRequirements(out, unmet)
}

// drawRequirements prints what a gate asked for, each with what it found.
func drawRequirements(out io.Writer, rs []gate.Requirement) {
	s := styleOf(out)
	for _, r := range rs {
		mark := s.green("holds ")
		switch {
		case r.Skipped:
			mark = s.red("due   ")
		case r.Decision == gate.Wait:
			mark = s.yellow("waits ")
		case r.Decision == gate.Deny:
			mark = s.red("denied")
		}
		fmt.Fprintf(out, "  %s %-28s %s\n", mark, plain(r.Name), plain(r.Reason))
		if r.Command != "" {
			fmt.Fprintf(out, "         %s %s\n", s.dim("to satisfy it:"), plain(r.Command))
		}
	}
}

func stepMark(s style, st gate.State) string {
	switch st {
	case gate.Done:
		return s.green("✓")
	case gate.Failed, gate.Blocked:
		return s.red("✗")
	case gate.Waiting, gate.Running:
		return s.yellow("…")
	}
	return s.dim("·")
}

func evidenceOf(ids []release.Digest) string {
	var short []string
	for _, id := range ids {
		short = append(short, id.Short())
	}
	if len(short) > 3 {
		short = append(short[:3], fmt.Sprintf("+%d", len(ids)-3))
	}
	return strings.Join(short, " ")
}

// ago is a duration in one unit, as kubectl shows ages.
func ago(d time.Duration) string {
	d = max(d, 0) // the signer's clock may be ahead of ours
	switch {
	case d < 2*time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < 2*time.Hour:
		return fmt.Sprintf("%dm", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh", int(d.Hours()))
	}
	return fmt.Sprintf("%dd", int(d.Hours()/24))
}

func shown(label string) string {
	if label == "" {
		return "-"
	}
	return plain(label[:min(12, len(label))])
}
