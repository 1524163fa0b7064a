package config

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseSourceTellsAddressesFromFolders(t *testing.T) {
	for in, want := range map[string]Remote{
		"https://git.example.org/team/images.git":                   {"https://git.example.org/team/images.git", "HEAD", "."},
		"https://git.example.org/team/images#main":                  {"https://git.example.org/team/images", "main", "."},
		"ssh://git@git.example.org/team/images.git#v1:docker/all":   {"ssh://git@git.example.org/team/images.git", "v1", "docker/all"},
		"git@git.example.org:team/images.git#release/2026:./docker": {"git@git.example.org:team/images.git", "release/2026", "docker"},
		"file:///srv/images#:sub":                                   {"file:///srv/images", "HEAD", "sub"},
	} {
		got, ok, err := ParseSource(in)
		if err != nil || !ok {
			t.Errorf("%s: %v %v", in, ok, err)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s: %s", in, d)
		}
	}
	for _, folder := range []string{"images", "../images", "/srv/images", "a folder#1", "./x@y"} {
		if _, ok, err := ParseSource(folder); ok || err != nil {
			t.Errorf("%s passed for an address (%v)", folder, err)
		}
	}
	for _, bad := range []string{
		"ext::sh -c date://x", "ext://sh", "https://", "https://host", "https://ada:secret@host/x", "https://token@host/x", "https://host/x#--upload-pack=x",
		"https://host/x#a b", "https://host/x#main:../etc", "https://host/x#main:/etc", "ftp://host/x",
	} {
		if r, ok, err := ParseSource(bad); !ok || err == nil {
			t.Errorf("%s: read as %+v, %v", bad, r, ok)
		} else if strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), "token") {
			t.Errorf("%s: the error tells it: %v", bad, err)
		}
	}
}

func FuzzParseSource(f *testing.F) {
	f.Add("https://host/x#main:docker")
	f.Add("git@host:x")
	f.Fuzz(func(t *testing.T, s string) {
		r, ok, err := ParseSource(s)
		if !ok || err != nil {
			return
		}
		if strings.HasPrefix(r.URL, "-") || strings.HasPrefix(r.Ref, "-") || !filepath.IsLocal(r.Path) {
			t.Errorf("%q gives %+v", s, r)
		}
	})
}
