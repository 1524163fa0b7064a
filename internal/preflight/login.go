package preflight

import (
	"fmt"
	"regexp"
	"strings"

	"gauntlet/internal/preflight/codes"
)

// allows is a setting that lets users in.
var allows = regexp.MustCompile(`^(allow_all|allow_existing_users|any_allow_config|allowed_|allow_)|whitelist`)

// allowed looks who may log in: from JupyterHub 5 on nobody, unless it is said.
func allowed(f *Facts) []Finding {
	var out []Finding
	for _, c := range hubConfigs(f) {
		_, chart := c.chartVersions(f)
		live, next := c.hubVersions(f)
		if chart == nil || next == nil || next.Major() < 5 {
			continue
		}
		object := "value " + below(c.path, "hub.config")
		if everybody(c.next) != "" && c.live != nil && everybody(c.live) == "" && live != nil && live.Major() >= 5 {
			out = append(out, Finding{Code: codes.AllowAll, Object: "value " + below(c.path, everybody(c.next)),
				Cause: "everybody whom the authenticator knows may log in, and could not before",
				Fix:   "make sure that this is meant"})
		}
		if live != nil && live.Major() >= 5 || c.allows() {
			continue
		}
		found := Finding{Code: codes.AllowNone, Object: object,
			Cause: fmt.Sprintf("JupyterHub %s lets in nobody but administrators unless the configuration allows users, and it does not", next),
			Fix:   "set " + below(c.path, "hub.config.Authenticator.allow_all") + ": true, or allowed_users"}
		if !f.Helm.Installed() || c.elsewhere() {
			// A new hub may be meant so; what is outside of the values cannot be seen.
			found.Severity = codes.Warning
		}
		out = append(out, found)
	}
	return out
}

// everybody is the path of a setting that lets everybody in, "" for none.
func everybody(v map[string]any) string {
	for class, settings := range mapAt(v, "hub", "config") {
		if at(settings, "allow_all") == true {
			return below("hub.config", class, "allow_all")
		}
	}
	return ""
}

// allows says whether the values let anybody in.
func (c hubConfig) allows() bool {
	for _, settings := range mapAt(c.next, "hub", "config") {
		m, _ := settings.(map[string]any)
		for k, v := range m {
			if list, ok := v.([]any); allows.MatchString(k) && v != nil && v != false && (!ok || len(list) > 0) {
				return true
			}
		}
	}
	return c.codeHas(`allow|LocalAuthenticator|authenticator_class`)
}

// elsewhere says whether configuration comes from where it cannot be read.
func (c hubConfig) elsewhere() bool {
	if s, _ := at(c.next, "hub", "existingSecret").(string); s != "" {
		return true
	}
	for _, e := range entries("", at(c.next, "hub", "extraFiles")) {
		if strings.HasSuffix(text(e.value, "mountPath"), ".py") {
			return true
		}
	}
	return len(listAt(c.next, "hub", "extraVolumes")) > 0 || len(mapAt(c.next, "hub", "extraVolumes")) > 0
}
