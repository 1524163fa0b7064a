package image

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"path"
	"strings"
	"sync"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"golang.org/x/sync/errgroup"

	"gauntlet/internal/packages"
)

// statusLimit bounds a file of dpkg's that is read, in bytes: that of 30,000 packages
// has a tenth of it.
const statusLimit = 256 << 20

// An Inspector reads from registries what images hold. No container is started. A
// layer that several images share is read once in its life. It may be used from
// several goroutines.
type Inspector struct {
	Cache bool // keep what layers tell in the user's cache folder

	mu     sync.Mutex
	layers map[v1.Hash]func() (*layerFiles, error)
	known  map[string]packages.List
}

// Know tells what an image holds, which is given by digest: its layers need not be read
// for that.
func (in *Inspector) Know(ref string, l packages.List) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.known == nil {
		in.known = map[string]packages.List{}
	}
	in.known[ref] = l
}

func (in *Inspector) told(ref string) (packages.List, bool) {
	in.mu.Lock()
	defer in.mu.Unlock()
	l, ok := in.known[ref]
	return l, ok
}

// layerFiles is what one layer adds that tells of packages, and what it hides of the
// layers below it.
type layerFiles struct {
	Files  map[string][]byte
	Hidden map[string]bool // paths that are gone, with all that is in them
	Opaque map[string]bool // folders whose former contents are gone; "" is the top
}

// Packages lists what is installed in an image, which is given by digest
// (REGISTRY/NAME@DIGEST). The error is a *NotFoundError when there is no such image.
func (in *Inspector) Packages(ctx context.Context, ref string) (packages.List, error) {
	if l, ok := in.told(ref); ok {
		return l, nil
	}
	_, img, err := open(ctx, ref)
	if err != nil {
		return nil, err
	}
	layers, err := img.Layers()
	if err != nil {
		return nil, fmt.Errorf("read the layers of %s: %w", ref, err)
	}
	read := make([]*layerFiles, len(layers))
	var g errgroup.Group // without a context of its own: others may wait for the same layer
	for i, l := range layers {
		g.Go(func() (err error) {
			if read[i], err = in.layer(ctx, l); err != nil {
				return fmt.Errorf("read layer %d of %s: %w", i+1, ref, err)
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	l := packages.Read(stack(read))
	in.Know(ref, l)
	return l, nil
}

// Path is the folders of an image's PATH, in order; none when it sets none.
func (in *Inspector) Path(ctx context.Context, ref string) ([]string, error) {
	_, img, err := open(ctx, ref)
	if err != nil {
		return nil, err
	}
	cfg, err := img.ConfigFile()
	if err != nil {
		return nil, fmt.Errorf("read the configuration of %s: %w", ref, err)
	}
	for _, v := range cfg.Config.Env {
		if p, ok := strings.CutPrefix(v, "PATH="); ok {
			return strings.Split(p, ":"), nil
		}
	}
	return nil, nil
}

// layer reads a layer, once.
func (in *Inspector) layer(ctx context.Context, l v1.Layer) (*layerFiles, error) {
	h, err := l.Digest()
	if err != nil {
		return nil, err
	}
	in.mu.Lock()
	if in.layers == nil {
		in.layers = map[v1.Hash]func() (*layerFiles, error){}
	}
	read := in.layers[h]
	if read == nil {
		read = sync.OnceValues(func() (*layerFiles, error) { return in.scan(ctx, h, l) })
		in.layers[h] = read
	}
	in.mu.Unlock()
	return read()
}

// scan reads a layer, unless that was done before.
func (in *Inspector) scan(ctx context.Context, h v1.Hash, l v1.Layer) (*layerFiles, error) {
	cache := in.cache()
	if f, ok := cache.get(h); ok {
		return f, nil
	}
	f, err := readLayer(ctx, l)
	if err == nil {
		cache.put(h, f)
	}
	return f, err
}

func (in *Inspector) cache() layerCache {
	if in.Cache {
		return userLayers()
	}
	return ""
}

// readLayer reads a layer's archive (OCI image specification, "Image Layer Filesystem
// Changeset").
func readLayer(ctx context.Context, l v1.Layer) (*layerFiles, error) {
	r, err := l.Uncompressed()
	if err != nil {
		return nil, err
	}
	defer func() { _ = r.Close() }()
	f := &layerFiles{Files: map[string][]byte{}, Hidden: map[string]bool{}, Opaque: map[string]bool{}}
	for t := tar.NewReader(r); ; {
		if err := ctx.Err(); err != nil {
			return nil, context.Cause(ctx)
		}
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			return f, nil
		}
		if err != nil {
			return nil, err
		}
		if err := f.add(h, t); err != nil {
			return nil, fmt.Errorf("/%s: %w", strings.TrimPrefix(h.Name, "/"), err)
		}
	}
}

func (f *layerFiles) add(h *tar.Header, r io.Reader) error {
	p := strings.TrimPrefix(path.Clean("/"+h.Name), "/")
	dir, base := path.Split(p)
	switch {
	case base == ".wh..wh..opq":
		f.Opaque[strings.TrimSuffix(dir, "/")] = true
		return nil
	case strings.HasPrefix(base, ".wh."):
		f.Hidden[dir+strings.TrimPrefix(base, ".wh.")] = true
		return nil
	case h.Typeflag == tar.TypeDir:
		return nil
	}
	f.Hidden[p] = true // a file in a folder's place hides what was in that
	tells, contents := packages.Tells(p)
	if !tells {
		return nil
	}
	f.Files[p] = nil
	if !contents || h.Typeflag != tar.TypeReg {
		return nil
	}
	if h.Size > statusLimit {
		return fmt.Errorf("it has %d bytes, more than any list of packages (limit %d)", h.Size, statusLimit)
	}
	data, err := io.ReadAll(r)
	f.Files[p] = data
	return err
}

// stack puts layers on each other, the lowest first.
func stack(layers []*layerFiles) map[string][]byte {
	files := map[string][]byte{}
	for _, l := range layers {
		maps.DeleteFunc(files, func(p string, _ []byte) bool { return l.hides(p) })
		maps.Copy(files, l.Files)
	}
	return files
}

// hides says whether a path of the layers below is gone under this one.
func (f *layerFiles) hides(p string) bool {
	if f.Hidden[p] || f.Opaque[""] {
		return true
	}
	for dir := path.Dir(p); dir != "."; dir = path.Dir(dir) {
		if f.Hidden[dir] || f.Opaque[dir] {
			return true
		}
	}
	return false
}
