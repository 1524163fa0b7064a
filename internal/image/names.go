package image

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"gauntlet/internal/config"
	"gauntlet/internal/release"
)

// nameWorker writes the worker's reference into the notebook, where the pair says.
func nameWorker(ctx context.Context, notebook string, p config.Pair, worker string) (release.Digest, error) {
	if p.Environment != "" {
		return SetVariable(ctx, notebook, p.Environment, worker)
	}
	return SetWorker(ctx, notebook, p.Template, worker)
}

// NamesWorker checks that a notebook names this very worker where the pair says: every
// container of its worker template does, or its environment variable.
func NamesWorker(ctx context.Context, notebook string, p config.Pair, worker string) (string, error) {
	where, at, named := p.Template, p.Template, TemplateImages
	if p.Environment != "" {
		where, at, named = "variable "+p.Environment, p.Environment, variable
	}
	list, err := named(ctx, notebook, at)
	if err != nil {
		return "", err
	}
	for _, got := range list {
		if got != worker {
			return "", fmt.Errorf("%s names %q, not %s: users would start other workers than those tested", where, got, worker)
		}
	}
	return fmt.Sprintf("%s names %s", where, worker), nil
}

// SetVariable is SetWorker for notebooks that name their worker in an environment
// variable, as clients of dask-gateway do (DASK_GATEWAY__CLUSTER__OPTIONS__IMAGE): the
// image's own configuration gets it, and no layer is added.
func SetVariable(ctx context.Context, notebook, variable, worker string) (release.Digest, error) {
	if _, err := name.NewDigest(worker); err != nil {
		return "", fmt.Errorf("the worker must be named by digest, not as %q: %w", worker, err)
	}
	ref, img, err := open(ctx, notebook)
	if err != nil {
		return "", err
	}
	cfg, err := img.ConfigFile()
	if err != nil {
		return "", fmt.Errorf("read the configuration of %s: %w", notebook, err)
	}
	next := cfg.DeepCopy()
	next.Config.Env = slices.DeleteFunc(next.Config.Env, func(v string) bool { return strings.HasPrefix(v, variable+"=") })
	next.Config.Env = append(next.Config.Env, variable+"="+worker)
	changed, err := mutate.ConfigFile(img, next)
	if err != nil {
		return "", fmt.Errorf("set %s in %s: %w", variable, notebook, err)
	}
	h, err := changed.Digest()
	if err != nil {
		return "", err
	}
	if err := remote.Write(ref.Repository.Digest(h.String()), changed, options(ctx)...); err != nil {
		return "", registryError("push", ref.Repository.Name(), err)
	}
	return release.ParseDigest(h.String())
}

// variable is what an environment variable of an image is set to.
func variable(ctx context.Context, notebook, name string) ([]string, error) {
	_, img, err := open(ctx, notebook)
	if err != nil {
		return nil, err
	}
	cfg, err := img.ConfigFile()
	if err != nil {
		return nil, fmt.Errorf("read the configuration of %s: %w", notebook, err)
	}
	for _, v := range cfg.Config.Env {
		if value, ok := strings.CutPrefix(v, name+"="); ok {
			return []string{value}, nil
		}
	}
	return nil, fmt.Errorf("%s does not set %s: users' notebooks would not find their worker", notebook, name)
}
