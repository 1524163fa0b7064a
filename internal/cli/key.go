package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"gauntlet/internal/ledger"
	"gauntlet/internal/pipeline"
)

func (a *app) keyCmd() *cobra.Command {
	c := &cobra.Command{
		Use: "key", Short: "Make the key you sign with",
		Example: "  gauntlet key new ada",
	}
	return group(c, &cobra.Command{
		Use:   "new NAME",
		Short: "Make a signing key and print its public half for the policy",
		Long: `Makes an ed25519 key in $XDG_CONFIG_HOME/gauntlet/keys (or ~/.config/gauntlet/keys),
readable by you alone, and prints the public half, which goes into the policy's
people. An existing key is never overwritten.`,
		Example: `  gauntlet key new ada`,
		Args:    args("NAME"),
		RunE: func(_ *cobra.Command, names []string) error {
			k, err := ledger.GenerateKey(names[0])
			if err != nil {
				return &pipeline.InputError{Err: err}
			}
			type result struct {
				Name   string `json:"name"`
				Public string `json:"public"`
				ID     string `json:"id"`
			}
			return a.print(result{k.Name, k.Public(), k.ID()}, func() {
				fmt.Fprintf(a.out, "key %s, for the policy:\n  %s: {key: %q, roles: []}\n", k.Name, k.Name, k.Public())
			})
		},
	})
}
