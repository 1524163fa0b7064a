package image

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"gauntlet/internal/release"
)

// templateLimit bounds a worker template, in bytes.
const templateLimit = 1 << 20

// SetWorker writes the worker's reference into the worker template of a notebook
// image, as one more layer on top, and pushes the result by digest beside the
// notebook. Nothing is rebuilt: every other layer stays as it is. The same
// notebook, template and worker always give the same digest; a template that
// names the worker already gives the notebook's own.
//
// notebook and worker are references by digest, template a path in the notebook.
func SetWorker(ctx context.Context, notebook, template, worker string) (release.Digest, error) {
	if _, err := name.NewDigest(worker); err != nil {
		return "", fmt.Errorf("the worker must be named by digest, not as %q: %w", worker, err)
	}
	ref, img, err := open(ctx, notebook)
	if err != nil {
		return "", err
	}
	file, err := find(img, template)
	if err != nil {
		return "", fmt.Errorf("find the worker template %s in %s: %w", template, notebook, err)
	}
	text, changed, err := setImages(file.data, worker)
	if err != nil {
		return "", fmt.Errorf("worker template %s in %s: %w", template, notebook, err)
	}
	if !changed {
		return release.ParseDigest(ref.DigestStr())
	}
	next, err := appendFile(img, file.header, text, "gauntlet: "+template+" names "+worker)
	if err != nil {
		return "", fmt.Errorf("add a layer with %s to %s: %w", template, notebook, err)
	}
	h, err := next.Digest()
	if err != nil {
		return "", err
	}
	if err := remote.Write(ref.Repository.Digest(h.String()), next, options(ctx)...); err != nil {
		return "", registryError("push", ref.Repository.Name(), err)
	}
	return release.ParseDigest(h.String())
}

// TemplateImages lists the images that the containers of a worker template name.
// notebook is a reference by digest, template a path in it.
func TemplateImages(ctx context.Context, notebook, template string) ([]string, error) {
	_, img, err := open(ctx, notebook)
	if err != nil {
		return nil, err
	}
	file, err := find(img, template)
	if err != nil {
		return nil, fmt.Errorf("find the worker template %s in %s: %w", template, notebook, err)
	}
	list, err := images(file.data)
	if err != nil {
		return nil, fmt.Errorf("worker template %s in %s: %w", template, notebook, err)
	}
	return list, nil
}

func open(ctx context.Context, ref string) (name.Digest, v1.Image, error) {
	d, err := name.NewDigest(ref)
	if err != nil {
		return d, nil, fmt.Errorf("read the image reference %q: %w", ref, err)
	}
	desc, err := remote.Get(d, options(ctx)...)
	if err != nil {
		return d, nil, registryError("read", ref, err)
	}
	if desc.MediaType.IsIndex() {
		return d, nil, fmt.Errorf("%s is an index of images for several platforms: gauntlet handles images of one platform", ref)
	}
	img, err := desc.Image()
	if err != nil {
		return d, nil, fmt.Errorf("read the manifest of %s: %w", ref, err)
	}
	return d, img, nil
}

// A file of an image, with its owner, mode and time.
type file struct {
	header tar.Header
	data   []byte
}

var errNoFile = errors.New("there is no such file in the image")

// find reads a regular file of an image: the topmost layer that has it wins,
// unless a layer above removes it (OCI image specification, "Whiteouts").
func find(img v1.Image, name string) (file, error) {
	want := strings.TrimPrefix(path.Clean("/"+name), "/")
	layers, err := img.Layers()
	if err != nil {
		return file{}, err
	}
	for i := len(layers) - 1; i >= 0; i-- {
		f, removed, err := findIn(layers[i], want)
		switch {
		case err != nil:
			return file{}, err
		case f != nil:
			return *f, nil
		case removed:
			return file{}, errNoFile
		}
	}
	return file{}, errNoFile
}

