package release

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
)

// Digest identifies bytes: "sha256:" and 64 lower-case hexadecimal digits, the
// form the OCI image specification uses. The zero value is "no digest".
type Digest string

// DigestOf is the digest of data.
func DigestOf(data []byte) Digest {
	sum := sha256.Sum256(data)
	return Digest("sha256:" + hex.EncodeToString(sum[:]))
}

// ParseDigest checks that s is a whole sha256 digest.
func ParseDigest(s string) (Digest, error) {
	h, ok := strings.CutPrefix(s, "sha256:")
	if !ok || len(h) != 64 || strings.ToLower(h) != h {
		return "", fmt.Errorf("%q is no digest: want sha256: and 64 lower-case hexadecimal digits", s)
	}
	if _, err := hex.DecodeString(h); err != nil {
		return "", fmt.Errorf("%q is no digest: %w", s, err)
	}
	return Digest(s), nil
}

// Hex is the digest without its algorithm: what in-toto's digest maps hold.
func (d Digest) Hex() string { return strings.TrimPrefix(string(d), "sha256:") }

// Short is the first twelve hexadecimal digits, for people to read and type.
func (d Digest) Short() string {
	h := d.Hex()
	if len(h) > 12 {
		return h[:12]
	}
	return h
}

// Label is the first forty hexadecimal digits: a Kubernetes label value holds at
// most 63 characters, one fewer than a sha256.
func (d Digest) Label() string {
	h := d.Hex()
	if len(h) > 40 {
		return h[:40]
	}
	return h
}
