package registry

import (
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
)

func TestCredentialsMatchAsAKubeletsDo(t *testing.T) {
	for _, c := range []struct {
		key, image string
		want       bool
	}{
		{"quay.io", "quay.io/org/x", true},
		{"https://quay.io", "quay.io/org/x", true},
		{"quay.io/org", "quay.io/org/x", true},
		{"quay.io/org/", "quay.io/org/x", true},
		{"quay.io/org/x", "quay.io/org/x", true},
		{"quay.io/or", "quay.io/org/x", false},
		{"quay.io/other", "quay.io/org/x", false},
		{"https://index.docker.io/v1/", "busybox", true},
		{"docker.io", "org/x", true},
		{"registry.example.org:5000", "registry.example.org:5000/x", true},
		{"registry.example.org", "registry.example.org:5000/x", false},
		{"*.example.org", "a.example.org/x", true},
		{"*.example.org", "example.org/x", false},
		{"*.*.example.org", "a.example.org/x", false},
		{"[", "a.example.org/x", false},
	} {
		repo, err := name.NewRepository(c.image)
		if err != nil {
			t.Fatal(err)
		}
		host, path := place(c.key)
		if got := (Credential{host: host, path: path}).matches(repo); got != c.want {
			t.Errorf("%s for %s: %t", c.key, c.image, got)
		}
	}
}

func TestParseSecret(t *testing.T) {
	const config = `{"auths": {"quay.io": {"username": "robot", "password": "hunter2"}, "quay.io/org": {"auth": "YTpiOmM="}, "empty.io": {}, "bad.io": {"auth": "?"}}}`
	creds, err := ParseSecret(map[string][]byte{configKey: []byte(config)})
	if err != nil || len(creds) != 2 || creds[0].path != "org" || creds[0].auth.Password != "b:c" || creds[1].auth.Username != "robot" {
		t.Errorf("%d, %v", len(creds), err)
	}
	creds, err = ParseSecret(map[string][]byte{oldConfigKey: []byte(`{"https://index.docker.io/v1/": {"auth": "YTpi"}}`)})
	if err != nil || len(creds) != 1 || creds[0].host != name.DefaultRegistry {
		t.Errorf("%d, %v", len(creds), err)
	}
	for _, data := range []map[string][]byte{
		nil, {"x": nil}, {configKey: []byte("hunter2")}, {oldConfigKey: []byte("[]")}, {configKey: []byte(`{"auths": {"quay.io": {"auth": "hunter2"}}}`)},
	} {
		if _, err := ParseSecret(data); err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%v: %v", data, err)
		}
	}
}

func FuzzParseSecret(f *testing.F) {
	f.Add([]byte(`{"auths": {"*.x/y": {"auth": "YTpi"}}}`), true)
	f.Add([]byte(`{"a": {"username": "b"}}`), false)
	repo, err := name.NewRepository("quay.io/org/x")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, data []byte, newer bool) {
		key := oldConfigKey
		if newer {
			key = configKey
		}
		creds, err := ParseSecret(map[string][]byte{key: data})
		if err == nil && len(creds) == 0 {
			t.Error("no credentials and no error")
		}
		for _, c := range creds {
			c.matches(repo)
		}
	})
}
