package config

import (
	"errors"
	"fmt"
	"net/url"
	"path"
	"path/filepath"
	"regexp"
	"strings"
)

// A Remote is an image source in a git repository elsewhere, at a ref.
type Remote struct {
	URL  string // as git fetches it; it holds no password
	Ref  string // branch, tag or commit; "HEAD" is the branch that its host checks out
	Path string // folder in it, "." for all
}

// scp is git's short form of an address: USER@HOST:PATH.
var scp = regexp.MustCompile(`^[A-Za-z0-9_.-]+@[A-Za-z0-9.-]+:[^:]+$`)

// schemes are those that git fetches from, none of which runs a program that the
// address names.
var schemes = map[string]bool{"https": true, "http": true, "ssh": true, "git": true, "file": true}

// ParseSource reads URL[#REF[:FOLDER]], the form in which BuildKit and docker take a
// repository as a build context. ok says whether s is an address at all; what is none
// is a folder. The error never holds the address, which may have a password in it.
func ParseSource(s string) (r Remote, ok bool, err error) {
	address, fragment, _ := strings.Cut(s, "#")
	isURL := strings.Contains(address, "://")
	if !isURL && !scp.MatchString(address) {
		return r, false, nil
	}
	if isURL {
		u, err := url.Parse(address)
		switch {
		case err != nil:
			return r, true, errors.New("it is no address of a git repository")
		case !schemes[u.Scheme]:
			return r, true, fmt.Errorf("git repositories are not fetched by %q", u.Scheme)
		case u.Scheme != "file" && u.Host == "" || u.Path == "":
			return r, true, errors.New("it names no repository")
		}
		if _, secret := u.User.Password(); secret || u.User != nil && u.Scheme != "ssh" {
			return r, true, errors.New("it holds a user name or password: leave it out, and let git ask its credential helper (git config credential.helper)")
		}
	}
	r = Remote{URL: address, Ref: "HEAD", Path: "."}
	ref, folder, _ := strings.Cut(fragment, ":")
	if ref != "" {
		r.Ref = ref
	}
	if folder != "" {
		r.Path = path.Clean(folder)
	}
	switch {
	case strings.HasPrefix(r.Ref, "-") || strings.ContainsAny(r.Ref, " \t\n\\^~?*[:"):
		return r, true, fmt.Errorf("%q is no branch, tag or commit", r.Ref)
	case path.IsAbs(r.Path) || !filepath.IsLocal(filepath.FromSlash(r.Path)):
		return r, true, fmt.Errorf("%q is no folder of a repository", folder)
	}
	return r, true, nil
}
