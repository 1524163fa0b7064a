package ledger

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gauntlet/internal/evidence"
)

func TestKeyIsKeptForItsOwnerAlone(t *testing.T) {
	home := t.TempDir()
	t.Setenv("XDG_CONFIG_HOME", home)
	k, err := GenerateKey("ada")
	if err != nil {
		t.Fatal(err)
	}
	if want := filepath.Join(home, "gauntlet", "keys", "ada.pem"); k.Path != want {
		t.Errorf("kept at %s, want %s", k.Path, want)
	}
	st, err := os.Stat(k.Path)
	if err != nil {
		t.Fatal(err)
	}
	if st.Mode().Perm() != 0o600 {
		t.Errorf("mode %o, want 600", st.Mode().Perm())
	}
	for _, as := range []string{"ada", k.Path} {
		got, err := FindKey(as)
		if err != nil {
			t.Fatal(err)
		}
		if got.Public() != k.Public() || got.ID() != k.ID() || got.Name != "ada" {
			t.Errorf("found as %s: %v, want %v", as, got, k)
		}
	}
	pub, err := evidence.ParseKey(k.Public())
	if id := evidence.KeyID(pub); err != nil || id != k.ID() {
		t.Errorf("id of the public half %s, %v, want %s", id, err, k.ID())
	}
	if _, err := evidence.ParseKey(k.Public()); err != nil {
		t.Error(err)
	}
	if _, err := GenerateKey("ada"); err == nil || !strings.Contains(err.Error(), "exists") {
		t.Errorf("a second key of the name: %v", err)
	}
	if data, _ := os.ReadFile(k.Path); !strings.Contains(string(data), "BEGIN PRIVATE KEY") || strings.Contains(k.String(), string(data)) {
		t.Errorf("kept as %q", data)
	}
}

func TestKeysThatAreRefused(t *testing.T) {
	t.Setenv("XDG_CONFIG_HOME", t.TempDir())
	k, err := GenerateKey("ada")
	if err != nil {
		t.Fatal(err)
	}
	for mode, refused := range map[os.FileMode]bool{0o640: true, 0o604: true, 0o660: true, 0o400: false, 0o600: false} {
		if err := os.Chmod(k.Path, mode); err != nil {
			t.Fatal(err)
		}
		if _, err := LoadKey(k.Path); (err != nil) != refused {
			t.Errorf("mode %o: %v", mode, err)
		}
	}
	for name, content := range map[string]string{
		"empty":   "",
		"text":    "hello",
		"public":  k.Public(),
		"garbage": "-----BEGIN PRIVATE KEY-----\naGVsbG8=\n-----END PRIVATE KEY-----\n",
		"rsa":     "-----BEGIN RSA PRIVATE KEY-----\naGVsbG8=\n-----END RSA PRIVATE KEY-----\n",
	} {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := LoadKey(path); err == nil {
			t.Errorf("%s is taken for a key", name)
		}
	}
	if _, err := FindKey("grace"); err == nil || !strings.Contains(err.Error(), "gauntlet key new grace") {
		t.Errorf("a key that is not there: %v", err)
	}
	for _, name := range []string{"", "../ada", "a b", ".hidden", "a/b"} {
		if _, err := GenerateKey(name); err == nil {
			t.Errorf("%q is taken for a name", name)
		}
	}
}
