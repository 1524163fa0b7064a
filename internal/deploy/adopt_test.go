package deploy

import (
	"encoding/json"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"gauntlet/internal/deploy/helm"
	"gauntlet/internal/kube"
	"gauntlet/internal/release"
)

func TestOwnersAreToldByWhatTheyNote(t *testing.T) {
	for name, tt := range map[string]struct {
		labels, notes map[string]string
		managers      []string
		want          owner
		owned         bool
		fix           string
	}{
		"helm's own":          {labels: map[string]string{"app.kubernetes.io/managed-by": "Helm", "app.kubernetes.io/instance": "hub"}, managers: []string{"helm", "kubectl-edit", "kube-controller-manager"}},
		"argo by tracking id": {notes: map[string]string{"argocd.argoproj.io/tracking-id": "hub:apps/Deployment:ns/hub"}, want: owner{argo, "Application", "hub", "", "argocd.argoproj.io/tracking-id"}, owned: true, fix: "argocd app set hub --sync-policy none"},
		"argo in a namespace": {notes: map[string]string{"argocd.argoproj.io/tracking-id": "team_hub:apps/Deployment:ns/hub"}, want: owner{argo, "Application", "hub", "team", "argocd.argoproj.io/tracking-id"}, owned: true},
		"argo by label":       {labels: map[string]string{"argocd.argoproj.io/instance": "hub"}, want: owner{argo, "Application", "hub", "", "argocd.argoproj.io/instance"}, owned: true, fix: "annotate Deployment/hub argocd.argoproj.io/instance-"},
		"a HelmRelease":       {labels: map[string]string{"helm.toolkit.fluxcd.io/name": "hub", "helm.toolkit.fluxcd.io/namespace": "flux-system"}, want: owner{flux, "HelmRelease", "hub", "flux-system", "helm.toolkit.fluxcd.io/name"}, owned: true, fix: "flux suspend helmrelease hub -n flux-system"},
		"a Kustomization":     {labels: map[string]string{"kustomize.toolkit.fluxcd.io/name": "apps"}, want: owner{flux, "Kustomization", "apps", "", "kustomize.toolkit.fluxcd.io/name"}, owned: true, fix: "flux suspend kustomization apps"},
		"a hint":              {labels: map[string]string{"app.kubernetes.io/managed-by": "ArgoCD"}, want: owner{Tool: argo, Mark: "app.kubernetes.io/managed-by"}, owned: true, fix: "find out who still applies them"},
		"a manager of fields": {managers: []string{"helm-controller"}, want: owner{Tool: flux, Mark: "fields of manager helm-controller"}, owned: true},
	} {
		t.Run(name, func(t *testing.T) {
			got, ok := ownerOf(helm.Meta{Labels: tt.labels, Annotations: tt.notes, Managers: tt.managers})
			if ok != tt.owned || got != tt.want {
				t.Errorf("%v, %+v", ok, got)
			}
			e := &OwnedError{Context: "c", Namespace: "ns", Owner: got, Objects: []string{"Deployment/hub"}}
			if tt.owned && (!strings.Contains(e.Error(), got.Tool) || !strings.Contains(e.Error(), tt.fix)) {
				t.Errorf("%v", e)
			}
		})
	}
}

func TestAToolThatWasToldToRestIsNotAtWork(t *testing.T) {
	for name, tt := range map[string]struct {
		kind string
		spec map[string]any
		want bool
	}{
		"suspended":                {"HelmRelease", map[string]any{"suspend": true}, false},
		"not suspended":            {"HelmRelease", map[string]any{"suspend": false}, true},
		"nothing is said":          {"Kustomization", map[string]any{}, true},
		"synced by hand":           {"Application", map[string]any{"syncPolicy": map[string]any{"syncOptions": []any{"x"}}}, false},
		"no policy":                {"Application", map[string]any{}, false},
		"automated":                {"Application", map[string]any{"syncPolicy": map[string]any{"automated": map[string]any{}}}, true},
		"automated, switched off":  {"Application", map[string]any{"syncPolicy": map[string]any{"automated": map[string]any{"enabled": false}}}, false},
		"automated, switched on":   {"Application", map[string]any{"syncPolicy": map[string]any{"automated": map[string]any{"enabled": true}}}, true},
		"a policy of another form": {"Application", map[string]any{"syncPolicy": "auto"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			if got := atWork(tt.kind, unstructured.Unstructured{Object: map[string]any{"spec": tt.spec}}); got != tt.want {
				t.Errorf("got %v", got)
			}
		})
	}
}

