package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// keepsSecrets gives the platform a sops that encrypts to a key of its own, as a team has
// one: sops with age, the key in a file that the environment names.
func (s *small) keepsSecrets() {
	s.t.Helper()
	key := filepath.Join(s.t.TempDir(), "keys.txt")
	s.sh(filepath.Join(root, "bin", "age-keygen"), "-o", key)
	public := strings.TrimSpace(s.sh(filepath.Join(root, "bin", "age-keygen"), "-y", key))
	s.write(".sops.yaml", fmt.Sprintf("creation_rules:\n  - path_regex: '\\.enc\\.ya?ml$'\n    age: %s\n", public))
	s.env = append(s.env, "PATH="+filepath.Join(root, "bin")+":"+os.Getenv("PATH"), "SOPS_AGE_KEY_FILE="+key)
}
