package preflight

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"gauntlet/internal/plan"
	"gauntlet/internal/preflight/codes"
)

// rollingVolumes tells of Deployments whose new pod waits for a volume that the old
// one holds, while the old one stays until the new one is ready.
func rollingVolumes(f *Facts) []Finding {
	var out []Finding
	for _, w := range workloads(f) {
		if w.kind != "Deployment" || w.live == nil || stopped(w) || text(w.raw, "spec", "strategy", "type") == "Recreate" {
			continue
		}
		if surge := at(w.raw, "spec", "strategy", "rollingUpdate", "maxSurge"); surge == int64(0) || surge == float64(0) || surge == "0%" {
			continue // the old pod goes first
		}
		for _, v := range w.pod.Volumes {
			if v.PersistentVolumeClaim == nil {
				continue
			}
			claim := v.PersistentVolumeClaim.ClaimName
			modes := accessModes(f, claim)
			found := Finding{Code: codes.VolumeRolling, Object: w.object,
				Fix: "set its strategy to Recreate, or its maxSurge to 0"}
			switch {
			case slices.Contains(modes, corev1.ReadWriteOncePod):
				found.Severity = codes.Error
				found.Cause = fmt.Sprintf("it is updated by RollingUpdate, and only one pod at a time may use its claim %s (ReadWriteOncePod)", claim)
			case len(modes) == 1 && modes[0] == corev1.ReadWriteOnce:
				found.Cause = fmt.Sprintf("it is updated by RollingUpdate, and its claim %s is ReadWriteOnce: a new pod on another node waits for the old one for ever", claim)
			default:
				continue
			}
			out = append(out, found)
		}
	}
	return out
}

// accessModes are those of a claim, as it is or as the release makes it.
func accessModes(f *Facts, claim string) []corev1.PersistentVolumeAccessMode {
	for _, c := range f.Claims {
		if c.Name == claim {
			return c.Spec.AccessModes
		}
	}
	var modes []corev1.PersistentVolumeAccessMode
	for _, p := range f.Objects {
		if name(p.New) == "PersistentVolumeClaim/"+claim {
			decode(at(p.New, "spec", "accessModes"), &modes)
		}
	}
	return modes
}

// homes are the claims of users, and those of them whose owner's name holds more than
// small letters and digits.
func homes(f *Facts) (all, odd []string) {
	for _, c := range f.Claims {
		user, ok := c.Annotations["hub.jupyter.org/username"]
		if !ok && c.Labels["component"] != "singleuser-storage" {
			continue
		}
		all = append(all, c.Name)
		if user != "" && !plainName.MatchString(user) || user == "" && escaped.MatchString(c.Name) {
			odd = append(odd, c.Name)
		}
	}
	return all, odd
}

var (
	// plainName is what both ways of KubeSpawner to name things leave as it is.
	plainName = regexp.MustCompile(`^[a-z][a-z0-9]*$`)
	// escaped is a character as KubeSpawner before 7 wrote it: -2d for a dash.
	escaped = regexp.MustCompile(`-[0-9a-f]{2}`)
)

// crossesSlugs says whether the deployment goes from a chart whose KubeSpawner names
// things in the old way to one that does so in the new.
func (c hubConfig) crossesSlugs(f *Facts) bool {
	live, next := c.chartVersions(f)
	if live == nil || next == nil || live.Major() >= 4 || next.Major() < 4 {
		return false
	}
	return text(c.next, "hub", "config", "KubeSpawner", "slug_scheme") != "escape" && !c.codeHas(`slug_scheme\s*=\s*["']escape`)
}

// codeHas says whether Python that the values hold matches.
func (c hubConfig) codeHas(pattern string) bool {
	re := regexp.MustCompile(pattern)
	for _, e := range entries("", at(c.next, "hub", "extraConfig")) {
		if code, _ := e.value.(string); re.MatchString(code) {
			return true
		}
	}
	return false
}

// slugScheme tells of homes that the new chart calls otherwise.
func slugScheme(f *Facts) []Finding {
	var out []Finding
	for _, c := range hubConfigs(f) {
		if !c.crossesSlugs(f) {
			continue
		}
		_, odd := homes(f)
		if len(odd) == 0 {
			continue
		}
		spawner := mapAt(c.next, "hub", "config", "KubeSpawner")
		found := Finding{Code: codes.SlugScheme, Object: "claims " + few(odd),
			Cause: fmt.Sprintf("KubeSpawner 7 names homes in another way: %d of the claims here bear a name of the old way, which it looks for once more", len(odd)),
			Fix:   "to keep the old names set " + below(c.path, "hub.config.KubeSpawner.slug_scheme") + ": escape"}
		if spawner["handle_legacy_names"] == false || spawner["remember_pvc_name"] == false || c.codeHas(`(handle_legacy_names|remember_pvc_name)\s*=\s*False`) {
			found.Severity = codes.Error
			found.Cause = fmt.Sprintf("KubeSpawner 7 names homes in another way, and is told not to look for the old names: %d users get an empty home", len(odd))
		}
		out = append(out, found)
	}
	return out
}

