package release

import "encoding/json"

// Media types of what gauntlet keeps in a registry. The forms are described in
// docs/formats.md.
const (
	TypeImageSet   = "application/vnd.gauntlet.imageset.v1+json"
	TypeDeployable = "application/vnd.gauntlet.deployable.v1+json"
	TypeRelease    = "application/vnd.gauntlet.release.v1+json"
	TypePolicy     = "application/vnd.gauntlet.policy.v1+yaml"
	TypePackages   = "application/vnd.gauntlet.packages.v1+json"
	TypePictures   = "application/vnd.gauntlet.pictures.v1+json"

	typeManifest = "application/vnd.oci.image.manifest.v1+json"
)

// A Blob is one content of an artifact: its title is the file name that OCI
// clients give it when they pull it.
type Blob struct {
	MediaType string
	Title     string
	Data      []byte
}

// An Artifact is an OCI image manifest and its blobs, built so that the same
// content always gives the same bytes: its digest is the identity of what it
// holds, and any registry client can fetch it by that digest.
// Format: OCI image specification v1.1, manifest with an artifactType.
type Artifact struct {
	Type   string // artifactType, and media type of the config
	Config []byte
	Layers []Blob
}

type descriptor struct {
	MediaType   string            `json:"mediaType"`
	Digest      Digest            `json:"digest"`
	Size        int               `json:"size"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

type manifest struct {
	SchemaVersion int          `json:"schemaVersion"`
	MediaType     string       `json:"mediaType"`
	ArtifactType  string       `json:"artifactType"`
	Config        descriptor   `json:"config"`
	Layers        []descriptor `json:"layers"`
}

// Manifest is the artifact's manifest, byte for byte what its digest covers.
func (a Artifact) Manifest() []byte {
	m := manifest{
		SchemaVersion: 2,
		MediaType:     typeManifest,
		ArtifactType:  a.Type,
		Config:        descriptor{MediaType: a.Type, Digest: DigestOf(a.Config), Size: len(a.Config)},
		Layers:        []descriptor{},
	}
	for _, l := range a.Layers {
		d := descriptor{MediaType: l.MediaType, Digest: DigestOf(l.Data), Size: len(l.Data)}
		if l.Title != "" {
			d.Annotations = map[string]string{"org.opencontainers.image.title": l.Title}
		}
		m.Layers = append(m.Layers, d)
	}
	return canonical(m)
}

// Digest is the digest of the manifest.
func (a Artifact) Digest() Digest { return DigestOf(a.Manifest()) }

// Layer is the data of the layer with that title.
func (a Artifact) Layer(title string) ([]byte, bool) {
	for _, l := range a.Layers {
		if l.Title == title {
			return l.Data, true
		}
	}
	return nil, false
}

// canonical is JSON as encoding/json writes it: struct fields in their order,
// map keys sorted. It panics for values that JSON cannot hold, which only a
// mistake in this package can bring here.
func canonical(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic("release: " + err.Error())
	}
	return b
}
