package lab

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// imageFile is an image of one static program, as a file that containerd
// imports: pods of the lab itself need no registry.
type imageFile struct{ ref, tar string }

type images struct{ pause, coredns, busybox imageFile }

func (i images) all() []imageFile { return []imageFile{i.pause, i.coredns, i.busybox} }

// makeImages makes the lab's own images unless they are there. Their tags change
// with their content.
func makeImages(ctx context.Context) (images, error) {
	applets, err := output(ctx, "", busybox, "--list")
	if err != nil {
		return images{}, err
	}
	var img images
	for _, m := range []struct {
		into  *imageFile
		name  string
		file  string
		links []string
		entry []string
	}{
		{&img.pause, "pause", program("pause"), nil, []string{"/bin/pause"}},
		{&img.coredns, "coredns", program("coredns"), nil, []string{"/bin/coredns"}},
		{&img.busybox, "busybox", busybox, strings.Fields(applets), nil},
	} {
		if *m.into, err = makeImage(m.name, m.file, m.links, m.entry); err != nil {
			return images{}, fmt.Errorf("make the image %s: %w", m.name, err)
		}
	}
	return img, nil
}

// makeImage writes an image with one program in /bin, and links to it, in the
// format of `docker save`: layer, configuration and manifest.json in a tar.
func makeImage(name, file string, links, entrypoint []string) (imageFile, error) {
	prog, err := os.ReadFile(file)
	if err != nil {
		return imageFile{}, err
	}
	sum := sha256.Sum256(prog)
	tag := hex.EncodeToString(sum[:])[:12]
	img := imageFile{ref: "gauntlet.lab/" + name + ":" + tag, tar: filepath.Join(Dir(), "images", name+"-"+tag+".tar")}
	if _, err := os.Stat(img.tar); err == nil {
		return img, nil
	}
	layer, err := programLayer(name, prog, links)
	if err != nil {
		return imageFile{}, err
	}
	diffID := sha256.Sum256(layer)
	config, err := json.Marshal(map[string]any{
		"architecture": runtime.GOARCH, "os": "linux", "created": "1970-01-01T00:00:00Z",
		"config": map[string]any{"Env": []string{"PATH=/bin"}, "Entrypoint": entrypoint},
		"rootfs": map[string]any{"type": "layers", "diff_ids": []string{"sha256:" + hex.EncodeToString(diffID[:])}},
	})
	if err != nil {
		return imageFile{}, err
	}
	configSum := sha256.Sum256(config)
	configName := hex.EncodeToString(configSum[:]) + ".json"
	manifest, err := json.Marshal([]any{map[string]any{"Config": configName, "RepoTags": []string{img.ref}, "Layers": []string{"layer.tar"}}})
	if err != nil {
		return imageFile{}, err
	}
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, f := range []struct {
		name string
		data []byte
	}{{configName, config}, {"layer.tar", layer}, {"manifest.json", manifest}} {
		if err := addFile(w, f.name, f.data, 0o644); err != nil {
			return imageFile{}, err
		}
	}
	if err := w.Close(); err != nil {
		return imageFile{}, err
	}
	return img, writeFileAtomic(img.tar, out.Bytes(), 0o644)
}

func programLayer(name string, prog []byte, links []string) ([]byte, error) {
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, dir := range []string{"bin/", "tmp/", "etc/"} {
		mode := int64(0o755)
		if dir == "tmp/" {
			mode = 0o1777
		}
		if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: dir, Mode: mode}); err != nil {
			return nil, err
		}
	}
	if err := addFile(w, "etc/passwd", []byte("root:x:0:0:root:/:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/sh\n"), 0o644); err != nil {
		return nil, err
	}
	if err := addFile(w, "bin/"+name, prog, 0o755); err != nil {
		return nil, err
	}
	for _, l := range links {
		if l == name {
			continue
		}
		if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeSymlink, Name: "bin/" + l, Linkname: name, Mode: 0o777}); err != nil {
			return nil, err
		}
	}
	return out.Bytes(), w.Close()
}

func addFile(w *tar.Writer, name string, data []byte, mode int64) error {
	if err := w.WriteHeader(&tar.Header{Name: name, Mode: mode, Size: int64(len(data))}); err != nil {
		return err
	}
	_, err := io.Copy(w, bytes.NewReader(data))
	return err
}
