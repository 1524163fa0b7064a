package chart

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"strings"

	"gauntlet/internal/release"
)

// userCache is $XDG_CACHE_HOME/gauntlet/charts, by default ~/.cache/gauntlet/charts.
func userCache() string {
	dir, err := os.UserCacheDir()
	if err != nil {
		return ""
	}
	return filepath.Join(dir, "gauntlet", "charts")
}

// place is the folder that holds one version of a chart: its archive is named by its
// digest, so that a file that is not what its name says counts for nothing.
func (f Fetcher) place(c Chart) string {
	sum := sha256.Sum256([]byte(strings.TrimRight(c.Repo, "/")))
	return filepath.Join(f.Cache, hex.EncodeToString(sum[:8]), c.Name, strings.TrimPrefix(c.Version, "v"))
}

func (f Fetcher) cached(c Chart) ([]byte, bool) {
	if f.Cache == "" || filepath.Base(c.Name) != c.Name || filepath.Base(c.Version) != c.Version {
		return nil, false
	}
	list, err := os.ReadDir(f.place(c))
	if err != nil {
		return nil, false
	}
	for _, e := range list {
		hexa, ok := strings.CutSuffix(e.Name(), ".tgz")
		want := release.Digest("sha256:" + hexa)
		if !ok || c.Digest != "" && c.Digest != want {
			continue
		}
		b, err := os.ReadFile(filepath.Join(f.place(c), e.Name()))
		if err == nil && release.DigestOf(b) == want && is(b, c.Name, c.Version) == nil {
			return b, true
		}
	}
	return nil, false
}

// keep writes an archive so that a reader finds all of it or nothing. A cache that
// cannot be written only makes the next fetch slower.
func (f Fetcher) keep(c Chart, b []byte) {
	if f.Cache == "" || filepath.Base(c.Name) != c.Name || filepath.Base(c.Version) != c.Version || os.MkdirAll(f.place(c), 0o700) != nil {
		return
	}
	t, err := os.CreateTemp(f.place(c), "new-*")
	if err != nil {
		return
	}
	_, err = t.Write(b)
	if err = errors.Join(err, t.Close()); err == nil {
		err = os.Rename(t.Name(), filepath.Join(f.place(c), release.DigestOf(b).Hex()+".tgz"))
	}
	if err != nil {
		_ = os.Remove(t.Name())
	}
}
