package evidence

import (
	"encoding/json"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	"gauntlet/internal/release"
)

// imageSetBuild is the SLSA buildType of an image set: docs/formats.md, "Builds".
const imageSetBuild = "urn:gauntlet:image-set:v1"

// A Build says that an image set was built from one source. Subjects: the image set,
// and each of its images by reference. Its JSON is SLSA provenance v1
// (https://slsa.dev/spec/v1.1/provenance), so that tools which know nothing of gauntlet
// can read it.
type Build struct {
	Source     string                    // digest over source tree and build settings: equal sources are not built twice
	Repository string                    // address of the source's git repository without user or password, "" when it has none
	Path       string                    // folder of the image source in it
	Commit     string                    // full id of the commit of the image source
	Dirty      bool                      // the source held changes that no commit has
	Label      string                    // the tag its images bear: the short commit
	Recipes    map[string]Recipe         // image to how it was built
	Images     map[string]release.Digest // image to what was built
	Resolved   map[string][]Descriptor   // image to what the builder fetched for it: base images, downloads
	Packages   release.Digest            // artifact in the ledger with what is installed in each image, "" when unknown
	Sizes      map[string]int64          // image to the bytes of its layers in the registry
	Total      int64                     // bytes of all layers, each counted once
	Shared     int64                     // bytes of those that more than one image has
	Builder    map[string]string         // programs that built, by name, to their version
	Started    time.Time
	Finished   time.Time
}

// A Recipe is what gauntlet.yaml says of one image's build.
type Recipe struct {
	Dockerfile string            `json:"dockerfile"`
	Prepare    []string          `json:"prepare,omitempty"`
	From       string            `json:"from,omitempty"`
	Args       map[string]string `json:"args,omitempty"`
}

// provenance is the predicate of SLSA provenance v1, the part we use. Fields with
// gauntlet_ are ours: that predicate's parsing rules have readers ignore them.
type provenance struct {
	BuildDefinition struct {
		BuildType            string       `json:"buildType"`
		ExternalParameters   parameters   `json:"externalParameters"`
		InternalParameters   internals    `json:"internalParameters"`
		ResolvedDependencies []Descriptor `json:"resolvedDependencies"`
	} `json:"buildDefinition"`
	RunDetails struct {
		Builder struct {
			ID      string            `json:"id"`
			Version map[string]string `json:"version,omitempty"`
		} `json:"builder"`
		Metadata   metadata     `json:"metadata"`
		Byproducts []Descriptor `json:"byproducts,omitempty"`
	} `json:"runDetails"`
}

// parameters are what whoever asks for a build chooses.
type parameters struct {
	Source source            `json:"source"`
	Images map[string]Recipe `json:"images"`
}

type source struct {
	URI    string            `json:"uri,omitempty"`
	Digest map[string]string `json:"digest"`
	Path   string            `json:"path,omitempty"`
	Dirty  bool              `json:"dirty,omitempty"`
}

type internals struct {
	SourceDigest string `json:"sourceDigest"`
}

type metadata struct {
	StartedOn  time.Time                 `json:"startedOn,omitzero"`
	FinishedOn time.Time                 `json:"finishedOn,omitzero"`
	Label      string                    `json:"gauntlet_label"`
	Images     map[string]release.Digest `json:"gauntlet_images"`
	Sizes      map[string]int64          `json:"gauntlet_sizes,omitempty"`
	Total      int64                     `json:"gauntlet_total,omitempty"`
	Shared     int64                     `json:"gauntlet_shared,omitempty"`
}

const (
	builderID    = "urn:gauntlet:builder"
	packagesName = "packages"
	// ofImage is the annotation that names the image that a dependency is of.
	ofImage = "gauntlet_image"
)

// gitCommit is in-toto's name of a commit's digest.
const gitCommit = "gitCommit"

// MarshalJSON writes SLSA provenance v1.
func (b Build) MarshalJSON() ([]byte, error) {
	var p provenance
	commit := map[string]string{gitCommit: b.Commit}
	uri := ""
	if b.Repository != "" {
		uri = b.Repository
		if !strings.HasPrefix(uri, "git") {
			uri = "git+" + uri
		}
	}
	d := &p.BuildDefinition
	d.BuildType = imageSetBuild
	d.ExternalParameters = parameters{Source: source{URI: uri, Digest: commit, Path: b.Path, Dirty: b.Dirty}, Images: b.Recipes}
	d.InternalParameters.SourceDigest = b.Source
	d.ResolvedDependencies = []Descriptor{{Name: "source", URI: uri, Digest: commit}}
	for _, name := range slices.Sorted(maps.Keys(b.Resolved)) {
		for _, r := range b.Resolved[name] {
			r.Annotations = map[string]string{ofImage: name}
			d.ResolvedDependencies = append(d.ResolvedDependencies, r)
		}
	}
	p.RunDetails.Builder.ID, p.RunDetails.Builder.Version = builderID, b.Builder
	p.RunDetails.Metadata = metadata{
		StartedOn: b.Started, FinishedOn: b.Finished, Label: b.Label,
		Images: b.Images, Sizes: b.Sizes, Total: b.Total, Shared: b.Shared,
	}
	if b.Packages != "" {
		p.RunDetails.Byproducts = []Descriptor{{Name: packagesName, MediaType: release.TypePackages, Digest: map[string]string{"sha256": b.Packages.Hex()}}}
	}
	return json.Marshal(p)
}

// UnmarshalJSON reads what MarshalJSON wrote. SLSA provenance of another build type is
// an error: it does not say what an image set was built from.
func (b *Build) UnmarshalJSON(data []byte) error {
	var p provenance
	if err := json.Unmarshal(data, &p); err != nil {
		return err
	}
	d, m := p.BuildDefinition, p.RunDetails.Metadata
	if d.BuildType != imageSetBuild {
		return fmt.Errorf("provenance of build type %q, not %s", d.BuildType, imageSetBuild)
	}
	from := d.ExternalParameters.Source
	*b = Build{
		Source: d.InternalParameters.SourceDigest, Repository: strings.TrimPrefix(from.URI, "git+"), Path: from.Path,
		Commit: from.Digest[gitCommit], Dirty: from.Dirty, Label: m.Label,
		Recipes: d.ExternalParameters.Images, Images: m.Images, Sizes: m.Sizes, Total: m.Total, Shared: m.Shared,
		Builder: p.RunDetails.Builder.Version, Started: m.StartedOn, Finished: m.FinishedOn,
	}
	for _, r := range d.ResolvedDependencies {
		name := r.Annotations[ofImage]
		if name == "" {
			continue
		}
		if b.Resolved == nil {
			b.Resolved = map[string][]Descriptor{}
		}
		r.Annotations = nil
		b.Resolved[name] = append(b.Resolved[name], r)
	}
	for _, r := range p.RunDetails.Byproducts {
		if r.Name != packagesName {
			continue
		}
		digest, err := release.ParseDigest("sha256:" + r.Digest["sha256"])
		if err != nil {
			return fmt.Errorf("byproduct %s: %w", r.Name, err)
		}
		b.Packages = digest
	}
	return nil
}

// Subjects are what a build's statement is about: its image set, and each image under
// its name in the registry, as tools that verify one image look for it.
func (b Build) Subjects(registry string) []Subject {
	list := []Subject{{Kind: ImageSet, Digest: release.ImageSet{Images: b.Images}.Digest()}}
	for _, name := range slices.Sorted(maps.Keys(b.Images)) {
		list = append(list, Subject{Kind: path.Join(registry, name), Digest: b.Images[name]})
	}
	return list
}