func TestAdoptableIsWhatAnotherToolHasFinished(t *testing.T) {
	c := clientNamed("c")
	for name, tt := range map[string]struct {
		r    Running
		want string
	}{
		"deployed":     {Running{Revision: 3, Status: helm.Deployed}, ""},
		"taken over":   {Running{Revision: 3, Status: helm.Deployed, Adopted: true}, ""},
		"ours":         {Running{Revision: 3, Status: helm.Deployed, Ours: true}, "nothing to take over"},
		"failed":       {Running{Revision: 3, Status: helm.Failed}, "helm --kube-context c -n n rollback r"},
		"being worked": {Running{Revision: 3, Status: "pending-upgrade"}, "wait until whoever is at work"},
	} {
		t.Run(name, func(t *testing.T) {
			err := tt.r.Adoptable(c, "n", "r")
			if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestEncryptGivesSopsTheValuesByItsInputAlone(t *testing.T) {
	// A program that "encrypts" by writing ENC[…] and keeps what it was given beside.
	program(t, `case "$*" in *s3cret*) exit 9;; esac
case "$1" in
--encrypt) cat > "$0.in"; test "$6" = --filename-override && test "$7" = x/hub.enc.yaml || exit 8; printf 'hub:\n  password: ENC[abc]\n  none: null\nsops: {mac: x}\n';;
--decrypt) cat >/dev/null; cat "$0.in";;
esac`)
	v := release.Values{"hub": map[string]any{"password": "s3cret", "none": nil}}
	out, err := Encrypt(t.Context(), t.TempDir(), "x/hub.enc.yaml", v)
	if err != nil || strings.Contains(string(out), "s3cret") {
		t.Errorf("%s, %v", out, err)
	}
}

func TestEncryptRefusesWhatIsNotWholeOrNotOpened(t *testing.T) {
	v := release.Values{"hub": map[string]any{"password": "s3cret", "note_unencrypted": "x"}}
	for name, tt := range map[string]struct{ script, want string }{
		"a rule that leaves a value open": {`case "$1" in --encrypt) cat >/dev/null; printf 'hub:\n  password: ENC[a]\n  note_unencrypted: s3cret\n';; esac`, "leave hub.note_unencrypted as it is"},
		"a number left open":              {`case "$1" in --encrypt) cat >/dev/null; printf 'a: [ENC[x], 3]\n';; esac`, ""},
		"other values come back":          {`case "$1" in --encrypt) cat >/dev/null; printf 'hub: {password: "ENC[a]"}\n';; --decrypt) cat >/dev/null; printf 'hub: {password: other}\n';; esac`, "other values than it was given"},
		"nobody here can open it":         {`case "$1" in --encrypt) cat >/dev/null; printf 'hub: {password: "ENC[a]"}\n';; *) echo "no key" >&2; exit 1;; esac`, "nothing could be deployed from here"},
		"no rules":                        {`cat >/dev/null; echo "config file not found, or has no creation rules" >&2; exit 1`, "age-keygen"},
	} {
		t.Run(name, func(t *testing.T) {
			program(t, tt.script)
			_, err := Encrypt(t.Context(), t.TempDir(), "x.enc.yaml", v)
			if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "s3cret") {
				t.Errorf("got %v", err)
			}
		})
	}
	t.Setenv("PATH", t.TempDir())
	if _, err := Encrypt(t.Context(), t.TempDir(), "x.yml", v); err == nil || !strings.Contains(err.Error(), "not installed: get it from") {
		t.Errorf("got %v", err)
	}
}

func TestAPathIsLetGoWithAllBelowIt(t *testing.T) {
	drop := []string{"a.b", `c\.d`}
	for path, want := range map[string]bool{"a.b": true, "a.b.c": true, "a.bc": false, "a": false, `c\.d.e`: true, "c.d": false} {
		if got := within(path, drop); got != want {
			t.Errorf("%s: %v", path, got)
		}
	}
}

func clientNamed(name string) *kube.Client { return &kube.Client{Context: name} }

func jsonOf(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
