package chart

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"path"
	"strings"

	"github.com/Masterminds/semver/v3"
	helmchart "helm.sh/helm/v4/pkg/chart/v2"
	"sigs.k8s.io/yaml"
)

// Schemes of a dependency's repository.
const (
	fileScheme = "file://"
	ociScheme  = "oci://"
)

// A requirement is a chart that another one asks for.
type requirement struct {
	Name       string
	Version    string // a single one when locked, else a range as helm knows them
	Repository string // "" for one that must be in charts/
	locked     bool
}

// metadata is what Chart.yaml, and requirements.yaml of older charts, say of
// dependencies.
type metadata struct {
	APIVersion   string                  `json:"apiVersion"`
	Dependencies []*helmchart.Dependency `json:"dependencies"`
}

// requirements are what a chart asks for, as its lock pins them. alias finds the
// address of a repository that is named as helm knows it (@name).
func requirements(dir string, files map[string][]byte, alias func(string) (string, error)) ([]requirement, error) {
	var meta metadata
	if err := yaml.Unmarshal(files["Chart.yaml"], &meta); err != nil {
		return nil, fmt.Errorf("read Chart.yaml: %w", err)
	}
	lockFile, in := "Chart.lock", "Chart.yaml"
	if meta.APIVersion == helmchart.APIVersionV1 {
		lockFile, in = "requirements.lock", "requirements.yaml"
		if err := yaml.Unmarshal(files[in], &meta); err != nil {
			return nil, fmt.Errorf("read %s: %w", in, err)
		}
	}
	old := hash(map[string]any{"dependencies": meta.Dependencies}) // as Helm 2 wrote it
	for i, d := range meta.Dependencies {
		if d == nil || d.Name == "" || strings.ContainsAny(d.Name, `/\`) {
			return nil, fmt.Errorf("dependency %d of %s has no name that is one", i+1, in)
		}
		if err := d.Validate(); err != nil {
			return nil, fmt.Errorf("dependency %s of %s: %w", d.Name, in, err)
		}
		url, err := alias(d.Repository)
		if err != nil {
			return nil, fmt.Errorf("dependency %s: %w", d.Name, err)
		}
		d.Repository = url
	}
	var out []requirement
	text, ok := files[lockFile]
	if !ok {
		for _, d := range meta.Dependencies {
			out = append(out, requirement{Name: d.Name, Version: d.Version, Repository: d.Repository})
		}
		return out, nil
	}
	var lock helmchart.Lock
	if err := yaml.Unmarshal(text, &lock); err != nil {
		return nil, fmt.Errorf("read %s: %w", lockFile, err)
	}
	if sum := hash([2][]*helmchart.Dependency{meta.Dependencies, lock.Dependencies}); lock.Digest != sum && lock.Digest != old {
		return nil, fmt.Errorf("%s is not of the dependencies in %s: run `helm dependency update %s` and commit what it writes", lockFile, in, dir)
	}
	for _, d := range lock.Dependencies {
		if d == nil || d.Name == "" || strings.ContainsAny(d.Name, `/\`) {
			return nil, fmt.Errorf("%s names a dependency without a name", lockFile)
		}
		url, err := alias(d.Repository)
		if err != nil {
			return nil, fmt.Errorf("dependency %s: %w", d.Name, err)
		}
		out = append(out, requirement{Name: d.Name, Version: d.Version, Repository: url, locked: true})
	}
	return out, nil
}

// hash is the digest that helm writes into a lock.
func hash(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return ""
	}
	sum := sha256.Sum256(b)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// takes says whether a version is one that is asked for.
func (r requirement) takes(version string) bool {
	if sameVersion(r.Version, version) {
		return true
	}
	if r.locked {
		return false
	}
	c, err := semver.NewConstraint(r.Version)
	if err != nil {
		return false
	}
	v, err := semver.NewVersion(version)
	return err == nil && c.Check(v)
}

// among says whether one of the versions that charts/ holds is the one asked for. It is
// an error when charts/ holds others only.
func (r requirement) among(have []string) (bool, error) {
	for _, v := range have {
		if r.takes(v) {
			return true, nil
		}
	}
	if len(have) > 0 {
		return false, fmt.Errorf("charts/ holds %s %s where %s is asked for", r.Name, strings.Join(have, " and "), r.Version)
	}
	return false, nil
}

// exact refuses what could be another chart tomorrow.
func (r requirement) exact(dir string) error {
	if r.Repository == "" {
		return fmt.Errorf("dependency %s has no repository and is not in charts/: put it there, or name its repository", r.Name)
	}
	if _, err := semver.StrictNewVersion(strings.TrimPrefix(r.Version, "v")); err != nil {
		return fmt.Errorf("dependency %s asks for version %q, which is no single one, and there is no lock: "+
			"run `helm dependency update %s` and commit Chart.lock", r.Name, r.Version, dir)
	}
	return nil
}

// vendored are the versions of the charts that charts/ holds, by name.
func vendored(files map[string][]byte) (map[string][]string, error) {
	have := map[string][]string{}
	for file, data := range files {
		rest, ok := strings.CutPrefix(file, "charts/")
		if !ok {
			continue
		}
		switch parts := strings.Split(rest, "/"); {
		case len(parts) == 1 && path.Ext(rest) == ".tgz":
			name, version, err := of(data)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", file, err)
			}
			have[name] = append(have[name], version)
		case len(parts) == 2 && parts[1] == "Chart.yaml":
			var m struct{ Name, Version string }
			if err := yaml.Unmarshal(data, &m); err != nil {
				return nil, fmt.Errorf("read %s: %w", file, err)
			}
			have[m.Name] = append(have[m.Name], m.Version)
		}
	}
	return have, nil
}
