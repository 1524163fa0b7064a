package release

import (
	"archive/tar"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	"helm.sh/helm/v4/pkg/ignore"
	"sigs.k8s.io/yaml"
)

// PackChart packs the files of a chart's folder (slash-separated paths relative to
// it) as Helm loads it: a gzipped tar under NAME/, without what its .helmignore
// leaves out. The same files always give the same bytes, whatever compressor the
// program was built with: names are sorted, times and owners are zero and the gzip
// stream holds the tar uncompressed. Chart.yaml must bear name and version; empty
// ones are taken from it.
func PackChart(files map[string][]byte, name, version string) ([]byte, error) {
	meta, err := chartMetadata(files["Chart.yaml"])
	if err != nil {
		return nil, fmt.Errorf("pack chart %s: %w", name, err)
	}
	if name == "" {
		name = meta.Name
	}
	if version == "" {
		version = meta.Version
	}
	if name != meta.Name || version != meta.Version {
		return nil, fmt.Errorf("pack chart: Chart.yaml says %s %s, not %s %s", meta.Name, meta.Version, name, version)
	}
	ignored, err := helmIgnore(files[ignore.HelmIgnore])
	if err != nil {
		return nil, fmt.Errorf("pack chart %s: read .helmignore: %w", name, err)
	}
	var buf bytes.Buffer
	tw := tar.NewWriter(&buf)
	for _, f := range slices.Sorted(maps.Keys(files)) {
		if !fs.ValidPath(f) || f == "." {
			return nil, fmt.Errorf("pack chart %s: %q is no path inside the chart", name, f)
		}
		if ignored(f) {
			continue
		}
		data := files[f]
		h := &tar.Header{Typeflag: tar.TypeReg, Name: path.Join(name, f), Size: int64(len(data)), Mode: 0o644, ModTime: time.Unix(0, 0)}
		if err := tw.WriteHeader(h); err != nil {
			return nil, fmt.Errorf("pack chart %s: %s: %w", name, f, err)
		}
		if _, err := tw.Write(data); err != nil {
			return nil, fmt.Errorf("pack chart %s: %s: %w", name, f, err)
		}
	}
	if err := tw.Close(); err != nil {
		return nil, fmt.Errorf("pack chart %s: %w", name, err)
	}
	return storedGzip(buf.Bytes()), nil
}

type chartMeta struct {
	Name    string `json:"name"`
	Version string `json:"version"`
}

func chartMetadata(data []byte) (chartMeta, error) {
	var m chartMeta
	if data == nil {
		return m, errors.New("it has no Chart.yaml")
	}
	if err := yaml.Unmarshal(data, &m); err != nil {
		return m, fmt.Errorf("read Chart.yaml: %w", err)
	}
	if m.Name == "" || m.Version == "" {
		return m, errors.New("its Chart.yaml has no name or no version")
	}
	if strings.ContainsAny(m.Name, `/\`) || m.Name == "." || m.Name == ".." {
		return m, fmt.Errorf("its Chart.yaml has the name %q, which is no file name", m.Name)
	}
	return m, nil
}

// helmIgnore is Helm's own reading of .helmignore: a file is left out when a rule
// matches it or a folder it lies in.
func helmIgnore(data []byte) (func(string) bool, error) {
	rules, err := ignore.Parse(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	rules.AddDefaults()
	return func(f string) bool {
		for d := path.Dir(f); d != "."; d = path.Dir(d) {
			if rules.Ignore(d, entry{dir: true}) {
				return true
			}
		}
		return rules.Ignore(f, entry{})
	}, nil
}

// entry is the little of a file that ignore rules look at.
type entry struct{ dir bool }

func (entry) Name() string       { return "" }
func (entry) Size() int64        { return 0 }
func (entry) Mode() fs.FileMode  { return 0 }
func (entry) ModTime() time.Time { return time.Time{} }
func (e entry) IsDir() bool      { return e.dir }
func (entry) Sys() any           { return nil }

// storedGzip is a gzip stream (RFC 1952) of stored deflate blocks (RFC 1951, 3.2.4).
func storedGzip(data []byte) []byte {
	const most = 65535 // bytes of one stored block
	out := make([]byte, 0, len(data)+5*(len(data)/most+1)+18)
	out = append(out, 0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255) // deflate, no time, system unknown
	for rest, last := data, byte(0); last == 0; {
		n := min(len(rest), most)
		if n == len(rest) {
			last = 1
		}
		out = append(out, last)
		out = binary.LittleEndian.AppendUint16(out, uint16(n))
		out = binary.LittleEndian.AppendUint16(out, ^uint16(n))
		out = append(out, rest[:n]...)
		rest = rest[n:]
	}
	out = binary.LittleEndian.AppendUint32(out, crc32.ChecksumIEEE(data))
	return binary.LittleEndian.AppendUint32(out, uint32(len(data)))
}
