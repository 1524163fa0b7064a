package config

import (
	"fmt"
	"maps"
	"net/url"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/Masterminds/semver/v3"

	"gauntlet/internal/lint"
	"gauntlet/internal/release"
)

func (d *document) checkChart(p *Platform) {
	c := p.Chart
	switch {
	case d.reported("chart.path"):
	case c.Path == "" && c.Repo == "" && c.Name == "" && c.Version == "":
		d.bad("chart.path", "there is no chart", "add path: FOLDER, or repo, name and version")
	case c.Path != "" && (c.Repo != "" || c.Name != "" || c.Version != "" || c.Digest != ""):
		d.bad("chart.path", "the chart has a path and a repository", "keep path, or repo, name and version")
	case c.Path == "":
		if d.need("chart.repo", c.Repo, "https://charts.example.org") {
			d.checkRepo("chart.repo", c.Repo)
		}
		d.need("chart.name", c.Name, "the name of the chart")
		if d.need("chart.version", c.Version, "1.2.3") {
			if _, err := semver.StrictNewVersion(strings.TrimPrefix(c.Version, "v")); err != nil {
				d.bad("chart.version", fmt.Sprintf("%q is no single version", c.Version), "write one version in full, as 1.2.3")
			}
		}
		if _, err := release.ParseDigest(c.Digest); c.Digest != "" && err != nil {
			d.bad("chart.digest", err.Error(), "write the sha256 of the chart's archive, as sha256:64 HEXADECIMAL DIGITS")
		}
	}
	if len(c.Images) == 0 && !d.reported("chart.images") {
		d.bad("chart.images", "no image of the set goes into the chart", "add images: {notebook: {name: VALUE.PATH, tag: VALUE.PATH}}")
	}
	type use struct {
		field string
		path  release.Path
	}
	var uses []use
	add := func(field, s string) {
		path, ok := d.path(field, s)
		if !ok {
			return
		}
		for _, u := range uses {
			if path.Within(u.path) || u.path.Within(path) {
				d.bad(field, fmt.Sprintf("%s and %s (%s) are one place", path, u.path, u.field), "each value path has one meaning: change one of them")
				break
			}
		}
		uses = append(uses, use{field, path})
	}
	for _, image := range slices.Sorted(maps.Keys(c.Images)) {
		s, field := c.Images[image], child("chart.images", image)
		d.knownImage(p, field, image)
		if d.need(child(field, "name"), s.Name, "the value path of the image's name") {
			add(child(field, "name"), s.Name)
		}
		if s.Tag != "" {
			add(child(field, "tag"), s.Tag)
		}
	}
	for i, s := range c.Access {
		add(item("chart.access", i), s)
	}
	for _, s := range slices.Sorted(maps.Keys(c.PrePuller.Off)) {
		add(child("chart.prePuller.off", s), s)
	}
	d.checkPrePuller(c.PrePuller)
}

// checkRepo checks the address of a chart's repository.
func (d *document) checkRepo(field, value string) {
	u, err := url.Parse(value)
	switch {
	case err != nil || !slices.Contains([]string{"https", "http", "oci"}, u.Scheme) || u.Host == "":
		// The value is not shown: it may hold a password.
		d.bad(field, "it is no address of a chart repository", "write https://HOST/PATH or oci://HOST/PATH")
	case u.User != nil:
		d.bad(field, "it holds a user name or password", "leave it out, and run helm repo add --username NAME, or helm registry login")
	}
}

// knownImage reports a name that images.build does not have.
func (d *document) knownImage(p *Platform, field, image string) {
	if _, ok := p.Images.Build[image]; ok || image == "" || len(p.Images.Build) == 0 {
		return
	}
	names := slices.Sorted(maps.Keys(p.Images.Build))
	fix := "build one of that name, or write " + oneOf(names)
	if near := lint.Nearest(image, names); near != "" {
		fix = "did you mean " + near + "?"
	}
	d.bad(field, fmt.Sprintf("images.build has no image %q", image), fix)
}

