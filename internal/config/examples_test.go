package config

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

// The examples have no problem but their keys, which are placeholders.
func TestExamplesHaveNoProblems(t *testing.T) {
	const zero = "ed25519:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
	for _, dir := range []string{"pangeo", "other-chart"} {
		dir = filepath.Join("../../examples", dir)
		p, err := ParsePlatform("gauntlet.yaml", []byte(read(t, filepath.Join(dir, "gauntlet.yaml"))))
		if err != nil {
			t.Fatalf("%s:\n%v", dir, err)
		}
		text := read(t, filepath.Join(dir, p.Policy))
		for i := 1; strings.Contains(text, zero); i++ {
			text = strings.Replace(text, zero, fmt.Sprintf("ed25519:%03dA%s=", i, strings.Repeat("A", 39)), 1)
		}
		pol, err := ParsePolicy("policy.yaml", []byte(text))
		if err != nil {
			t.Fatalf("%s:\n%v", dir, err)
		}
		if err := Check(p, pol); err != nil {
			t.Errorf("%s:\n%v", dir, err)
		}
		for _, h := range p.Hubs {
			for _, f := range h.Values {
				if ps := CheckValues(f, []byte(read(t, filepath.Join(dir, f))), p.Chart.Images); len(ps) > 0 {
					t.Errorf("%s:\n%v", dir, ps)
				}
			}
		}
		for _, s := range p.InSync {
			files := map[string][]byte{}
			for _, f := range s.Files {
				files[f] = []byte(read(t, filepath.Join(dir, f)))
			}
			if ps, err := OutOfSync(s, files); err != nil || len(ps) > 0 {
				t.Errorf("%s: %v\n%v", dir, err, Problems(ps))
			}
		}
	}
}
