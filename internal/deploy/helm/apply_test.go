package helm

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	helmkube "helm.sh/helm/v4/pkg/kube"

	"gauntlet/internal/release"
)

func TestFieldsAreOwnedUnderHelmsOwnName(t *testing.T) {
	// The users' helm applies as "helm": another name would conflict with it.
	if helmkube.ManagedFieldsManager != "helm" {
		t.Errorf("the field manager is %q", helmkube.ManagedFieldsManager)
	}
}

func TestLoadingLeavesTheCallersValues(t *testing.T) {
	tgz, err := release.PackChart(map[string][]byte{"Chart.yaml": []byte("apiVersion: v2\nname: c\nversion: 1.0.0\n")}, "", "")
	if err != nil {
		t.Fatal(err)
	}
	values := release.Values{"a": map[string]any{"b": []any{map[string]any{"c": 1.0}}}, "n": nil}
	_, got, err := load(tgz, values)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(map[string]any(values), got); d != "" {
		t.Error(d)
	}
	got["a"].(map[string]any)["b"].([]any)[0].(map[string]any)["c"] = 2.0
	if v, _ := values.Get("a.b"); v.([]any)[0].(map[string]any)["c"] != 1.0 {
		t.Error("the caller's values were changed")
	}
	if _, none, err := load(tgz, nil); err != nil || none == nil {
		t.Errorf("no values: %v, %v", none, err)
	}
}

func TestAChartWithoutItsDependenciesIsRefusedWithTheCommand(t *testing.T) {
	tgz, err := release.PackChart(map[string][]byte{
		"Chart.yaml": []byte("apiVersion: v2\nname: c\nversion: 1.0.0\ndependencies: [{name: jupyterhub, version: 4.0.0, repository: https://x}]\n"),
	}, "", "")
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := load(tgz, nil); err == nil || !strings.Contains(err.Error(), "helm dependency build") {
		t.Errorf("got %v", err)
	}
	if _, _, err := load([]byte("no tgz"), nil); err == nil {
		t.Error("bytes that are no chart were taken")
	}
}
