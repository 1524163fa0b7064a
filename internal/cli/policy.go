package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"gauntlet/internal/release"
)

func (a *app) policyCmd() *cobra.Command {
	c := &cobra.Command{
		Use:   "policy",
		Short: "Set, change and show the policy that gates judge by",
		Long: `The policy in force is the newest one that the board of the policy before it has
accepted. The first is pinned in the clusters by ` + "`gauntlet policy init`" + `; the file
in a checkout is only ever a proposal.`,
		Example: `  gauntlet policy init --key ada         the first one
  gauntlet policy propose --key ada      another in its place
  gauntlet policy show`,
	}
	return group(c,
		&cobra.Command{
			Use: "init", Short: "Make policy.yaml the first policy and pin it in every hub's cluster",
			Example: "  gauntlet policy init --key ada", Args: args(),
			RunE: func(c *cobra.Command, _ []string) error {
				w, err := a.open()
				if err != nil {
					return err
				}
				d, err := w.PolicyInit(c.Context())
				return a.sayPolicy(d, fmt.Sprintf("policy %s is pinned at the workbench and at %d hubs", d.Short(), len(w.Platform.Hubs)), err)
			},
		},
		&cobra.Command{
			Use: "pin [DIGEST]", Short: "Pin the first policy at hubs that joined later",
			Example: "  gauntlet policy pin", Args: args("[DIGEST]"),
			RunE: func(c *cobra.Command, names []string) error {
				w, err := a.open()
				if err != nil {
					return err
				}
				var d release.Digest
				if len(names) > 0 {
					if d, err = release.ParseDigest(names[0]); err != nil {
						return usagef("%v", err)
					}
				}
				d, err = w.PolicyPin(c.Context(), d)
				return a.sayPolicy(d, fmt.Sprintf("policy %s is pinned at the workbench and at %d hubs", d.Short(), len(w.Platform.Hubs)), err)
			},
		},
		&cobra.Command{
			Use: "propose", Short: "Propose the checkout's policy.yaml in place of the one in force",
			Example: "  gauntlet policy propose --key ada", Args: args(),
			RunE: func(c *cobra.Command, _ []string) error {
				w, err := a.open()
				if err != nil {
					return err
				}
				d, err := w.PolicyPropose(c.Context())
				return a.sayPolicy(d, fmt.Sprintf("proposed policy %s: the board accepts it with `gauntlet policy accept %s`", d.Short(), d.Short()), err)
			},
		},
		&cobra.Command{
			Use: "accept DIGEST", Short: "Give a board member's word for a proposed policy",
			Example: "  gauntlet policy accept 9b1c44 --key grace", Args: args("DIGEST"),
			RunE: func(c *cobra.Command, names []string) error {
				w, err := a.open()
				if err != nil {
					return err
				}
				d, line, err := w.PolicyAccept(c.Context(), names[0])
				return a.sayPolicy(d, line, err)
			},
		},
		&cobra.Command{
			Use: "show", Short: "Print the policy in force",
			Example: "  gauntlet policy show > policy.yaml", Args: args(),
			RunE: func(c *cobra.Command, _ []string) error {
				w, err := a.open()
				if err != nil {
					return err
				}
				d, text, err := w.PolicyShow(c.Context())
				if err != nil {
					return err
				}
				return a.print(map[string]string{"digest": string(d), "text": text}, func() {
					fmt.Fprintf(a.out, "# policy %s\n%s", d, text)
				})
			},
		},
	)
}

// sayPolicy prints a line about a policy, or its JSON form.
func (a *app) sayPolicy(d release.Digest, line string, err error) error {
	if err != nil {
		return err
	}
	type result struct {
		Result string         `json:"result"`
		Digest release.Digest `json:"digest"`
	}
	return a.print(result{line, d}, func() { fmt.Fprintln(a.out, plain(line)) })
}
