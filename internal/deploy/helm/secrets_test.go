package helm

import (
	"strings"
	"testing"

	release1 "helm.sh/helm/v4/pkg/release/v1"
)

func TestTheSecretsOfAReleaseAreThoseOfItsHooksToo(t *testing.T) {
	r := &release1.Release{Name: "hub", Manifest: `---
# Source: hub/templates/secret.yaml
apiVersion: v1
kind: Secret
metadata: {name: hub}
data: {token: dA==}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: hub}
---
apiVersion: v1
kind: Secret
metadata: {name: elsewhere, namespace: other}
`, Hooks: []*release1.Hook{{Manifest: `apiVersion: v1
kind: Secret
metadata: {name: image-pull-secret, namespace: here, annotations: {helm.sh/hook: pre-install}}
type: kubernetes.io/dockerconfigjson
stringData: {.dockerconfigjson: "{}"}
`}}}
	got, err := secretsOf(r, "here")
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 2 || string(got["hub"].Data["token"]) != "t" || string(got["image-pull-secret"].Data[".dockerconfigjson"]) != "{}" || got["image-pull-secret"].Type != "kubernetes.io/dockerconfigjson" {
		t.Errorf("%+v", got)
	}
	r.Manifest = "apiVersion: v1\nkind: Secret\nmetadata: {name: hub}\ndata: {token: 'hunter2 in plain text'}\n"
	if _, err := secretsOf(r, "here"); err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("a Secret that does not decode: %v", err)
	}
}