func (d *document) checkImages(p *Platform) {
	im := p.Images
	if d.need("images.source", im.Source, "the folder of the Dockerfiles") {
		if _, _, err := ParseSource(im.Source); err != nil {
			d.bad("images.source", err.Error(), "write a folder, or https://HOST/REPOSITORY.git#BRANCH:FOLDER")
		}
	}
	if len(im.Build) == 0 && !d.reported("images.build") {
		d.bad("images.build", "there is no image", "add build: {notebook: {dockerfile: notebook/Dockerfile}}")
	}
	d.reference("images.base", im.Base)
	for _, k := range slices.Sorted(maps.Keys(im.Args)) {
		d.reference(child("images.args", k), im.Args[k])
	}
	for i, s := range im.Secrets {
		f := item("images.secrets", i)
		d.need(child(f, "id"), s.ID, "the id that the Dockerfile mounts")
		d.need(child(f, "file"), s.File, "the file it gets")
		if slices.IndexFunc(im.Secrets, func(o BuildSecret) bool { return o.ID == s.ID }) < i && s.ID != "" {
			d.bad(child(f, "id"), fmt.Sprintf("the id %q stands twice", s.ID), "give each secret its own id")
		}
	}
	for _, name := range slices.Sorted(maps.Keys(im.Build)) {
		b, field := im.Build[name], child("images.build", name)
		if !imageName.MatchString(name) {
			d.bad(field, fmt.Sprintf("%q is no name for an image", name), "use small letters, digits, dots and dashes")
		}
		d.need(child(field, "dockerfile"), b.Dockerfile, name+"/Dockerfile")
		d.names(child(field, "prepare"), "file", b.Prepare)
		d.names(child(field, "declares"), "file", b.Declares)
		d.knownImage(p, child(field, "from"), b.From)
		for _, k := range slices.Sorted(maps.Keys(b.Args)) {
			d.reference(child(child(field, "args"), k), b.Args[k])
		}
		d.tests(child(field, "tests"), b.Tests)
		if round := circle(im.Build, name); round != "" {
			d.bad(child(field, "from"), "images are built on each other in a circle: "+round, "let one of them build on something else")
		}
	}
	for i, pair := range im.Pairs {
		d.checkPair(p, item("images.pairs", i), pair)
	}
	d.checkAlignment(im.Alignment)
}

// variable is a name of an environment variable (POSIX).
var variable = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

func (d *document) checkPair(p *Platform, f string, pair Pair) {
	if d.need(child(f, "notebook"), pair.Notebook, "notebook") {
		d.knownImage(p, child(f, "notebook"), pair.Notebook)
	}
	if d.need(child(f, "worker"), pair.Worker, "worker") {
		d.knownImage(p, child(f, "worker"), pair.Worker)
	}
	d.knownImage(p, child(f, "scheduler"), pair.Scheduler)
	if pair.Template != "" && !path.IsAbs(pair.Template) {
		d.bad(child(f, "template"), fmt.Sprintf("%q is no absolute path", pair.Template), "write the path in the notebook image, with a leading /")
	}
	if pair.Environment != "" && !variable.MatchString(pair.Environment) {
		d.bad(child(f, "environment"), fmt.Sprintf("%q is no name of an environment variable", pair.Environment), "write one as DASK_GATEWAY__CLUSTER__OPTIONS__IMAGE")
	}
	d.tests(child(f, "tests"), pair.Tests)
	_, given := p.Chart.Images[pair.Worker]
	one := pair.Notebook == pair.Worker
	switch {
	case one && pair.Template != "":
		d.bad(child(f, "template"), "an image cannot hold its own digest", "leave it out: notebook and worker are one image")
	case one && pair.Environment != "":
		d.bad(child(f, "environment"), "an image cannot hold its own digest", "leave it out: notebook and worker are one image")
	case pair.Template != "" && pair.Environment != "":
		d.bad(child(f, "environment"), "the notebook finds its worker in two ways", "keep template or environment")
	case pair.Template == "" && pair.Environment == "" && !given && !one && pair.Notebook != "" && pair.Worker != "":
		d.bad(f, "nothing says how the notebook finds this worker",
			"add template: /PATH/IN/THE/NOTEBOOK.yml, environment: DASK_GATEWAY__CLUSTER__OPTIONS__IMAGE, or give the worker to the chart in chart.images")
	}
}

// tests checks files that are given as tests: they lie in one folder while they run.
func (d *document) tests(field string, files []string) {
	d.names(field, "file", files)
	for i, f := range files {
		at := item(field, i)
		if !filepath.IsLocal(filepath.FromSlash(f)) {
			d.bad(at, fmt.Sprintf("%q is not below the folder of this file", f), "keep tests beside gauntlet.yaml, as tests/test_maps.py")
			continue
		}
		first := slices.IndexFunc(files, func(o string) bool { return path.Base(o) == path.Base(f) })
		if first < i && files[first] != f {
			d.bad(at, fmt.Sprintf("%s and %s have one name", files[first], f), "they lie in one folder while they run: rename one")
		}
	}
}

// circle is how an image is built on itself, "" when it is not.
func circle(build map[string]Build, name string) string {
	way := name
	at := build[name].From
	for range build {
		if at == "" {
			return ""
		}
		way += " from " + at
		if at == name {
			return way
		}
		at = build[at].From
	}
	return ""
}
