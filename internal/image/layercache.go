package image

import (
	"compress/gzip"
	"encoding/gob"
	"os"
	"path/filepath"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// layerForm changes when what is kept of a layer does.
const layerForm = "1"

// A layerCache keeps on disk what layers tell of packages, by digest: most layers of a
// new image are those of the last. It is a convenience, so whatever goes wrong with it
// has a layer read once more.
type layerCache string // folder, "" for none

// userLayers is the cache of whoever runs this.
func userLayers() layerCache {
	dir, err := os.UserCacheDir()
	if err != nil {
		return ""
	}
	return layerCache(filepath.Join(dir, "gauntlet", "layers-"+layerForm))
}

func (c layerCache) file(h v1.Hash) string { return filepath.Join(string(c), h.Algorithm+"-"+h.Hex) }

func (c layerCache) get(h v1.Hash) (*layerFiles, bool) {
	if c == "" {
		return nil, false
	}
	f, err := os.Open(c.file(h))
	if err != nil {
		return nil, false
	}
	defer func() { _ = f.Close() }()
	z, err := gzip.NewReader(f)
	if err != nil {
		return nil, false
	}
	l := new(layerFiles)
	if err := gob.NewDecoder(z).Decode(l); err != nil {
		return nil, false
	}
	return l, true
}

// put keeps a layer; nobody ever sees a part of it.
func (c layerCache) put(h v1.Hash, l *layerFiles) {
	if c == "" || os.MkdirAll(string(c), 0o700) != nil {
		return
	}
	f, err := os.CreateTemp(string(c), "new-")
	if err != nil {
		return
	}
	defer func() { _ = os.Remove(f.Name()) }()
	z := gzip.NewWriter(f)
	err = gob.NewEncoder(z).Encode(l)
	for _, end := range []func() error{z.Close, f.Sync, f.Close} {
		if e := end(); err == nil {
			err = e
		}
	}
	if err == nil {
		_ = os.Rename(f.Name(), c.file(h))
	}
}
