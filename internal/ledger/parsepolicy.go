package ledger

import (
	"fmt"

	"go.yaml.in/yaml/v3"

	"gauntlet/internal/config"
)

// parsePolicy reads what the ledger needs of a policy.
// TODO: config.ParsePolicy takes its place.
func parsePolicy(file string, data []byte) (*config.Policy, error) {
	var raw struct {
		Tiers []map[string]struct {
			Hubs     string
			Suites   []string
			Approval *config.Approval
			Version  string
		}
		People map[string]config.Person
	}
	if err := yaml.Unmarshal(data, &raw); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	p := &config.Policy{People: raw.People}
	for _, m := range raw.Tiers {
		for name, t := range m {
			p.Tiers = append(p.Tiers, config.Tier{Name: name, Hubs: t.Hubs, Suites: t.Suites, Approval: t.Approval, Version: t.Version})
		}
	}
	return p, nil
}
