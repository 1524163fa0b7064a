package chart

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"

	"helm.sh/helm/v4/pkg/cli"
	"helm.sh/helm/v4/pkg/getter"
	"helm.sh/helm/v4/pkg/repo/v1"
	"sigs.k8s.io/yaml"

	"gauntlet/internal/release"
)

// New is a fetcher with the user's cache and the files of the user's helm.
func New() Fetcher {
	s := cli.New()
	return Fetcher{Cache: userCache(), Repositories: s.RepositoryConfig, Registries: s.RegistryConfig}
}

// index is what is read of a repository's index.yaml.
type index struct {
	Entries map[string][]struct {
		Version string   `json:"version"`
		URLs    []string `json:"urls"`
		Digest  string   `json:"digest"`
	} `json:"entries"`
}

// fromIndex fetches a chart from a repository that has an index.yaml.
func (f Fetcher) fromIndex(ctx context.Context, c Chart) ([]byte, error) {
	u, err := url.Parse(c.Repo)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" {
		return nil, errors.New("its repository is no address: write https://… or oci://…")
	}
	if u.User != nil {
		return nil, errors.New("its repository's address holds a user name or password: leave it out, and run `helm repo add --username NAME`")
	}
	at, err := f.known(c.Repo)
	if err != nil {
		return nil, err
	}
	where, err := repo.ResolveReferenceURL(c.Repo, "index.yaml")
	if err != nil {
		return nil, err
	}
	text, err := download(ctx, at, where)
	if err != nil {
		return nil, fmt.Errorf("its repository's index: %w", err)
	}
	var i index
	if err := yaml.Unmarshal(text, &i); err != nil {
		return nil, errors.New("its repository's index.yaml is no index of charts")
	}
	versions, ok := i.Entries[c.Name]
	if !ok {
		return nil, fmt.Errorf("the repository has no chart %s", c.Name)
	}
	for _, v := range versions {
		if !sameVersion(v.Version, c.Version) || len(v.URLs) == 0 {
			continue
		}
		said := release.Digest("sha256:" + strings.TrimPrefix(v.Digest, "sha256:"))
		if v.Digest == "" {
			said = c.Digest
		}
		if said == "" {
			return nil, errors.New("the repository's index states no digest for it, so nobody could tell what it is: " +
				"set chart.digest in gauntlet.yaml, or put a dependency into charts/")
		}
		from, err := repo.ResolveReferenceURL(c.Repo, v.URLs[0])
		if err != nil {
			return nil, err
		}
		b, err := download(ctx, at, from)
		if err != nil {
			return nil, err
		}
		if d := release.DigestOf(b); d != said {
			return nil, fmt.Errorf("what %s gives is %s, and the repository's index says %s", bare(from), d, said)
		}
		return b, nil
	}
	return nil, fmt.Errorf("the repository has no version %s of it: its newest is %s", c.Version, newest(versions[0].Version))
}

func newest(v string) string {
	if v == "" {
		return "not known"
	}
	return v
}

// download gets a file of a repository with what the user's helm knows of it.
func download(ctx context.Context, at *repo.Entry, from string) ([]byte, error) {
	g, err := getter.NewHTTPGetter(
		getter.WithURL(at.URL), getter.WithTimeout(fetchTime),
		getter.WithBasicAuth(at.Username, at.Password), getter.WithPassCredentialsAll(at.PassCredentialsAll),
		getter.WithTLSClientConfig(at.CertFile, at.KeyFile, at.CAFile), getter.WithInsecureSkipVerifyTLS(at.InsecureSkipTLSVerify))
	if err != nil {
		return nil, err
	}
	type answer struct {
		data []byte
		err  error
	}
	done := make(chan answer, 1) // helm's getter knows no context
	go func() {
		b, err := g.Get(from)
		if err != nil {
			done <- answer{err: err}
			return
		}
		done <- answer{data: b.Bytes()}
	}()
	select {
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	case a := <-done:
		return a.data, a.err
	}
}

// known is what the user's helm knows of a repository: its credentials.
func (f Fetcher) known(address string) (*repo.Entry, error) {
	list, err := f.repositories()
	if err != nil {
		return nil, err
	}
	for _, e := range list {
		if strings.TrimRight(e.URL, "/") == strings.TrimRight(address, "/") {
			return e, nil
		}
	}
	return &repo.Entry{URL: address}, nil
}

// alias is the address of a repository, which charts may name as helm knows it.
func (f Fetcher) alias(name string) (string, error) {
	short, ok := strings.CutPrefix(name, "@")
	if !ok {
		if short, ok = strings.CutPrefix(name, "alias:"); !ok {
			return name, nil
		}
	}
	list, err := f.repositories()
	if err != nil {
		return "", err
	}
	for _, e := range list {
		if e.Name == short {
			return e.URL, nil
		}
	}
	return "", fmt.Errorf("helm knows no repository %q here: run `helm repo add %s ADDRESS`, or write the address into the chart", short, short)
}

func (f Fetcher) repositories() ([]*repo.Entry, error) {
	if f.Repositories == "" {
		return nil, nil
	}
	if _, err := os.Stat(f.Repositories); errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	list, err := repo.LoadFile(f.Repositories)
	if err != nil {
		return nil, fmt.Errorf("read what helm knows of repositories: %w", err)
	}
	return list.Repositories, nil
}

// bare is an address without user and password.
func bare(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.User == nil {
		return address
	}
	u.User = nil
	return u.String()
}
