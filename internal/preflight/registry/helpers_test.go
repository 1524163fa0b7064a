package registry

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// writeConfig logs docker in to a registry.
func writeConfig(t *testing.T, dir, host string) {
	t.Helper()
	// robot:hunter2
	text := fmt.Sprintf(`{"auths": {%q: {"auth": "cm9ib3Q6aHVudGVyMg=="}}}`, host)
	if err := os.WriteFile(filepath.Join(dir, "config.json"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
