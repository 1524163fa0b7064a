// Package chart gets the packaged Helm chart that a platform deploys: from a folder or
// from a repository, with the dependencies that its lock names. What is fetched is
// checked against the digest that its repository states and kept in the user's cache;
// from then on it needs no network.
package chart

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"helm.sh/helm/v4/pkg/chart/v2/loader"

	"gauntlet/internal/release"
)

// A Fetcher gets charts of repositories, with the credentials that the user's helm
// program keeps.
type Fetcher struct {
	Cache        string // folder for what was fetched; "" fetches everything anew
	Repositories string // helm's repositories.yaml; need not exist
	Registries   string // helm's registry/config.json; need not exist
}

// A Chart names one chart of a repository.
type Chart struct {
	Repo    string // https://…, http://… or oci://…
	Name    string
	Version string         // one version, never a range
	Digest  release.Digest // of the archive; "" takes what the repository states
}

func (c Chart) String() string {
	return fmt.Sprintf("chart %s %s of %s", c.Name, c.Version, bare(c.Repo))
}

// fetchTime bounds each request to a repository.
const fetchTime = 2 * time.Minute

// Fetch is the archive (.tgz) of a chart, from the cache where it is known.
func (f Fetcher) Fetch(ctx context.Context, c Chart) ([]byte, error) {
	if b, ok := f.cached(c); ok {
		return b, nil
	}
	get := f.fromIndex
	if strings.HasPrefix(c.Repo, ociScheme) {
		get = f.fromRegistry
	}
	b, err := get(ctx, c)
	if err != nil {
		return nil, fmt.Errorf("fetch %s: %w", c, err)
	}
	if d := release.DigestOf(b); c.Digest != "" && d != c.Digest {
		return nil, fmt.Errorf("fetch %s: it is %s and not %s, as is asked for: somebody has published this version again; "+
			"find out why before you take the new digest", c, d, c.Digest)
	}
	if err := is(b, c.Name, c.Version); err != nil {
		return nil, fmt.Errorf("fetch %s: %w", c, err)
	}
	f.keep(c, b)
	return b, nil
}

// Pack packs a folder's chart: the folder's files and, in charts/, the dependencies
// that they ask for and do not hold.
func (f Fetcher) Pack(ctx context.Context, dir string) ([]byte, error) {
	files, err := f.folder(ctx, dir, 0)
	if err != nil {
		return nil, err
	}
	b, err := release.PackChart(files, "", "")
	if err != nil {
		return nil, fmt.Errorf("package the chart %s: %w", dir, err)
	}
	return b, nil
}

// maxDepth bounds how deep folders may depend on each other.
const maxDepth = 8

func (f Fetcher) folder(ctx context.Context, dir string, depth int) (map[string][]byte, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("chart %s: its dependencies of file:// lead round in a circle", dir)
	}
	files := map[string][]byte{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		files[filepath.ToSlash(rel)], err = os.ReadFile(path)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read the chart: %w", err)
	}
	if err := f.complete(ctx, dir, files, depth); err != nil {
		return nil, fmt.Errorf("chart %s: %w", dir, err)
	}
	return files, nil
}

// complete adds to a chart's files the dependencies that they lack.
func (f Fetcher) complete(ctx context.Context, dir string, files map[string][]byte, depth int) error {
	asked, err := requirements(dir, files, f.alias)
	if err != nil {
		return err
	}
	have, err := vendored(files)
	if err != nil {
		return err
	}
	var errs []error
	for _, a := range asked {
		switch held, err := a.among(have[a.Name]); {
		case err != nil:
			errs = append(errs, fmt.Errorf("%w: run `helm dependency build %s`, or delete it from charts/ to have it fetched", err, dir))
			continue
		case held:
			continue
		}
		b, version, err := f.dependency(ctx, dir, a, depth)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		files["charts/"+a.Name+"-"+version+".tgz"] = b
	}
	return errors.Join(errs...)
}

// dependency is the archive of a chart that another asks for, and its version.
func (f Fetcher) dependency(ctx context.Context, dir string, a requirement, depth int) ([]byte, string, error) {
	if path, ok := strings.CutPrefix(a.Repository, fileScheme); ok {
		if !filepath.IsAbs(path) {
			path = filepath.Join(dir, filepath.FromSlash(path))
		}
		files, err := f.folder(ctx, path, depth+1)
		if err != nil {
			return nil, "", fmt.Errorf("dependency %s: %w", a.Name, err)
		}
		b, err := release.PackChart(files, "", "")
		if err != nil {
			return nil, "", fmt.Errorf("dependency %s: %w", a.Name, err)
		}
		name, version, err := of(b)
		if err == nil && (name != a.Name || !a.takes(version)) {
			err = fmt.Errorf("folder %s holds %s %s where %s %s is asked for: run `helm dependency update %s`", path, name, version, a.Name, a.Version, dir)
		}
		return b, version, err
	}
	if err := a.exact(dir); err != nil {
		return nil, "", err
	}
	b, err := f.Fetch(ctx, Chart{Repo: a.Repository, Name: a.Name, Version: a.Version})
	if err != nil {
		return nil, "", fmt.Errorf("dependency: %w", err)
	}
	return b, a.Version, nil
}

// is checks that an archive holds a chart of that name and version.
func is(b []byte, name, version string) error {
	n, v, err := of(b)
	if err != nil {
		return err
	}
	if n != name || !sameVersion(v, version) {
		return fmt.Errorf("the archive holds chart %s %s", n, v)
	}
	return nil
}

// of is the name and version of the chart in an archive.
func of(b []byte) (name, version string, err error) {
	c, err := loader.LoadArchive(bytes.NewReader(b))
	if err != nil {
		return "", "", fmt.Errorf("it is no packaged chart: %w", err)
	}
	return c.Name(), c.Metadata.Version, nil
}

// sameVersion compares versions; a leading v is no part of one.
func sameVersion(a, b string) bool { return strings.TrimPrefix(a, "v") == strings.TrimPrefix(b, "v") }
