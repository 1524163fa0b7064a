package image

import (
	"bytes"
	"strings"
	"testing"
)

const newBase = "r.example.org/worker@sha256:0000"

func TestFromReplacesWhatTheLastStageIsBuiltOn(t *testing.T) {
	for name, c := range map[string]struct {
		dockerfile string
		args       map[string]string
		want       string // NEW stands for the new base
	}{
		"plain":                      {"FROM worker\n", nil, "FROM NEW\n"},
		"with a tag":                 {"FROM example/worker:v1.2 AS last\nRUN x\n", nil, "FROM NEW AS last\nRUN x\n"},
		"by digest":                  {"FROM worker@sha256:" + strings.Repeat("a", 64) + "\n", nil, "FROM NEW\n"},
		"by an argument":             {"ARG IMAGE=example/worker\nARG TAG=dev\nFROM ${IMAGE}:$TAG\n", nil, "ARG IMAGE=example/worker\nARG TAG=dev\nFROM NEW\n"},
		"by an argument without any": {"ARG IMAGE\nFROM $IMAGE\n", nil, "ARG IMAGE\nFROM NEW\n"},
		"by a tag without any":       {"ARG TAG\nFROM example/worker:${TAG}\n", nil, "ARG TAG\nFROM NEW\n"},
		"for a processor":            {"FROM worker-${TARGETARCH}\n", nil, "FROM NEW\n"},
		"a path without any":         {"ARG R\nFROM $R/worker:1\n", nil, "ARG R\nFROM NEW\n"},
		"through stages":             {"FROM debian AS tools\nFROM worker:1 AS Base\nRUN x\nFROM base AS last\nCOPY --from=tools /x /x\nFROM last\n", nil, "FROM debian AS tools\nFROM NEW AS Base\nRUN x\nFROM base AS last\nCOPY --from=tools /x /x\nFROM last\n"},
		"a stage by an argument":     {"ARG ON=tools\nFROM debian AS tools\nFROM worker AS other\nFROM $ON\n", map[string]string{"ON": "other"}, "ARG ON=tools\nFROM debian AS tools\nFROM NEW AS other\nFROM $ON\n"},
		"a stage of the same name":   {"FROM worker AS worker\nRUN x\n", nil, "FROM NEW AS worker\nRUN x\n"},
		"of a platform":              {"FROM --platform=linux/amd64 worker:1\n", nil, "FROM --platform=linux/amd64 NEW\n"},
		"of one letter":              {"FROM O\n", nil, "FROM NEW\n"},
		"with other line ends":       {"FROM worker\r\nRUN x\r\n", nil, "FROM NEW\r\nRUN x\r\n"},
	} {
		t.Run(name, func(t *testing.T) {
			if name == "of one letter" {
				c.dockerfile = strings.ToLower(c.dockerfile)
				c.want = "from NEW\n"
			}
			got, err := buildOn([]byte(c.dockerfile), c.args, newBase)
			if err != nil {
				t.Fatal(err)
			}
			if want := strings.ReplaceAll(c.want, "NEW", newBase); string(got) != want {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}

func TestAFromThatCannotBeReplacedNamesItsLine(t *testing.T) {
	for dockerfile, want := range map[string]string{
		"":                                "no instructions",
		"RUN true\n":                      "no build stage",
		"\n\nFROM scratch\n":              "line 3: the last stage is built from scratch",
		"FROM a AS b\nFROM Not/Good:x:\n": "line 2",
		"FROM ${A:?needed}\n":             "line 1",
		"FROM \\\n worker\n":              "line 1: the image is on another line",
	} {
		if got, err := buildOn([]byte(dockerfile), nil, newBase); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %q, %v, want %q", dockerfile, got, err, want)
		}
	}
}

func FuzzBuildOn(f *testing.F) {
	f.Add([]byte("ARG A=b\nFROM ${A} AS c\nFROM c\n"))
	f.Add([]byte("FROM a:$T\n"))
	f.Fuzz(func(t *testing.T, dockerfile []byte) {
		got, err := buildOn(dockerfile, nil, newBase)
		if err == nil && !bytes.Contains(got, []byte(newBase)) {
			t.Errorf("%q became %q", dockerfile, got)
		}
	})
}
