package release

import (
	"fmt"
	"strings"

	"github.com/Masterminds/semver/v3"
)

// A Version is the name of a release for production: a semantic version with a
// leading v. The zero value is "none yet"; every version is newer than it.
type Version struct{ v *semver.Version }

// ParseVersion reads v1.4.0 or v1.5.0-rc.1. Build metadata (v1.4.0+abc) is
// refused, since it does not order versions and no registry tag can hold it.
func ParseVersion(s string) (Version, error) {
	rest, ok := strings.CutPrefix(s, "v")
	if !ok {
		return Version{}, fmt.Errorf("version %q: write it with a leading v, as in v1.4.0", s)
	}
	v, err := semver.StrictNewVersion(rest)
	if err != nil {
		return Version{}, fmt.Errorf("version %q: %w: write three numbers, as in v1.4.0", s, err)
	}
	if v.Metadata() != "" {
		return Version{}, fmt.Errorf("version %q: leave out +%s: it does not order versions", s, v.Metadata())
	}
	return Version{v}, nil
}

// String is the version with its leading v, "" for none.
func (v Version) String() string {
	if v.v == nil {
		return ""
	}
	return "v" + v.v.String()
}

// IsZero says that there is no version.
func (v Version) IsZero() bool { return v.v == nil }

// Newer says whether v comes after o by the order of semantic versions.
func (v Version) Newer(o Version) bool {
	switch {
	case v.v == nil:
		return false
	case o.v == nil:
		return true
	}
	return v.v.GreaterThan(o.v)
}

// NextMinor is the next minor version: v1.5.0 after v1.4.2 and after v1.4.0-rc.1, v1.0.0
// after none.
func (v Version) NextMinor() Version {
	if v.v == nil {
		return Version{semver.New(1, 0, 0, "", "")}
	}
	next := v.v.IncMinor()
	return Version{&next}
}
