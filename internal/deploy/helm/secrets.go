package helm

import (
	"fmt"

	release1 "helm.sh/helm/v4/pkg/release/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"
)

// Secrets are those that InstallOrUpgrade would make now, in hooks too, by name. Nothing
// is sent to the API server but what templates look up.
func (h *Helm) Secrets(a Apply, history []Record) (map[string]corev1.Secret, error) {
	_, r, err := h.render(a, history)
	if err != nil {
		return nil, err
	}
	return secretsOf(r, h.namespace)
}

func secretsOf(r *release1.Release, namespace string) (map[string]corev1.Secret, error) {
	manifests := []string{r.Manifest}
	for _, hook := range r.Hooks {
		manifests = append(manifests, hook.Manifest)
	}
	out := map[string]corev1.Secret{}
	for _, m := range manifests {
		docs, err := split(m)
		if err != nil {
			return nil, fmt.Errorf("read the manifests of release %s: %w", r.Name, err)
		}
		for _, d := range docs {
			if d.object["apiVersion"] != "v1" || d.object["kind"] != "Secret" {
				continue
			}
			var s corev1.Secret
			if err := yaml.Unmarshal([]byte(d.text), &s); err != nil {
				return nil, fmt.Errorf("read a Secret of release %s: it does not decode", r.Name) // the error may hold its values
			}
			if s.Namespace != "" && s.Namespace != namespace {
				continue
			}
			if s.Data == nil {
				s.Data = map[string][]byte{}
			}
			for key, text := range s.StringData {
				s.Data[key] = []byte(text)
			}
			s.StringData = nil
			out[s.Name] = s
		}
	}
	return out, nil
}
