package ledger

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"gauntlet/internal/release"
)

// How a statement is kept: an OCI image manifest (image specification v1.1) with an
// artifactType, which its empty config bears too (some registries list by that one),
// the DSSE envelope as its one layer, and the first subject's artifact as its
// subject. The annotation is the one that BuildKit puts on attestations.
const (
	// StatementType is the artifactType of a statement's manifest.
	StatementType = "application/vnd.gauntlet.statement.v1+json"

	typeEnvelope        = "application/vnd.dsse.envelope.v1+json"
	annotationPredicate = "in-toto.io/predicate-type"
	annotationTitle     = "org.opencontainers.image.title"

	// One tag per statement is the index of record: writers that race never write
	// the same tag, on any registry. The fallback tag that registries without the
	// referrers API need is one that they all write, so it may lose some of them.
	tagStatement = "st-"       // and the hexadecimal id
	tagArtifact  = "artifact-" // and the hexadecimal digest: registries may collect what has no tag
)

// requestTimeout bounds one operation on the registry, its retries included.
const requestTimeout = 2 * time.Minute

// OpenRegistry is the store in a repository of an OCI registry, such as
// registry.example.org/platform-ledger, with the credentials that docker login and
// its kin keep. Contents of statements are cached for the user. The registry is not
// contacted yet.
func OpenRegistry(repository string, opts ...remote.Option) (Store, error) {
	repo, err := name.NewRepository(repository)
	if err != nil {
		return nil, fmt.Errorf("%q is no repository of a registry: %w", repository, err)
	}
	if len(opts) == 0 {
		opts = []remote.Option{remote.WithAuthFromKeychain(authn.DefaultKeychain)}
	}
	r := &registry{repo: repo, cache: userCache()}
	if r.pull, err = remote.NewPuller(opts...); err != nil {
		return nil, fmt.Errorf("registry of %s: %w", repository, err)
	}
	if r.push, err = remote.NewPusher(opts...); err != nil {
		return nil, fmt.Errorf("registry of %s: %w", repository, err)
	}
	return r, nil
}

type registry struct {
	repo  name.Repository
	pull  *remote.Puller
	push  *remote.Pusher
	cache cache
}

