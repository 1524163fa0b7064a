package config

import (
	_ "embed"
	"fmt"
)

//go:embed schema/gauntlet.json
var platformSchema []byte

//go:embed schema/policy.json
var policySchema []byte

// Schema is the JSON schema (draft 2020-12) of "platform", which is gauntlet.yaml,
// or "policy", for editors. What it accepts the parsers may still refuse: they see
// the whole.
func Schema(kind string) ([]byte, error) {
	switch kind {
	case "platform":
		return platformSchema, nil
	case "policy":
		return policySchema, nil
	}
	return nil, fmt.Errorf("no schema for %q: there is platform and policy", kind)
}
