package evidence

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	provenancev1 "github.com/in-toto/attestation/go/predicates/provenance/v1"
	"google.golang.org/protobuf/encoding/protojson"

	"gauntlet/internal/release"
)

var built = Build{
	Source: "abc", Repository: "https://git.example.org/team/platform.git", Path: "images", Commit: "0123456789012345678901234567890123456789", Dirty: true,
	Label:   "0123456-dirty-89abcde",
	Recipes: map[string]Recipe{"notebook": {Dockerfile: "notebook/Dockerfile", From: "worker", Args: map[string]string{"BASE": "debian:12"}}},
	Images:  map[string]release.Digest{"notebook": release.DigestOf([]byte("n")), "worker": release.DigestOf([]byte("w"))},
	Resolved: map[string][]Descriptor{
		"notebook": {{URI: "pkg:docker/debian@12", Digest: map[string]string{"sha256": release.DigestOf([]byte("debian")).Hex()}}},
	},
	Packages: release.DigestOf([]byte("packages")),
	Sizes:    map[string]int64{"notebook": 3, "worker": 2}, Total: 4, Shared: 1,
	Builder: map[string]string{"buildkit": "v0.34.2"},
	Started: time.Date(2026, 11, 27, 6, 0, 0, 0, time.UTC), Finished: time.Date(2026, 11, 27, 6, 1, 0, 0, time.UTC),
}

func TestABuildIsReadBackAsItWasWritten(t *testing.T) {
	data, err := json.Marshal(built)
	if err != nil {
		t.Fatal(err)
	}
	var got Build
	if err := json.Unmarshal(data, &got); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(built, got); d != "" {
		t.Error(d)
	}
}

// Whoever reads SLSA provenance with in-toto's own types reads ours, but for the fields
// that SLSA has readers ignore.
func TestABuildIsSLSAProvenance(t *testing.T) {
	for name, b := range map[string]Build{"all fields": built, "few fields": {Commit: built.Commit, Images: built.Images}} {
		data, err := json.Marshal(b)
		if err != nil {
			t.Fatal(err)
		}
		var p provenancev1.Provenance
		if err := (protojson.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(data, &p); err != nil {
			t.Fatalf("%s: %v\n%s", name, err, data)
		}
		if err := p.Validate(); err != nil {
			t.Errorf("%s: %v\n%s", name, err, data)
		}
	}
}

func TestProvenanceOfAnotherKindIsNoBuild(t *testing.T) {
	var b Build
	if err := json.Unmarshal([]byte(`{"buildDefinition":{"buildType":"https://actions.github.io/buildtypes/workflow/v1"}}`), &b); err == nil {
		t.Errorf("read as %+v", b)
	}
}

func TestABuildIsAboutItsSetAndEachImage(t *testing.T) {
	got := built.Subjects("registry.example.org/platform")
	want := []Subject{
		{ImageSet, release.ImageSet{Images: built.Images}.Digest()},
		{"registry.example.org/platform/notebook", built.Images["notebook"]},
		{"registry.example.org/platform/worker", built.Images["worker"]},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}
