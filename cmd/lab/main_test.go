package main

import (
	"bytes"
	"strings"
	"testing"

	"gauntlet/lab"
)

func TestEnvPointsAtTheLab(t *testing.T) {
	t.Setenv(lab.DirEnv, "/somewhere/my lab")
	var out bytes.Buffer
	cmd := command(&out)
	cmd.SetArgs([]string{"env"})
	if err := cmd.Execute(); err != nil {
		t.Fatal(err)
	}
	if want := "export KUBECONFIG='/somewhere/my lab/kubeconfig'\n"; !strings.Contains(out.String(), want) {
		t.Errorf("got:\n%s\nwant a line %q", &out, want)
	}
}

func TestStatusRefusesAnUnknownFormat(t *testing.T) {
	cmd := command(&bytes.Buffer{})
	cmd.SetArgs([]string{"status", "-o", "yaml"})
	if err := cmd.Execute(); err == nil || !strings.Contains(err.Error(), "json") {
		t.Errorf("got %v, want an error that names the formats there are", err)
	}
}
