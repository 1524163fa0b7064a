package plan

import (
	"fmt"
	"regexp"
	"slices"
	"unicode/utf8"
)

// hidden stands where a secret would.
const hidden = "(hidden)"

// maxValue bounds what is shown of a value, maxText of a line of several, in characters.
const (
	maxValue = 60
	maxText  = 200
)

// sum is a digest or checksum, of which the beginning is enough.
var sum = regexp.MustCompile(`\b([0-9a-f]{12})[0-9a-f]{28,}\b`)

// secretish is how people call what nobody else should read.
var secretish = regexp.MustCompile(`(?i)passw|passphrase|token|secret|credential|cookie|crypt|salt|(^|[^a-z])pw($|[^a-z])|(private|api|access|account|auth|client|signing|shared|storage)[_-]?key|[a-z0-9_-]key$`)

// keyish is more: variables of an environment are called so when they hold one.
var keyish = regexp.MustCompile(`(?i)key|pass|pwd|dsn|auth`)

// carries is a value that bears a secret itself: an option, an address.
var carries = regexp.MustCompile(`(?i)(passw\w*|token|secret|credential\w*|[_-]key)\w*["']?\s*[=:]\s*\S|://[^/\s]*@|-----BEGIN`)

// references are keys of the Kubernetes API that name a secret and hold none.
var references = []string{"secretKeyRef", "secretRef", "secretName", "imagePullSecrets", "automountServiceAccountToken", "serviceAccountToken", "tokenRequests", "topologyKey"}

// shown is a value as people may see it.
func shown(path []step, v any) string {
	s, isText := v.(string)
	switch {
	case v == nil:
		return "(none)"
	case secretPath(path) && !plainFact(v), isText && carries.MatchString(s):
		return hidden
	case isText && s == "":
		return `""`
	case isText:
		return cut(sum.ReplaceAllString(s, "$1"), maxValue)
	}
	switch v := v.(type) {
	case map[string]any:
		return fmt.Sprintf("{%d}", len(v))
	case []any:
		return fmt.Sprintf("[%d]", len(v))
	}
	return fmt.Sprint(v)
}

// secretPath says whether what lies at the path may be a secret, by its names.
func secretPath(path []step) bool {
	for i, s := range path {
		volume := s.name == "secret" && i < len(path)-1 // as a volume's source
		if volume || slices.Contains(references, s.name) {
			continue
		}
		if !s.element {
			if secretish.MatchString(s.name) {
				return true
			}
			continue
		}
		// The name of a container, volume or mount says nothing of what is below it;
		// the name of a variable says what its value is.
		if last(path) != "value" {
			continue
		}
		if secretish.MatchString(s.name) || i > 0 && path[i-1].name == "env" && keyish.MatchString(s.name) {
			return true
		}
	}
	return false
}

func last(path []step) string { return path[len(path)-1].name }

// plainFact is a value too small to be a secret.
func plainFact(v any) bool {
	_, ok := v.(bool)
	return ok
}

func clip(s string) string { return cut(s, maxText) }

func cut(s string, limit int) string {
	if utf8.RuneCountInString(s) <= limit {
		return s
	}
	return string([]rune(s)[:limit-1]) + "…"
}
