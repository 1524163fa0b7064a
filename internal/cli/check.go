package cli

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"gauntlet/internal/check"
	"gauntlet/internal/check/suites"
	"gauntlet/internal/kube"
	"gauntlet/internal/pipeline"
)

func (a *app) checkCmd() *cobra.Command {
	var live pipeline.LiveHub
	var junit string
	var every time.Duration
	c := &cobra.Command{
		Use:   "check HUB [SUITE...]",
		Short: "Run suites on a hub as it is now",
		Long: `Runs suites on a live hub: those that are named, or those that its tier asks for. A
suite starts one server, of a user made for the purpose, and nothing of that user stays
behind. What it finds is told, and with --key recorded as evidence when the hub runs a
release of gauntlet's; nothing is deployed.

The suite scaling may make an autoscaler bring nodes; the suite nodes looks whether they
are gone again, and is pending until then. --every runs suites on a schedule, until it is
interrupted; a failure is told and does not end it.

Suites: ` + strings.Join(suites.Names(), ", ") + `, and those of suites: in gauntlet.yaml.

A hub that gauntlet.yaml does not have is named by --url, --context and --namespace, and
by the Secret there that holds an API token of the hub with the scopes of gauntlet's
service (docs/manual.md).

Exit codes: 0 all passed; 1 a suite failed; 2 wrong input.`,
		Example: `  gauntlet check testing
  gauntlet check testing completion --junit report.xml
  gauntlet check testing nodes --key ci --every 5m
  gauntlet check --url https://hub.example.org --context prod --namespace jhub hub completion`,
		ValidArgsFunction: a.completeCheck,
		Args: func(c *cobra.Command, names []string) error {
			if live.URL == "" && len(names) == 0 {
				return args("HUB", "[SUITE...]")(c, names)
			}
			return nil
		},
		RunE: func(c *cobra.Command, names []string) error {
			if every == 0 {
				out, err := a.checkHub(c, live, names, false)
				if err != nil {
					return err
				}
				return a.showChecked(out, junit)
			}
			if every < leastEvery {
				return usagef("--every %s is too often: write %s or more", every, leastEvery)
			}
			for {
				out, err := a.checkHub(c, live, names, true)
				if err != nil {
					return err
				}
				if err := a.showChecked(out, junit); err != nil {
					fmt.Fprintf(a.err, "%s\n", plain(err.Error()))
				}
				if err := kube.Sleep(c.Context(), every); err != nil {
					return err
				}
			}
		},
	}
	f := c.Flags()
	f.StringVar(&live.URL, "url", "", "address of a hub that gauntlet.yaml does not have")
	f.StringVar(&live.Context, "context", "", "its cluster, as a context of the kubeconfig")
	f.StringVar(&live.Namespace, "namespace", "", "its namespace")
	f.StringVar(&live.Token.Secret, "token-secret", "hub", "the Secret of the namespace with an API token of the hub")
	f.StringVar(&live.Token.Key, "token-key", "gauntlet", "the token's key in the Secret")
	f.DurationVar(&every, "every", 0, "run again and again, with this pause; refused for suites that may add nodes")
	f.StringVar(&junit, "junit", "", "write the results as JUnit XML to this file")
	return c
}

// leastEvery is the shortest pause between two runs on a schedule: a suite starts a server.
const leastEvery = 10 * time.Second

// showChecked writes the report, shows what was found, and is the first failure of it.
func (a *app) showChecked(out *pipeline.Checked, junit string) error {
	if junit != "" {
		var b bytes.Buffer
		if err := check.JUnit(&b, out.Hub, out.Suites); err != nil {
			return err
		}
		if err := os.WriteFile(junit, b.Bytes(), 0o644); err != nil {
			return fmt.Errorf("write the report: %w", err)
		}
	}
	if err := a.print(out, func() { drawChecked(a, out) }); err != nil {
		return err
	}
	return out.Failed()
}

func (a *app) checkHub(c *cobra.Command, live pipeline.LiveHub, names []string, again bool) (*pipeline.Checked, error) {
	if live.URL != "" {
		return pipeline.CheckLive(c.Context(), live, names, again, a.progress().Event)
	}
	w, err := a.open()
	if err != nil {
		return nil, err
	}
	return w.Check(c.Context(), names[0], names[1:], again)
}

// drawChecked sums up each suite in a line; what each check found was told as it came.
func drawChecked(a *app, out *pipeline.Checked) {
	s := styleOf(a.out)
	for _, r := range out.Suites {
		failed, warned := 0, 0
		for _, o := range r.Outcomes {
			switch o.State {
			case check.Failed:
				failed++
			case check.Warned:
				warned++
			}
		}
		state := s.green("passed")
		switch {
		case failed > 0:
			state = s.red("failed")
		case r.State == check.PendingState:
			state = s.yellow("pending")
		case warned > 0:
			state = s.yellow("warned")
		}
		fmt.Fprintf(a.out, "%-12s %s  %s in %.0f s", plain(r.Suite), state, count(len(r.Outcomes), "check", "checks"), r.Finished.Sub(r.Started).Seconds())
		if failed > 0 {
			fmt.Fprintf(a.out, ", %d failed", failed)
		}
		if warned > 0 {
			fmt.Fprintf(a.out, ", %s", count(warned, "warning", "warnings"))
		}
		fmt.Fprintln(a.out)
	}
	switch {
	case out.Recorded:
		fmt.Fprintf(a.out, "recorded for release %s\n", out.Release.Short())
	case out.Release != "":
		fmt.Fprintf(a.out, "%s runs release %s; not recorded: no --key\n", plain(out.Hub), out.Release.Short())
	}
}
