package ledger

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"gauntlet/internal/release"
)

// maxArtifact bounds one blob of an artifact, in bytes.
const maxArtifact = 64 << 20

func (r *registry) PutArtifact(ctx context.Context, a release.Artifact) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	if err := r.upload(ctx, a.Type, a.Config); err != nil {
		return err
	}
	for _, l := range a.Layers {
		if err := r.upload(ctx, l.MediaType, l.Data); err != nil {
			return fmt.Errorf("%s: %w", l.Title, err)
		}
	}
	return r.err(r.push.Put(ctx, r.repo.Tag(tagArtifact+a.Digest().Hex()), raw(a.Manifest())))
}

func (r *registry) HasArtifact(ctx context.Context, d release.Digest) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	_, err := r.pull.Head(ctx, r.repo.Digest(string(d)))
	if err = r.err(err); errors.Is(err, ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

func (r *registry) GetArtifact(ctx context.Context, d release.Digest) (release.Artifact, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	desc, err := r.pull.Get(ctx, r.repo.Digest(string(d)))
	if err != nil {
		return release.Artifact{}, r.err(err)
	}
	var m manifest
	if err := json.Unmarshal(desc.Manifest, &m); err != nil {
		return release.Artifact{}, fmt.Errorf("%w: its manifest cannot be read: %v", errMalformed, err)
	}
	a := release.Artifact{Type: m.ArtifactType}
	if a.Config, err = r.blob(ctx, m.Config, maxArtifact); err != nil {
		return release.Artifact{}, fmt.Errorf("fetch its config: %w", err)
	}
	for _, l := range m.Layers {
		title := l.Annotations[annotationTitle]
		data, err := r.blob(ctx, l, maxArtifact)
		if err != nil {
			return release.Artifact{}, fmt.Errorf("fetch its layer %q: %w", title, err)
		}
		a.Layers = append(a.Layers, release.Blob{MediaType: l.MediaType, Title: title, Data: data})
	}
	if a.Digest() != d {
		return release.Artifact{}, fmt.Errorf("%w: it is an artifact of another form than gauntlet writes", errMalformed)
	}
	return a, nil
}
