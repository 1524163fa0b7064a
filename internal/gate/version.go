package gate

import (
	"fmt"
	"slices"

	"gauntlet/internal/config"
	"gauntlet/internal/evidence"
	"gauntlet/internal/release"
)

// version: where one of the tiers asks for it, the release bears a semantic version
// that no other release ever bore and that is newer than production's.
func (f *facts) version(tiers []config.Tier) []Requirement {
	i := slices.IndexFunc(tiers, func(t config.Tier) bool { return t.Version != "" })
	if i < 0 {
		return nil
	}
	t := tiers[i]
	current, hasCurrent := f.productionVersion()
	r := Requirement{Name: "version", Decision: Deny} // of one that it bears: it gets no other, so no command helps
	if t.Version != "semver" {
		r.Reason = fmt.Sprintf("the policy asks for a version of a kind that is not known: %q", t.Version)
		return []Requirement{r}
	}
	v, ok := newest(f.versions, evidence.Release, f.ID)
	if !ok {
		r.Decision = Wait
		r.Command = fmt.Sprintf("gauntlet release tag %s %s", f.highest().NextMinor(), f.ID.Short())
		r.Reason = "it bears no version yet" + f.ignored(evidence.VersionType, evidence.Release, f.ID)
		return []Requirement{r}
	}
	r.Evidence = ids(v)
	parsed, err := release.ParseVersion(v.what.Version)
	if err != nil {
		r.Reason = err.Error()
		return []Requirement{r}
	}
	other := slices.IndexFunc(f.versions, func(o said[evidence.Version]) bool {
		return o.what.Version == v.what.Version && !o.About(evidence.Release, f.ID)
	})
	switch {
	case other >= 0:
		r.Reason = fmt.Sprintf("version %s is also that of release %s: a version names one release", v.what.Version, f.versions[other].Subjects[0].Digest.Short())
	case hasCurrent && f.ID != f.Production && !parsed.Newer(current):
		r.Reason = fmt.Sprintf("version %s is not newer than %s, which production runs", v.what.Version, current)
	default:
		r.Decision, r.Since = Allow, v.Time
		r.Reason = "version " + v.what.Version
	}
	return []Requirement{r}
}

// productionVersion is the version of the release that production runs.
func (f *facts) productionVersion() (release.Version, bool) {
	if f.Production == "" {
		return release.Version{}, false
	}
	v, ok := newest(f.versions, evidence.Release, f.Production)
	if !ok {
		return release.Version{}, false
	}
	parsed, err := release.ParseVersion(v.what.Version)
	return parsed, err == nil
}

// highest is the highest version that was ever given: the next one must rise above it.
func (f *facts) highest() release.Version {
	var top release.Version
	for _, v := range f.versions {
		if parsed, err := release.ParseVersion(v.what.Version); err == nil && parsed.Newer(top) {
			top = parsed
		}
	}
	return top
}