// findIn looks for a file in one layer; removed says that the layer hides what
// the layers below have under that name.
func findIn(layer v1.Layer, want string) (found *file, removed bool, err error) {
	r, err := layer.Uncompressed()
	if err != nil {
		return nil, false, fmt.Errorf("read a layer: %w", err)
	}
	defer func() { _ = r.Close() }()
	for t := tar.NewReader(r); ; {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			return nil, removed, nil
		}
		if err != nil {
			return nil, false, fmt.Errorf("read a layer: %w", err)
		}
		entry := strings.TrimPrefix(path.Clean("/"+h.Name), "/")
		if entry == want {
			f, err := regular(t, h)
			return f, false, err
		}
		dir, base := path.Split(entry)
		switch {
		case base == ".wh..wh..opq":
			removed = removed || within(want, strings.TrimSuffix(dir, "/"))
		case strings.HasPrefix(base, ".wh."):
			gone := dir + strings.TrimPrefix(base, ".wh.")
			removed = removed || gone == want || within(want, gone)
		case h.Typeflag != tar.TypeDir && within(want, entry):
			return nil, false, fmt.Errorf("/%s is not a folder but %s: name the real path", entry, kind(h))
		}
	}
}

// within says whether p is inside the folder dir; "" is the top.
func within(p, dir string) bool { return dir == "" || strings.HasPrefix(p, dir+"/") }

func regular(r io.Reader, h *tar.Header) (*file, error) {
	if h.Typeflag != tar.TypeReg {
		return nil, fmt.Errorf("/%s is no plain file but %s: name the real path", strings.TrimPrefix(h.Name, "/"), kind(h))
	}
	if h.Size > templateLimit {
		return nil, fmt.Errorf("/%s has %d bytes, more than any template needs (limit %d)", h.Name, h.Size, templateLimit)
	}
	data, err := io.ReadAll(r)
	if err != nil {
		return nil, fmt.Errorf("read /%s: %w", h.Name, err)
	}
	return &file{header: *h, data: data}, nil
}

func kind(h *tar.Header) string {
	switch h.Typeflag {
	case tar.TypeSymlink, tar.TypeLink:
		return "a link to " + h.Linkname
	case tar.TypeDir:
		return "a folder"
	}
	return "a special file"
}

// appendFile adds a layer that holds one file, with the owner, mode and time it
// had. The layer is not compressed: a few kilobytes, whose digest then depends on
// no compressor's version.
func appendFile(img v1.Image, old tar.Header, data []byte, why string) (v1.Image, error) {
	h := tar.Header{
		Typeflag: tar.TypeReg, Name: strings.TrimPrefix(path.Clean("/"+old.Name), "/"), Size: int64(len(data)),
		Mode: old.Mode, Uid: old.Uid, Gid: old.Gid, Uname: old.Uname, Gname: old.Gname,
		ModTime: old.ModTime.Truncate(time.Second), PAXRecords: map[string]string{},
	}
	for k, v := range old.PAXRecords {
		if strings.HasPrefix(k, "SCHILY.xattr.") {
			h.PAXRecords[k] = v
		}
	}
	var b bytes.Buffer
	t := tar.NewWriter(&b)
	if err := t.WriteHeader(&h); err != nil {
		return nil, err
	}
	if _, err := t.Write(data); err != nil {
		return nil, err
	}
	if err := t.Close(); err != nil {
		return nil, err
	}
	mt, err := img.MediaType()
	if err != nil {
		return nil, err
	}
	layerType := types.OCIUncompressedLayer
	if mt == types.DockerManifestSchema2 {
		layerType = types.DockerUncompressedLayer
	}
	cfg, err := img.ConfigFile()
	if err != nil {
		return nil, err
	}
	return mutate.Append(img, mutate.Addendum{
		Layer:     static.NewLayer(b.Bytes(), layerType),
		History:   v1.History{Created: cfg.Created, CreatedBy: why},
		MediaType: layerType,
	})
}
