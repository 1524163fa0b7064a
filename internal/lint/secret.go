package lint

import (
	"encoding/json"
	"math"
	"net/url"
	"regexp"
	"strings"
	"unicode"
)

// SecretFix is how a secret leaves a values file.
const SecretFix = "move it to a sops file under secrets: of the hub, and make a new one: what a repository held is known"

var (
	// passwordKey names a secret however short it is.
	passwordKey = regexp.MustCompile(`(?i)(passw(or)?d|passphrase)$`)
	// secretKey names a secret, if the value looks like one.
	secretKey = regexp.MustCompile(`(?i)(token|secret|credentials?|cookie_?secret|(api|private|access|secret|auth|crypt|encryption|signing|account|shared|storage)[_-]?keys?|CryptKeeper|salt|webhook[_-]?url|dsn)$`)
	// notSecret names what is about a secret and is none.
	notSecret = regexp.MustCompile(`(?i)^existing|(name|ref|path|file|uri|class|type|template|from|mount|enabled|(user|token|access_?token|authorize|userdata|auth)_?url)$`)

	privateKey = regexp.MustCompile(`-----BEGIN [A-Z ]*PRIVATE KEY( BLOCK)?-----`)
	// service are forms that only one kind of secret has.
	service = regexp.MustCompile(`\b(gh[pousr]_[A-Za-z0-9]{36}|github_pat_[A-Za-z0-9_]{60,}|glpat-[A-Za-z0-9_-]{20}|xox[abprs]-[A-Za-z0-9-]{10,}|AKIA[0-9A-Z]{16}|AIza[0-9A-Za-z_-]{35}|hooks\.slack\.com/services/T[A-Za-z0-9/]{20,})`)
	// elsewhere is a text that stands for a value which is not in it.
	elsewhere = regexp.MustCompile(`\{\{|\$\{|\$\(|^\$|^<.*>$|^ENC\[|^ref\+|^(?i:changeme|replace.?me|todo|xxx+|dummy|example|test|none|null|true|false|set[ -]?(by|me|in).*)$`)

	hex    = regexp.MustCompile(`^[0-9a-fA-F]{16,}$`)
	random = regexp.MustCompile(`^[A-Za-z0-9+/_=.~-]{16,}$`)
	words  = regexp.MustCompile(`^[a-z]+([-_./](v?[0-9]{1,6}|[a-z]+))*$|^[A-Z]+(_[A-Z]+)*$|^[A-Za-z]+$`)
)

// Secret says what makes a value look like a secret in plain text, "" when nothing
// does. keys lead to it. The answer never quotes the value.
func Secret(keys []string, value string) string {
	v := strings.TrimSpace(value)
	switch {
	case v == "" || elsewhere.MatchString(v):
		return ""
	case privateKey.MatchString(v):
		return "a private key in plain text"
	case service.MatchString(v):
		return "a token in plain text, of a service's own form"
	case dockerAuth(v):
		return "a registry's password in plain text"
	case urlPassword(v):
		return "an address with a password in plain text"
	}
	key := ""
	if len(keys) > 0 {
		key = keys[len(keys)-1]
	}
	switch {
	case notSecret.MatchString(key) || strings.ContainsAny(v, " \t\n"):
		return ""
	case passwordKey.MatchString(key):
		return "a password in plain text"
	case secretKey.MatchString(key) && looksRandom(v):
		return "a secret in plain text"
	}
	return ""
}

// looksRandom says whether a text is no word, name or address that people make up.
func looksRandom(v string) bool {
	if hex.MatchString(v) {
		return strings.ContainsAny(v, "0123456789") && entropy(v) > 2.5
	}
	if !random.MatchString(v) || words.MatchString(v) || strings.Contains(v, "://") {
		return false
	}
	kinds := 0
	for _, in := range []func(rune) bool{unicode.IsLower, unicode.IsUpper, unicode.IsDigit} {
		if strings.IndexFunc(v, in) >= 0 {
			kinds++
		}
	}
	return kinds >= 2 && entropy(v) > 3.2
}

// entropy is Shannon's, in bits a character.
func entropy(s string) float64 {
	count := map[rune]float64{}
	n := 0.0
	for _, r := range s {
		count[r]++
		n++
	}
	e := 0.0
	for _, c := range count {
		e -= c / n * math.Log2(c/n)
	}
	return e
}

func urlPassword(v string) bool {
	if !strings.Contains(v, "://") || strings.ContainsAny(v, " \n\t") {
		return false
	}
	u, err := url.Parse(v)
	if err != nil || u.User == nil {
		return false
	}
	p, has := u.User.Password()
	return has && p != "" && !elsewhere.MatchString(p)
}

// dockerAuth says whether a text is the configuration of a registry client that
// holds a password.
func dockerAuth(v string) bool {
	if !strings.HasPrefix(v, "{") || !strings.Contains(v, `"auths"`) {
		return false
	}
	var c struct {
		Auths map[string]struct{ Auth, Password string }
	}
	if json.Unmarshal([]byte(v), &c) != nil {
		return false
	}
	for _, a := range c.Auths {
		if a.Auth != "" || a.Password != "" {
			return true
		}
	}
	return false
}
