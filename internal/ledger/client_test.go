package ledger

import (
	"encoding/json"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	intoto "github.com/in-toto/attestation/go/v1"
	"github.com/secure-systems-lab/go-securesystemslib/dsse"
	"google.golang.org/protobuf/encoding/protojson"

	"gauntlet/internal/evidence"
	"gauntlet/internal/release"
)

// Everything below uses no code of this package to read: a public client of OCI
// registries finds the statements about a release, by tag and by subject, and their
// payloads are in-toto statements.
func TestPublicClientsReadTheLedger(t *testing.T) {
	onRegistries(t, func(t *testing.T, repository string) {
		p := newPlatform(t, openRegistry(t, repository), 1)
		d := p.put(artifact("R"))
		want := []release.Digest{p.veto("ada", d, "a").ID, p.veto("grace", d, "b").ID}
		slices.Sort(want)

		repo, err := name.NewRepository(repository)
		if err != nil {
			t.Fatal(err)
		}
		tags, err := remote.List(repo)
		if err != nil {
			t.Fatal(err)
		}
		for _, id := range want {
			if !slices.Contains(tags, "st-"+id.Hex()) {
				t.Errorf("tags %v lack statement %s", tags, id.Short())
			}
		}

		index, err := remote.Referrers(repo.Digest(string(d)))
		if err != nil {
			t.Fatal(err)
		}
		im, err := index.IndexManifest()
		if err != nil {
			t.Fatal(err)
		}
		var got []release.Digest
		for _, desc := range im.Manifests {
			if desc.ArtifactType != "application/vnd.gauntlet.statement.v1+json" {
				t.Errorf("listed as %q", desc.ArtifactType)
			}
			got = append(got, readStatement(t, repo, desc, d))
		}
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("referrers of the release hold %v, want %v", got, want)
		}
	})
}

// readStatement fetches a statement and checks its form; it returns the digest of
// its content.
func readStatement(t *testing.T, repo name.Repository, desc v1.Descriptor, about release.Digest) release.Digest {
	t.Helper()
	img, err := remote.Image(repo.Digest(desc.Digest.String()))
	if err != nil {
		t.Fatal(err)
	}
	m, err := img.Manifest()
	if err != nil {
		t.Fatal(err)
	}
	if len(m.Layers) != 1 || m.Layers[0].MediaType != "application/vnd.dsse.envelope.v1+json" ||
		m.Layers[0].Annotations["in-toto.io/predicate-type"] != evidence.VetoType ||
		m.Subject == nil || m.Subject.Digest.String() != string(about) {
		t.Fatalf("manifest %+v", m)
	}
	subject, err := remote.Head(repo.Digest(m.Subject.Digest.String()))
	if err != nil || subject.Size != m.Subject.Size || subject.MediaType != m.Subject.MediaType {
		t.Errorf("its subject is %+v, %v, and it says %+v", subject, err, m.Subject)
	}
	layers, err := img.Layers()
	if err != nil {
		t.Fatal(err)
	}
	rc, err := layers[0].Compressed()
	if err != nil {
		t.Fatal(err)
	}
	defer rc.Close()
	data, err := io.ReadAll(rc)
	if err != nil {
		t.Fatal(err)
	}
	var e dsse.Envelope
	if err := json.Unmarshal(data, &e); err != nil {
		t.Fatal(err)
	}
	payload, err := e.DecodeB64Payload()
	if err != nil {
		t.Fatal(err)
	}
	if e.PayloadType != "application/vnd.in-toto+json" {
		t.Errorf("payload type %q", e.PayloadType)
	}
	var st intoto.Statement
	if err := protojson.Unmarshal(payload, &st); err != nil {
		t.Fatal(err)
	}
	if err := st.Validate(); err != nil {
		t.Errorf("no in-toto statement: %v", err)
	}
	if st.GetType() != "https://in-toto.io/Statement/v1" || st.GetSubject()[0].GetDigest()["sha256"] != strings.TrimPrefix(string(about), "sha256:") {
		t.Errorf("statement %s", payload)
	}
	return release.DigestOf(data)
}

// The fallback tag that registries without the referrers API need may lose entries
// to writers that race, and may be broken by others: it is not what we read, and it
// never keeps a statement from being written.
func TestBrokenFallbackTagStopsNobody(t *testing.T) {
	repository := newRegistry(t, false)
	p := newPlatform(t, openRegistry(t, repository), 1)
	d := p.put(artifact("R"))
	i := newIntruder(t, repository)
	// The tag where clients expect an index holds something else.
	id := p.veto("ada", d, "a").ID
	m := i.manifest(id)
	m.Subject = nil
	i.put("sha256-"+d.Hex(), m, []byte("{}"))
	b := p.veto("ada", d, "b").ID
	if got := recordIDs(p.read()); !slices.Contains(got, id) || !slices.Contains(got, b) {
		t.Errorf("records %v", got)
	}
}
