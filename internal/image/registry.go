package image

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"gauntlet/internal/release"
)

// A NotFoundError is an image that the registry does not have.
type NotFoundError struct {
	Ref string // as asked for
}

func (e *NotFoundError) Error() string {
	return fmt.Sprintf("image %s is not in its registry: either no build of it has passed the image test yet (gauntlet build), "+
		"or its name or tag is mistyped in the values or in gauntlet.yaml", e.Ref)
}

// A TagTakenError is a tag that already names another image: tags that gauntlet
// gives never move.
type TagTakenError struct {
	Ref  string         // REPOSITORY:TAG
	Has  release.Digest // what it names
	Want release.Digest
}

func (e *TagTakenError) Error() string {
	return fmt.Sprintf("tag %s names %s already and is not moved to %s: commit the change, so that the new images get a tag of their own, "+
		"or delete the tag in the registry if nothing uses it", e.Ref, e.Has.Short(), e.Want.Short())
}

// Resolve is the digest of the image that a tag names now. repo is
// REGISTRY/NAME. The error is a *NotFoundError when there is no such tag.
func Resolve(ctx context.Context, repo, tag string) (release.Digest, error) {
	r, err := name.NewRepository(repo)
	if err != nil {
		return "", fmt.Errorf("read the image name %q: %w", repo, err)
	}
	t, err := name.NewTag(repo + ":" + tag)
	if err != nil {
		return "", fmt.Errorf("read the tag %q of %s: %w", tag, repo, err)
	}
	desc, err := remote.Get(r.Tag(t.TagStr()), options(ctx)...)
	if err != nil {
		return "", registryError("look up", repo+":"+tag, err)
	}
	return release.ParseDigest(desc.Digest.String())
}

// Exists says whether a registry has an image, given by digest.
func Exists(ctx context.Context, ref string) (bool, error) {
	d, err := name.NewDigest(ref)
	if err != nil {
		return false, fmt.Errorf("read the image reference %q: %w", ref, err)
	}
	var missing *NotFoundError
	if _, err := remote.Get(d, options(ctx)...); err != nil {
		err = registryError("look up", ref, err)
		if errors.As(err, &missing) {
			return false, nil
		}
		return false, err
	}
	return true, nil
}

// Size is what a node of an architecture ("amd64") downloads of an image that it has
// nothing of: the layers as the registry keeps them, compressed, in bytes.
func Size(ctx context.Context, ref, arch string) (int64, error) {
	r, err := name.ParseReference(ref)
	if err != nil {
		return 0, fmt.Errorf("read the image reference %q: %w", ref, err)
	}
	img, err := remote.Image(r, append(options(ctx), remote.WithPlatform(v1.Platform{OS: "linux", Architecture: arch}))...)
	if err != nil {
		return 0, registryError("look up", ref, err)
	}
	m, err := img.Manifest()
	if err != nil {
		return 0, registryError("read the manifest of", ref, err)
	}
	sum := m.Config.Size
	for _, l := range m.Layers {
		sum += l.Size
	}
	return sum, nil
}

// Tagged says whether a tag names an image, which is given by digest. One that names
// another image is a *TagTakenError.
func Tagged(ctx context.Context, ref, tag string) (bool, error) {
	d, err := name.NewDigest(ref)
	if err != nil {
		return false, fmt.Errorf("read the image reference %q: %w", ref, err)
	}
	want, err := release.ParseDigest(d.DigestStr())
	if err != nil {
		return false, err
	}
	var missing *NotFoundError
	switch has, err := Resolve(ctx, d.Repository.Name(), tag); {
	case errors.As(err, &missing):
		return false, nil
	case err != nil:
		return false, err
	case has != want:
		return false, &TagTakenError{Ref: d.Repository.Name() + ":" + tag, Has: has, Want: want}
	}
	return true, nil
}

// Tag lets a tag name an image, which is given by digest (REGISTRY/NAME@DIGEST).
// A tag that already names it is no error; one that names another image is a
// *TagTakenError. Registries have no compare-and-set: of two writers at the same
// instant the later wins.
func Tag(ctx context.Context, ref, tag string) error {
	d, err := name.NewDigest(ref)
	if err != nil {
		return fmt.Errorf("read the image reference %q: %w", ref, err)
	}
	t, err := name.NewTag(d.Repository.Name() + ":" + tag)
	if err != nil {
		return fmt.Errorf("read the tag %q: %w", tag, err)
	}
	if done, err := Tagged(ctx, ref, tag); err != nil || done {
		return err
	}
	desc, err := remote.Get(d, options(ctx)...)
	if err != nil {
		return registryError("read", ref, err)
	}
	if err := remote.Tag(t, desc, options(ctx)...); err != nil {
		return registryError("tag", ref, err)
	}
	return nil
}

// options are how every call to a registry is made: as the user that docker or
// podman logged in.
func options(ctx context.Context) []remote.Option {
	return []remote.Option{
		remote.WithContext(ctx),
		remote.WithAuthFromKeychain(authn.DefaultKeychain),
		remote.WithUserAgent("gauntlet"),
	}
}

// registryError names what a registry's answer means.
func registryError(doing, ref string, err error) error {
	var t *transport.Error
	if errors.As(err, &t) {
		switch t.StatusCode {
		case http.StatusNotFound:
			return &NotFoundError{Ref: ref}
		case http.StatusUnauthorized, http.StatusForbidden:
			return fmt.Errorf("%s %s: the registry denies it (log in with docker login, as somebody who may): %w", doing, ref, err)
		}
	}
	return fmt.Errorf("%s %s: %w", doing, ref, err)
}
