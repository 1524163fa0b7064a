package config

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var slots = map[string]ImageSlot{
	"notebook": {Name: "hub.image.name", Tag: "hub.image.tag"},
	"worker":   {Name: "worker.image"},
}

func TestCheckValues(t *testing.T) {
	for _, c := range []struct{ name, doc, want string }{
		{"nothing", "", ""},
		{"tags that stand still", "hub: {image: {name: latest, tag: abc1234}}\nworker: {image: 'r.example.org:5000/w:v1'}\n", ""},
		{"no tags", "hub: {image: {tag: ''}}\nworker: {image: null}\n", ""},
		{"moving tags", "hub:\n  image:\n    tag: latest\nworker:\n  image: r.example.org:5000/w:dev\n", `
v.yml:3:10: hub.image.tag: the tag "latest" moves from image to image
    fix: name one image by its commit or version, or leave the tag empty for the images of this commit
v.yml:5:10: worker.image: the tag "dev" moves from image to image
    fix: name one image by its commit or version, or leave the tag empty for the images of this commit
`},
		{"a tag that is a number", "hub: {image: {tag: 0000000}}\n", `
v.yml:1:20: hub.image.tag: the tag of notebook is no text
    fix: write it in quotes
`},
		{"a tag that is a map", "hub: {image: {tag: {a: 1}}}\n", `
v.yml:1:20: hub.image.tag: it is a map where the tag of notebook belongs
    fix: write a tag, or take it out
`},
		{"keys twice: the last counts", "hub:\n  image: {tag: latest}\n  size: 1\n  image: {tag: abc}\nhub2: [{a: 1, a: 2}]\n", `
v.yml:4:3: warning: hub.image: the key stands twice: Helm drops what it has on line 2 (key-twice)
    fix: move what is still wanted here, and delete the other
v.yml:5:15: warning: hub2[0].a: the key stands twice: Helm drops what it has on line 5 (key-twice)
    fix: move what is still wanted here, and delete the other
`},
		{"of two documents the last counts", "hub: {image: {tag: latest}}\n---\nhub: {image: {tag: abc}}\n", ""},
		{"through an alias", "x: &x {tag: dev}\nhub: {image: *x}\n", `
v.yml:1:13: hub.image.tag: the tag "dev" moves from image to image
    fix: name one image by its commit or version, or leave the tag empty for the images of this commit
`},
		{"not YAML", "hub:\n  image: {\n", `
v.yml:2:1: this is not YAML: did not find expected node content
    fix: mend the indentation or quotes here or on the line before
`},
		{"not a map", "- a\n", `
v.yml:1:1: read values file v.yml: values must be a map at the top: key: value
`},
		{"left to chance", "1: a\n'1': b\n", `
v.yml:1:1: read values file v.yml: key "1" stands twice, quoted and unquoted: keep one
`},
	} {
		got := CheckValues("v.yml", []byte(c.doc), slots).Error()
		if diff := cmp.Diff(strings.TrimSpace(c.want), got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
}

func TestWarningsDoNotStandInTheWay(t *testing.T) {
	ps := CheckValues("v.yml", []byte("a: 1\na: 2\n"), slots)
	if err := ps.Err(); err != nil || len(ps.Warnings()) != 1 {
		t.Errorf("%v, %v", err, ps.Warnings())
	}
	ps = CheckValues("v.yml", []byte("a: 1\na: 2\nworker: {image: 'x:latest'}\n"), slots)
	if err := ps.Err(); err == nil || len(ps.Warnings()) != 1 || strings.Contains(err.Error(), "twice") {
		t.Errorf("%v, %v", err, ps.Warnings())
	}
}

func FuzzCheckValues(f *testing.F) {
	f.Add([]byte("hub: {image: {tag: latest}}\nhub: {image: &a {tag: latest, <<: *a}}\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		soundProblems(t, data, CheckValues("f", data, slots).Err())
	})
}

func TestProblemsShowNoControlCharacters(t *testing.T) {
	_, err := ParsePlatform("f", []byte("\"a\\e[31m\": 1\nplatform: \"\\e[1mx\"\n"))
	if err == nil || strings.Contains(err.Error(), "\x1b") {
		t.Errorf("%q", err)
	}
}
