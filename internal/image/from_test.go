package image

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestFromReplacesWhatTheLastStageIsBuiltOn(t *testing.T) {
	for name, c := range map[string]struct {
		dockerfile string
		args       map[string]string
		context    string
		set        map[string]string
	}{
		"plain":                      {"FROM worker\n", nil, "worker", nil},
		"with a tag":                 {"FROM example/worker:v1.2\n", nil, "example/worker:v1.2", nil},
		"of a registry":              {"FROM registry.example.org/p/worker:latest\n", nil, "registry.example.org/p/worker", nil},
		"by digest":                  {"FROM worker@sha256:" + strings.Repeat("a", 64) + "\n", nil, "worker@sha256:" + strings.Repeat("a", 64), nil},
		"by an argument":             {"ARG IMAGE=example/worker\nARG TAG=dev\nFROM ${IMAGE}:$TAG\n", nil, "example/worker:dev", nil},
		"by an argument given":       {"ARG TAG=dev\nFROM worker:$TAG\n", map[string]string{"TAG": "v2"}, "worker:v2", nil},
		"by an argument of another":  {"ARG TAG=dev\nARG IMAGE=worker:$TAG\nFROM $IMAGE\n", map[string]string{"TAG": "v2"}, "worker:v2", nil},
		"by an argument without any": {"ARG IMAGE\nFROM $IMAGE\n", nil, standIn, map[string]string{"IMAGE": standIn}},
		"by a tag without any":       {"ARG TAG\nFROM example/worker:${TAG}\n", nil, "example/worker:" + standIn, map[string]string{"TAG": standIn}},
		"through stages":             {"FROM debian AS tools\nFROM worker:1 AS Base\nRUN x\nFROM base AS last\nCOPY --from=tools /x /x\nFROM last\n", nil, "worker:1", nil},
		"of a platform":              {"FROM --platform=linux/amd64 worker:1\n", nil, "worker:1", nil},
		"with another escape":        {"# escape=`\nFROM worker:1\n", nil, "worker:1", nil},
	} {
		t.Run(name, func(t *testing.T) {
			b, err := basedOn([]byte(c.dockerfile), c.args)
			if err != nil {
				t.Fatal(err)
			}
			if c.set == nil {
				c.set = map[string]string{}
			}
			if b.context != c.context || !cmp.Equal(b.args, c.set) {
				t.Errorf("%+v", b)
			}
		})
	}
}

func TestAFromThatCannotBeReplacedNamesItsLine(t *testing.T) {
	for dockerfile, want := range map[string]string{
		"":                              "no instructions",
		"RUN true\n":                    "no build stage",
		"\n\nFROM scratch\n":            "line 3: the last stage is built from scratch",
		"FROM a AS b\nFROM Not/Good:\n": "line 2",
		"FROM ${A:?needed}\n":           "line 1",
	} {
		if b, err := basedOn([]byte(dockerfile), nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %+v, %v, want %q", dockerfile, b, err, want)
		}
	}
}

func FuzzBasedOn(f *testing.F) {
	f.Add([]byte("ARG A=b\nFROM ${A} AS c\nFROM c\n"))
	f.Add([]byte("FROM a:$T\n"))
	f.Fuzz(func(t *testing.T, dockerfile []byte) {
		b, err := basedOn(dockerfile, nil)
		if err == nil && b.context == "" {
			t.Errorf("%q is based on nothing", dockerfile)
		}
	})
}