type descriptor struct {
	MediaType   string            `json:"mediaType"`
	Digest      release.Digest    `json:"digest"`
	Size        int64             `json:"size"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

type manifest struct {
	SchemaVersion int               `json:"schemaVersion"`
	MediaType     types.MediaType   `json:"mediaType"`
	ArtifactType  string            `json:"artifactType"`
	Config        descriptor        `json:"config"`
	Layers        []descriptor      `json:"layers"`
	Subject       *descriptor       `json:"subject,omitempty"`
	Annotations   map[string]string `json:"annotations,omitempty"`
}

// raw is a manifest's bytes, as the registry client takes them.
type raw []byte

func (r raw) RawManifest() ([]byte, error)      { return r, nil }
func (raw) MediaType() (types.MediaType, error) { return types.OCIManifestSchema1, nil }

func (r *registry) Append(ctx context.Context, item Item) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	about, err := r.pull.Head(ctx, r.repo.Digest(string(item.Subject)))
	if err != nil {
		return fmt.Errorf("look for the subject %s: %w", item.Subject.Short(), r.err(err))
	}
	m := manifest{
		SchemaVersion: 2, MediaType: types.OCIManifestSchema1, ArtifactType: StatementType,
		Config: descriptor{MediaType: StatementType, Digest: release.DigestOf([]byte("{}")), Size: 2},
		Layers: []descriptor{{
			MediaType: typeEnvelope, Digest: item.ID, Size: int64(len(item.Envelope)),
			Annotations: map[string]string{annotationPredicate: item.Type, annotationTitle: "statement.dsse.json"},
		}},
		Subject:     &descriptor{MediaType: string(about.MediaType), Digest: item.Subject, Size: about.Size},
		Annotations: map[string]string{annotationPredicate: item.Type},
	}
	data, err := json.Marshal(m)
	if err != nil {
		return err
	}
	if err := r.upload(ctx, StatementType, []byte("{}")); err != nil {
		return err
	}
	if err := r.upload(ctx, typeEnvelope, item.Envelope); err != nil {
		return err
	}
	tag := r.repo.Tag(tagStatement + item.ID.Hex())
	err = r.push.Put(ctx, tag, raw(data))
	if err == nil {
		return nil
	}
	// The statement may be there although the fallback tag of its subject could not
	// be written; nothing here reads that tag.
	if there, headErr := r.pull.Head(ctx, tag); headErr == nil && there.Digest.String() == string(release.DigestOf(data)) {
		return nil
	}
	return r.err(err)
}

func (r *registry) List(ctx context.Context) ([]release.Digest, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	tags, err := r.pull.List(ctx, r.repo)
	if err = r.err(err); errors.Is(err, ErrNotFound) {
		return nil, nil // the repository comes into being with the first statement
	}
	if err != nil {
		return nil, err
	}
	var ids []release.Digest
	for _, t := range tags {
		if hex, ok := strings.CutPrefix(t, tagStatement); ok {
			if id, err := release.ParseDigest("sha256:" + hex); err == nil {
				ids = append(ids, id)
			}
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids), nil
}

func (r *registry) Get(ctx context.Context, id release.Digest) (Item, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	desc, err := r.pull.Get(ctx, r.repo.Tag(tagStatement+id.Hex()))
	if err != nil {
		return Item{}, r.err(err)
	}
	var m manifest
	if err := json.Unmarshal(desc.Manifest, &m); err != nil {
		return Item{}, fmt.Errorf("%w: its manifest cannot be read: %v", errMalformed, err)
	}
	if m.ArtifactType != StatementType || len(m.Layers) != 1 || m.Layers[0].MediaType != typeEnvelope || m.Subject == nil {
		return Item{}, fmt.Errorf("%w: its manifest is not that of a statement", errMalformed)
	}
	layer := m.Layers[0]
	if layer.Digest != id {
		return Item{}, fmt.Errorf("%w: altered: its content is %s, not what its name says", errMalformed, layer.Digest.Short())
	}
	if layer.Size > maxEnvelope {
		return Item{}, fmt.Errorf("%w: longer than %d bytes", errMalformed, maxEnvelope)
	}
	if data, ok := r.cache.load(id); ok {
		return m.item(id, data), nil
	}
	data, err := r.blob(ctx, layer, maxEnvelope)
	if errors.Is(err, ErrNotFound) {
		return Item{}, fmt.Errorf("%w: its content is gone", errMalformed)
	}
	if err != nil {
		return Item{}, err
	}
	r.cache.keep(id, data)
	return m.item(id, data), nil
}

func (m manifest) item(id release.Digest, envelope []byte) Item {
	return Item{ID: id, Type: m.Annotations[annotationPredicate], Subject: m.Subject.Digest, Envelope: envelope}
}

func (r *registry) upload(ctx context.Context, mediaType string, data []byte) error {
	if err := r.push.Upload(ctx, r.repo, static.NewLayer(data, types.MediaType(mediaType))); err != nil {
		return r.err(err)
	}
	return nil
}

// blob fetches a blob of at most limit bytes and checks its digest.
func (r *registry) blob(ctx context.Context, d descriptor, limit int64) ([]byte, error) {
	if _, err := release.ParseDigest(string(d.Digest)); err != nil {
		return nil, fmt.Errorf("%w: %v", errMalformed, err)
	}
	layer, err := r.pull.Layer(ctx, r.repo.Digest(string(d.Digest)))
	if err != nil {
		return nil, r.err(err)
	}
	rc, err := layer.Compressed()
	if err != nil {
		return nil, r.err(err)
	}
	defer rc.Close()
	data, err := io.ReadAll(io.LimitReader(rc, limit+1))
	switch {
	case int64(len(data)) > limit:
		return nil, fmt.Errorf("%w: longer than %d bytes", errMalformed, limit)
	case int64(len(data)) == d.Size && release.DigestOf(data) != d.Digest:
		return nil, fmt.Errorf("%w: altered: the registry gives other bytes than %s", errMalformed, d.Digest.Short())
	case err != nil:
		return nil, r.err(err)
	}
	return data, nil
}

// err gives an answer of the registry our words.
func (r *registry) err(err error) error {
	var te *transport.Error
	if errors.As(err, &te) && te.StatusCode == http.StatusNotFound {
		return fmt.Errorf("%s: %w (%w)", r.repo, ErrNotFound, err)
	}
	return err
}
