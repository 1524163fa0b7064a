package ledger

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"gauntlet/internal/evidence"
)

// A private key file is PEM of PKCS#8 (RFC 5958), which openssl and others read.
const (
	pemType   = "PRIVATE KEY"
	keySuffix = ".pem"
)

// A Key signs statements.
type Key struct {
	Name string // of its file
	Path string

	private ed25519.PrivateKey
}

// ID is the key's short name: see evidence.KeyID.
func (k *Key) ID() string { return evidence.KeyID(k.public()) }

// Public is the key's public half as a policy holds it: "ed25519:" and base64.
func (k *Key) Public() string { return evidence.FormatKey(k.public()) }

func (k *Key) public() ed25519.PublicKey { return k.private.Public().(ed25519.PublicKey) }

// String never shows the private half.
func (k *Key) String() string { return k.Name + " (" + k.ID() + ")" }

var keyName = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9._-]{0,62}$`)

// GenerateKey makes a key and keeps it in the default folder, where FindKey finds
// it by its name. It never writes over a file.
func GenerateKey(name string) (*Key, error) {
	if !keyName.MatchString(name) {
		return nil, fmt.Errorf("%q is no name for a key: letters, digits, dots, dashes and underscores", name)
	}
	dir, err := keyFolder()
	if err != nil {
		return nil, err
	}
	k, err := newKey(name)
	if err != nil {
		return nil, err
	}
	k.Path = filepath.Join(dir, name+keySuffix)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the folder of keys: %w", err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(k.private)
	if err != nil {
		return nil, fmt.Errorf("encode key %s: %w", name, err)
	}
	f, err := os.OpenFile(k.Path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("%s exists: choose another name, or move the old key away", k.Path)
	}
	if err != nil {
		return nil, fmt.Errorf("write key %s: %w", name, err)
	}
	err = pem.Encode(f, &pem.Block{Type: pemType, Bytes: der})
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return nil, errors.Join(fmt.Errorf("write key %s: %w", name, err), os.Remove(k.Path))
	}
	return k, nil
}

// NewKey is a key that is kept nowhere, for tests.
func NewKey(name string) (*Key, error) { return newKey(name) }

func newKey(name string) (*Key, error) {
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make key %s: %w", name, err)
	}
	return &Key{Name: name, private: private}, nil
}

// LoadKey reads a private key file. It refuses one that others may read, for what
// it signs would then prove little.
func LoadKey(path string) (*Key, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read the key: %w", err)
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("read the key: %w", err)
	}
	if !st.Mode().IsRegular() || st.Size() > 64<<10 {
		return nil, fmt.Errorf("%s is no key file", path)
	}
	if m := st.Mode().Perm(); m&0o077 != 0 {
		return nil, fmt.Errorf("%s may be read by others (mode %04o): chmod 600 %s", path, m, path)
	}
	data := make([]byte, st.Size())
	if _, err := f.ReadAt(data, 0); err != nil {
		return nil, fmt.Errorf("read the key %s: %w", path, err)
	}
	block, _ := pem.Decode(data)
	if block == nil || block.Type != pemType {
		return nil, fmt.Errorf("%s is no private key: want PEM %q, as `gauntlet key new` writes it", path, pemType)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("read the key %s: %w", path, err)
	}
	private, ok := parsed.(ed25519.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("%s holds a %T: want ed25519, as `gauntlet key new` makes it", path, parsed)
	}
	return &Key{Name: strings.TrimSuffix(filepath.Base(path), keySuffix), Path: path, private: private}, nil
}

// FindKey loads a key by the path of its file, when what is given holds a slash,
// or by its name in the default folder.
func FindKey(nameOrPath string) (*Key, error) {
	if strings.ContainsRune(nameOrPath, filepath.Separator) {
		return LoadKey(nameOrPath)
	}
	dir, err := keyFolder()
	if err != nil {
		return nil, err
	}
	path := filepath.Join(dir, nameOrPath+keySuffix)
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("no key %q in %s: make it with `gauntlet key new %s`, or give the path of its file", nameOrPath, dir, nameOrPath)
	}
	return LoadKey(path)
}

// keyFolder is $XDG_CONFIG_HOME/gauntlet/keys, by default ~/.config/gauntlet/keys.
func keyFolder() (string, error) {
	dir, err := os.UserConfigDir()
	if err != nil {
		return "", fmt.Errorf("find the folder of keys: %w", err)
	}
	return filepath.Join(dir, "gauntlet", "keys"), nil
}

// signer makes a Key a dsse.Signer, and a public key a dsse.Verifier.
type signer struct{ key *Key }

func (s signer) Sign(_ context.Context, data []byte) ([]byte, error) {
	return ed25519.Sign(s.key.private, data), nil
}

func (s signer) KeyID() (string, error) { return s.key.ID(), nil }

type verifier struct{ pub ed25519.PublicKey }

var errSignature = errors.New("bad signature")

func (v verifier) Verify(_ context.Context, data, sig []byte) error {
	if !ed25519.Verify(v.pub, data, sig) {
		return errSignature
	}
	return nil
}

func (v verifier) KeyID() (string, error) { return evidence.KeyID(v.pub), nil }

func (v verifier) Public() crypto.PublicKey { return v.pub }