// templated are the places whose text KubeSpawner fills in for a user.
var templated = []string{"storage", "extraEnv", "extraLabels", "extraAnnotations", "initContainers", "extraContainers", "extraPodConfig", "podNameTemplate", "extraFiles"}

var username = regexp.MustCompile(`\{(username|servername)\}`)

// usernames tells of {username} in the values, which stands for another text from
// KubeSpawner 7 on where a name holds more than small letters and digits.
func usernames(f *Facts) []Finding {
	var out []Finding
	for _, c := range hubConfigs(f) {
		if !c.crossesSlugs(f) {
			continue
		}
		hit := map[string]bool{}
		static := text(c.next, "singleuser", "storage", "type") == "static"
		for _, key := range templated {
			for _, p := range textsWith(below("singleuser", key), at(c.next, "singleuser", key), username) {
				switch {
				case strings.HasPrefix(p, "singleuser.storage.static.") && !static:
				case strings.HasPrefix(p, "singleuser.storage.dynamic."): // KubeSpawner looks for the old name of a claim
				default:
					hit[below(c.path, p)] = true
				}
			}
		}
		var who []string
		for _, u := range f.Users {
			if !plainName.MatchString(u) {
				who = append(who, u)
			}
		}
		if len(hit) == 0 || f.UsersKnown && len(who) == 0 {
			continue
		}
		concerns := "users whose names hold more than small letters and digits"
		if f.UsersKnown {
			concerns = fmt.Sprintf("%d users", len(who))
		}
		out = append(out, Finding{Code: codes.UsernameTemplate, Object: "value " + few(sortedKeys(hit)),
			Cause: "{username} stands for another text from KubeSpawner 7 on: for " + concerns + " another folder, volume or variable",
			Fix:   "write {escaped_username} to keep what it was"})
	}
	return out
}

// textsWith are the paths of texts in a tree that match.
func textsWith(path string, v any, re *regexp.Regexp) []string {
	switch v := v.(type) {
	case string:
		if re.MatchString(v) {
			return []string{path}
		}
	case map[string]any, []any:
		var out []string
		for _, e := range entries(path, v) {
			out = append(out, textsWith(e.path, e.value, re)...)
		}
		return out
	}
	return nil
}

// claimTemplate tells of homes that are looked for under other names.
func claimTemplate(f *Facts) []Finding {
	all, _ := homes(f)
	if len(all) == 0 {
		return nil
	}
	var out []Finding
	tell := func(object, old, now string) {
		out = append(out, Finding{Code: codes.ClaimTemplate, Object: object,
			Cause: fmt.Sprintf("the name of a user's claim was made by %q and will be by %q: %d homes that are here would not be found", old, now, len(all)),
			Fix:   "keep the old template, or rename the claims' volumes first"})
	}
	for _, c := range hubConfigs(f) {
		if c.live == nil {
			continue
		}
		for _, keys := range [][]string{
			{"singleuser", "storage", "dynamic", "pvcNameTemplate"},
			{"singleuser", "storage", "static", "pvcName"},
			{"singleuser", "storage", "type"},
			{"hub", "config", "KubeSpawner", "pvc_name_template"},
		} {
			old, now := text(c.live, keys...), text(c.next, keys...)
			if old == now || standard(old) && standard(now) {
				continue
			}
			tell("value "+below(c.path, keys...), old, now)
		}
	}
	for _, p := range f.Objects {
		for _, t := range changedTemplates(p) {
			tell(name(p.New), t[0], t[1])
		}
	}
	return out
}

// standard says whether a template of a claim's name is one of zero-to-jupyterhub's
// own, which its KubeSpawner reads as the same.
func standard(t string) bool {
	return slices.Contains([]string{"", "claim-{username}{servername}", "claim-{user_server}", "claim-{escaped_username}{servername}"}, t)
}

var pvcTemplate = regexp.MustCompile(`(?m)^[^#\n]*\bpvc_name_template\s*=\s*f?["']([^"'\n]*)["']`)

// changedTemplates are the templates that programs in a ConfigMap or Secret set: what
// they were and what they become.
func changedTemplates(p plan.Pair) [][2]string {
	var out [][2]string
	live := texts(p.Live)
	for k, now := range texts(p.New) {
		a, b := pvcTemplate.FindStringSubmatch(live[k]), pvcTemplate.FindStringSubmatch(now)
		if a != nil && b != nil && a[1] != b[1] {
			out = append(out, [2]string{a[1], b[1]})
		}
	}
	return out
}
