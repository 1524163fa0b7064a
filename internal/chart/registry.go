package chart

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/docker/cli/cli/config"
	"github.com/docker/cli/cli/config/types"
	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
)

// chartLayer is the media type of a chart's archive in a registry.
const chartLayer = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"

// maxChart bounds what is read of one archive.
const maxChart = 64 << 20

// fromRegistry fetches a chart from an OCI registry, which addresses what it gives by
// digest.
func (f Fetcher) fromRegistry(ctx context.Context, c Chart) ([]byte, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, fetchTime, fmt.Errorf("not there in %s", fetchTime))
	defer cancel()
	b, err := f.pull(ctx, c)
	if err != nil && ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	return b, err
}

func (f Fetcher) pull(ctx context.Context, c Chart) ([]byte, error) {
	// A tag can hold no +, so helm writes the build part of a version with _.
	ref, err := name.ParseReference(strings.TrimRight(strings.TrimPrefix(c.Repo, ociScheme), "/") + "/" + c.Name +
		":" + strings.ReplaceAll(c.Version, "+", "_"))
	if err != nil {
		return nil, fmt.Errorf("its repository is no address: %w", err)
	}
	img, err := remote.Image(ref, remote.WithContext(ctx), remote.WithAuthFromKeychain(authn.NewMultiKeychain(helmKeychain{f.Registries}, authn.DefaultKeychain)))
	if err != nil {
		var said *transport.Error
		if errors.As(err, &said) && said.StatusCode == http.StatusNotFound {
			return nil, fmt.Errorf("the registry has no %s", ref)
		}
		return nil, err
	}
	layers, err := img.Layers()
	if err != nil {
		return nil, err
	}
	for _, l := range layers {
		if t, err := l.MediaType(); err != nil || t != chartLayer {
			continue
		}
		r, err := l.Compressed() // checked against its digest as it is read
		if err != nil {
			return nil, err
		}
		defer func() { _ = r.Close() }()
		b, err := io.ReadAll(io.LimitReader(r, maxChart+1))
		if err == nil && len(b) > maxChart {
			err = fmt.Errorf("it is larger than %d MiB", maxChart>>20)
		}
		return b, err
	}
	return nil, fmt.Errorf("%s is no chart", ref)
}

// helmKeychain is what `helm registry login` keeps, in docker's own form.
type helmKeychain struct{ file string }

// Resolve is ggcr's authn.Keychain.
func (k helmKeychain) Resolve(r authn.Resource) (authn.Authenticator, error) {
	if k.file == "" {
		return authn.Anonymous, nil
	}
	in, err := os.Open(k.file)
	if errors.Is(err, os.ErrNotExist) {
		return authn.Anonymous, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read helm's credentials: %w", err)
	}
	defer func() { _ = in.Close() }()
	cfg, err := config.LoadFromReader(in)
	if err != nil {
		return nil, fmt.Errorf("read helm's credentials in %s: %w", filepath.Base(k.file), err)
	}
	a, err := cfg.GetAuthConfig(r.RegistryStr())
	if err != nil {
		return nil, fmt.Errorf("read helm's credentials of %s: %w", r.RegistryStr(), err)
	}
	if (a == types.AuthConfig{}) {
		return authn.Anonymous, nil
	}
	return authn.FromConfig(authn.AuthConfig{
		Username: a.Username, Password: a.Password, Auth: a.Auth,
		IdentityToken: a.IdentityToken, RegistryToken: a.RegistryToken,
	}), nil
}
