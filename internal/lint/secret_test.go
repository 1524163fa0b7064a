package lint

import (
	"strings"
	"testing"
)

// hexa is what `openssl rand -hex 32` prints: no secret of anybody's.
const hexa = "4bf92f3577b34da6a3ce929d0e0e4736b5c1f8a90d3e7c2648fa1b5d9e07c3a2"

func TestSecretsInPlainText(t *testing.T) {
	for _, c := range []struct {
		path, value string
		want        bool
	}{
		{"proxy.secretToken", hexa, true},
		{"hub.cookieSecret", hexa, true},
		{"hub.services.gauntlet.apiToken", hexa, true},
		{"hub.services.gauntlet.api_token", "aB3dE5gH7jK9mN1pQ2sT", true},
		{"hub.config.GitHubOAuthenticator.client_secret", "0123456789abcdef0123456789abcdef01234567", true},
		{"hub.config.DummyAuthenticator.password", "hunter2", true},
		{"auth.dummy.password", "jupyter", true},
		{"hub.db.url", "postgresql://hub:hunter2@db.example.org/hub", true},
		{"gateway.auth.jupyterhub.apiToken", hexa, true},
		{"anything", "-----BEGIN RSA PRIVATE KEY-----\nMII", true},
		{"anything", "ghp_" + strings.Repeat("a1B2", 9), true},
		{"anything", "AKIAIOSFODNN7EXAMPLE", true},
		{"pull", `{"auths":{"quay.io":{"auth":"YTpi"}}}`, true},
		{"hub.extraEnv.API_TOKEN", hexa, true},

		{"proxy.secretToken", "", false},
		{"proxy.secretToken", "{{ .Values.token }}", false},
		{"hub.db.password", "$(DB_PASSWORD)", false},
		{"hub.db.password", "<changeme>", false},
		{"hub.db.password", "changeme", false},
		{"hub.existingSecret", "my-hub-secret-2024", false},
		{"secretName", hexa, false},
		{"proxy.https.secret.name", "tls-certificate-2024", false},
		{"hub.extraEnv.TOKEN.valueFrom.secretKeyRef.key", hexa, false},
		{"hub.config.GenericOAuthenticator.token_url", "https://auth.example.org/oauth2/token", false},
		{"hub.config.GenericOAuthenticator.client_id", hexa, false},
		{"hub.config.CryptKeeper.keys", "", false},
		{"hub.config.username_key", "preferred_username", false},
		{"hub.config.CILogonOAuthenticator.allowed_idps.username_claim", "email", false},
		{"image.tag", hexa, false},
		{"image.tag", "1@sha256:" + hexa, false},
		{"hub.db.url", "postgresql://hub@db.example.org/hub", false},
		{"hub.db.url", "postgresql://hub:$(PASSWORD)@db.example.org/hub", false},
		{"singleuser.extraEnv.AWS_ROLE", "arn:aws:iam::123456789012:role/x", false},
		{"token", "ENC[AES256_GCM,data:abc]", false},
		{"serviceAccount.automountServiceAccountToken", "true", false},
		{"scheduling.token", "a-name-of-some-words", false},
		{"public", "-----BEGIN PUBLIC KEY-----\nMII", false},
		{"certificate", "-----BEGIN CERTIFICATE-----\nMII", false},
	} {
		got := Secret(strings.Split(c.path, "."), c.value)
		if (got != "") != c.want {
			t.Errorf("%s: %.20s: %q", c.path, c.value, got)
		}
		if got != "" && c.value != "" && strings.Contains(got, c.value) {
			t.Errorf("%s: the answer quotes the value", c.path)
		}
	}
}

func TestSecretsOfATreeNameTheirPlaces(t *testing.T) {
	var places []string
	for _, f := range Secrets(map[string]any{
		"hub": map[string]any{"list": []any{map[string]any{"password": "hunter2"}, "x"}, "n": 3.0, "null": nil},
	}) {
		places = append(places, f.Path)
	}
	if got := strings.Join(places, " "); got != "hub.list[0].password" {
		t.Errorf("got %s", got)
	}
}

func FuzzSecret(f *testing.F) {
	for _, s := range []string{hexa, "postgres://a:b@c/d", `{"auths":{}}`, "-----BEGIN PRIVATE KEY-----", "://@", "\xff"} {
		f.Add("token", s)
	}
	f.Fuzz(func(t *testing.T, key, value string) {
		if cause := Secret([]string{key}, value); len(value) > 12 && strings.Contains(cause, value) {
			t.Errorf("the answer quotes the value %q", value)
		}
	})
}
