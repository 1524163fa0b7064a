package preflight

import (
	"encoding/base64"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"gauntlet/internal/plan"
	"gauntlet/internal/preflight/codes"
)

// certificate is a key under which charts keep what they sign themselves.
var certificate = regexp.MustCompile(`(?i)\.(crt|pem|cer|p12|jks)$|ca-?bundle|^tls\.key$|^ca\.key$|(cert|certificate)s?$`)

// regenerated tells of what two renderings of the same release disagree on: every
// deploy makes it anew.
func regenerated(f *Facts) []Finding {
	var out []Finding
	for _, p := range f.Objects {
		if p.Live == nil || p.Once == nil || p.Again == nil {
			continue
		}
		object := name(p.Once)
		if text(p.Once, "kind") == "Secret" {
			keys := slices.Concat(differing(p, "data"), differing(p, "stringData"))
			for _, k := range keys {
				found := Finding{Code: codes.SecretRegenerated, Object: object + " key " + k,
					Cause: "every deploy makes it anew: users are logged out, or what holds the old one is refused",
					Fix:   "give it a value in the hub's secrets, or let the chart look up the one that is there"}
				if text(p.Once, "type") == "kubernetes.io/tls" || certificate.MatchString(k) || signed(p.Once, k) {
					found.Code, found.Cause = codes.CertificateRegenerated, "every deploy makes it anew"
				}
				out = append(out, found)
			}
			continue
		}
		if a, b := at(p.Once, "spec", "template"), at(p.Again, "spec", "template"); !reflect.DeepEqual(a, b) {
			out = append(out, Finding{Code: codes.RestartsAlways, Object: object,
				Cause: "its pods' template is another at every rendering, so every deploy restarts it",
				Fix:   "take out of the chart what is random or of the moment"})
		}
	}
	return out
}

// differing are the keys of a Secret that two renderings disagree on.
func differing(p plan.Pair, field string) []string {
	a, b := mapAt(p.Once, field), mapAt(p.Again, field)
	keys := maps.Clone(a)
	if keys == nil {
		keys = map[string]any{}
	}
	maps.Copy(keys, b)
	return slices.DeleteFunc(sortedKeys(keys), func(k string) bool { return a[k] == b[k] })
}

// signed says whether a key of a Secret holds a certificate.
func signed(o plan.Object, key string) bool {
	b, err := base64.StdEncoding.DecodeString(text(o, "data", key))
	return err == nil && strings.Contains(string(b), "-----BEGIN CERTIFICATE")
}
