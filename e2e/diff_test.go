package e2e

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gauntlet/internal/config"
	"gauntlet/internal/image"
	"gauntlet/lab"
)

// edition is a Dockerfile of the good worker with some packages of other versions.
const edition = `ARG BASE
ARG WORKER
FROM ${BASE} AS installer
COPY installer.lock /
RUN --mount=type=secret,id=ca,target=/etc/ssl/certs/ca-certificates.crt,required=false \
    --mount=type=cache,target=/root/.cache/pip \
    python3 -m venv /opt/installer && \
    /opt/installer/bin/pip install --quiet --disable-pip-version-check --require-hashes -r /installer.lock
FROM ${WORKER}
ARG INSTALL
USER 0
RUN --mount=type=bind,from=installer,source=/opt/installer,target=/opt/installer \
    --mount=type=secret,id=ca,target=/etc/ssl/certs/ca-certificates.crt,required=false \
    export UV_CACHE_DIR=/tmp/uv SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt && \
    /opt/installer/bin/uv pip install --quiet --python /opt/env/bin/python --no-deps --link-mode copy ${INSTALL} && rm -r /tmp/uv
USER 1000
`

// diffs builds two editions of an image that differ in four packages, one of each kind
// of change, and in files that no package holds: diff names exactly those four.
func diffs(t *testing.T) {
	c := copyOf(t, filepath.Join(root, "examples", "pangeo"))
	source := filepath.Join(c.dir, "images")
	if err := os.WriteFile(filepath.Join(source, "Dockerfile"), []byte(edition), 0o644); err != nil {
		t.Fatal(err)
	}
	args := func(install string) map[string]string { return map[string]string{"INSTALL": install} }
	built, err := image.Build(t.Context(), image.Options{
		Registry: lab.Registry + "/e2e", Source: source, Dir: c.dir, BuildKit: lab.BuildkitAddr(),
		Images: config.Images{
			Secrets: []config.BuildSecret{{ID: "ca", File: "/etc/ssl/certs/ca-certificates.crt"}},
			Args: map[string]string{
				"BASE":   lab.Registry + "/platform/base:bookworm",
				"WORKER": lab.Registry + "/platform/worker@" + string(statusOf(demoTeam(t)).Images["worker"]),
			},
			Build: map[string]config.Build{
				"edition-one": {Dockerfile: "Dockerfile", Args: args("colorama==0.4.5 pluggy==1.5.0 iniconfig==2.0.0")},
				"edition-two": {Dockerfile: "Dockerfile", Args: args("colorama==0.4.6 pluggy==1.4.0 toml==0.10.2")},
			},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	ref := func(name string) string { return image.Ref(lab.Registry+"/e2e", name, built.Set.Images[name]) }
	type change struct{ Package, What, From, To string }
	want := []change{
		{"colorama", "upgraded", "0.4.5", "0.4.6"},
		{"iniconfig", "removed", "2.0.0", ""},
		{"pluggy", "downgraded", "1.5.0", "1.4.0"},
		{"toml", "added", "", "0.10.2"},
	}
	t.Run("as JSON", func(t *testing.T) {
		var told struct {
			Images []struct {
				Environments []struct {
					Path    string
					Changes []change
				}
			}
		}
		if err := json.Unmarshal([]byte(c.gauntlet(0, "diff", ref("edition-one"), ref("edition-two"), "-o", "json").out), &told); err != nil {
			t.Fatal(err)
		}
		if len(told.Images) != 1 || len(told.Images[0].Environments) != 1 || told.Images[0].Environments[0].Path != "/opt/env" {
			t.Fatalf("%+v", told)
		}
		if d := cmp.Diff(want, told.Images[0].Environments[0].Changes); d != "" {
			t.Error(d)
		}
	})
	for name, form := range map[string]struct {
		args  []string
		mark  string // begins each line of a change
		lines []string
	}{
		"as text":     {nil, "    ", []string{"↑ colorama 0.4.5 → 0.4.6", "- iniconfig 2.0.0", "↓ pluggy 1.5.0 → 1.4.0", "+ toml 0.10.2"}},
		"as Markdown": {[]string{"--markdown"}, "| ", []string{"| colorama | upgraded | 0.4.5 | 0.4.6 |", "| iniconfig | removed | 2.0.0 | |", "| pluggy | downgraded | 1.5.0 | 1.4.0 |", "| toml | added | | 0.10.2 |"}},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			for line := range strings.Lines(c.gauntlet(0, append([]string{"diff", ref("edition-one"), ref("edition-two")}, form.args...)...).out) {
				if strings.HasPrefix(line, form.mark) && !strings.HasPrefix(line, "| package") {
					got = append(got, strings.Join(strings.Fields(line), " "))
				}
			}
			if d := cmp.Diff(form.lines, got); d != "" {
				t.Error(d)
			}
		})
	}
}
