// Package registry asks registries whether they have images, with the pull secrets of
// a hub and nothing else: what the operator's own docker is logged in to says nothing
// about what a kubelet gets.
package registry

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"path"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
)

// Keys of a Secret that hold credentials.
const (
	configKey    = ".dockerconfigjson"
	oldConfigKey = ".dockercfg"
)

// A Credential is what one entry of a pull secret gives for the registries that it
// matches. It holds a password: never print it.
type Credential struct {
	host, path string // host may hold wildcards, path is a prefix
	auth       authn.AuthConfig
}

// ParseSecret reads the data of a pull secret (kubernetes.io/dockerconfigjson or
// dockercfg). An error never quotes it.
func ParseSecret(data map[string][]byte) ([]Credential, error) {
	type entry struct {
		Username, Password, Auth string
		IdentityToken            string `json:"identitytoken"`
		RegistryToken            string `json:"registrytoken"`
	}
	entries := map[string]entry{}
	switch {
	case data[configKey] != nil:
		var c struct {
			Auths map[string]entry `json:"auths"`
		}
		if json.Unmarshal(data[configKey], &c) != nil {
			return nil, errors.New("its " + configKey + " is no JSON of docker's form")
		}
		entries = c.Auths
	case data[oldConfigKey] != nil:
		if json.Unmarshal(data[oldConfigKey], &entries) != nil {
			return nil, errors.New("its " + oldConfigKey + " is no JSON of docker's form")
		}
	default:
		return nil, errors.New("it has no key " + configKey)
	}
	var out []Credential
	for at, e := range entries {
		c := Credential{auth: authn.AuthConfig{Username: e.Username, Password: e.Password, IdentityToken: e.IdentityToken, RegistryToken: e.RegistryToken}}
		if c.auth.Username == "" && c.auth.Password == "" && e.Auth != "" {
			b, err := base64.StdEncoding.DecodeString(e.Auth)
			user, password, ok := strings.Cut(string(b), ":")
			if err != nil || !ok {
				continue
			}
			c.auth.Username, c.auth.Password = user, password
		}
		if c.auth == (authn.AuthConfig{}) {
			continue
		}
		if c.host, c.path = place(at); c.host != "" {
			out = append(out, c)
		}
	}
	// The most specific first, as a kubelet tries them.
	slices.SortFunc(out, func(a, b Credential) int { return strings.Compare(b.host+b.path, a.host+a.path) })
	if len(out) == 0 {
		return nil, errors.New("it holds no credentials")
	}
	return out, nil
}

// place reads the key of an entry: a host, or an address as docker writes it.
func place(key string) (host, path string) {
	for _, scheme := range []string{"https://", "http://"} {
		key = strings.TrimPrefix(key, scheme)
	}
	host, path, _ = strings.Cut(key, "/")
	for _, version := range []string{"v1", "v2"} {
		if path == version || path == version+"/" {
			path = ""
		}
	}
	switch host {
	case "docker.io", "registry-1.docker.io":
		host = name.DefaultRegistry
	}
	return strings.ToLower(host), strings.Trim(path, "/")
}

// matches says whether a credential is for a repository. A * stands for one part of
// a host's name.
func (c Credential) matches(repo name.Repository) bool {
	if c.path != "" && repo.RepositoryStr() != c.path && !strings.HasPrefix(repo.RepositoryStr(), c.path+"/") {
		return false
	}
	want, has := strings.Split(c.host, "."), strings.Split(strings.ToLower(repo.RegistryStr()), ".")
	if len(want) != len(has) {
		return false
	}
	for i := range want {
		if ok, err := path.Match(want[i], has[i]); err != nil || !ok {
			return false
		}
	}
	return true
}

// clouds are registries that nodes of their cloud may pull from with the rights of
// the machine.
var clouds = []string{".amazonaws.com", "gcr.io", "-docker.pkg.dev", ".azurecr.io", ".aliyuncs.com"}

// Cloud says whether nodes may have credentials of their own for a registry.
func Cloud(host string) bool {
	return slices.ContainsFunc(clouds, func(c string) bool { return strings.HasSuffix(host, c) })
}
