// Package packages knows what is installed in an image and how two images differ
// in it. It is pure: package image reads the layers and hands over paths.
//
// An image can hold several environments: Debian's own, a virtual environment, any
// number of conda's. They are kept apart, because a package that changed in the
// second is no change of the first.
package packages

import (
	"cmp"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
)

// Kinds of environment, after what installs into it.
const (
	Debian = "debian" // dpkg
	Python = "python" // dist-info or egg-info in site-packages
	Conda  = "conda"  // conda-meta
)

// An Environment is the packages of one place of an image.
type Environment struct {
	// Path is the prefix it is installed under: "/" for Debian, "/opt/env" for
	// /opt/env/lib/python3.11/site-packages.
	Path string `json:"path"`
	Kind string `json:"kind"`
	// Python is the minor version of its interpreter, "3.11"; "" where neither the place
	// of the packages tells nor, of Debian's dist-packages, dpkg.
	Python string `json:"python,omitempty"`
	// Distribution is, of a Debian environment, the system's name and release as
	// os-release(5) has them, "ubuntu-24.04"; "" where it tells none.
	Distribution string `json:"distribution,omitempty"`

	Packages map[string]string `json:"packages"` // name to version; Python's names normalised as PEP 503 has it
}

// A List is what an image holds, in order of path and kind.
type List []Environment

// Files of an image that say what is installed. Their contents are of no interest
// but dpkg's and the system's name: the others have name and version in their path.
var (
	pythonFile = regexp.MustCompile(`^(?:(.*)/)?lib(?:64)?/python([0-9.]+)/(?:site|dist)-packages/([^/]+)\.(dist|egg)-info(?:/(?:METADATA|PKG-INFO))?$`)
	condaFile  = regexp.MustCompile(`^(.*)/conda-meta/([^/]+)\.json$`)
	systemFile = regexp.MustCompile(`^(?:etc|usr/lib)/os-release$`)
	dpkgFile   = regexp.MustCompile(`^var/lib/dpkg/(?:status|status\.d/[^/]+)$`)
	eggPython  = regexp.MustCompile(`-py[0-9.]+(?:-[^-]+)?$`) // of NAME-VERSION-py3.11.egg-info
	pep503     = regexp.MustCompile(`[-_.]+`)
)

// Tells says whether a file of an image tells of packages, and whether its contents
// are needed too. p is a path of a layer, without a leading slash.
func Tells(p string) (tells, contents bool) {
	switch {
	case systemFile.MatchString(p):
		return true, true
	case dpkgFile.MatchString(p):
		return !strings.HasSuffix(p, ".md5sums"), true
	default:
		return pythonFile.MatchString(p) || condaFile.MatchString(p), false
	}
}

// Read makes the list of an image out of the files that Tells asked for: path, without
// a leading slash, to contents (nil where they are of no interest). What has no
// readable name and version is left out: it cannot be compared.
func Read(files map[string][]byte) List {
	type key struct{ path, kind, python string }
	found := map[key]map[string]string{}
	add := func(k key, name, version string) {
		if name == "" || version == "" {
			return
		}
		if found[k] == nil {
			found[k] = map[string]string{}
		}
		found[k][name] = version
	}
	for _, p := range slices.Sorted(maps.Keys(files)) { // of two records of one package the later name counts, each time
		data := files[p]
		if m := pythonFile.FindStringSubmatch(p); m != nil {
			python := ""
			if strings.Contains(m[2], ".") { // "3" is Debian's for any minor
				python = m[2]
			}
			name, version := distInfo(m[3], m[4])
			add(key{path.Clean("/" + m[1]), Python, python}, name, version)
		} else if m := condaFile.FindStringSubmatch(p); m != nil {
			name, version := condaPackage(m[2])
			add(key{path.Clean("/" + m[1]), Conda, ""}, name, version)
		} else if dpkgFile.MatchString(p) {
			for name, version := range dpkg(string(data)) {
				add(key{"/", Debian, ""}, name, version)
			}
		}
	}
	debian := minor(found[key{"/", Debian, ""}]["python3"])
	var list List
	for k, packages := range found {
		e := Environment{Path: k.path, Kind: k.kind, Python: k.python, Packages: packages}
		switch {
		case k.kind == Debian:
			e.Distribution = system(files)
		case k.kind == Python && k.path == "/usr" && k.python == "":
			e.Python = debian
		}
		list = append(list, e)
	}
	slices.SortFunc(list, func(a, b Environment) int {
		return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Python, b.Python))
	})
	return list
}

// system is the name and release of an image's system, as "debian-12": os-release(5).
func system(files map[string][]byte) string {
	for _, p := range []string{"etc/os-release", "usr/lib/os-release"} { // the first may be a link, which has no contents
		var id, version string
		for line := range strings.Lines(string(files[p])) {
			field, value, _ := strings.Cut(strings.TrimSpace(line), "=")
			value = strings.Trim(value, `"'`)
			switch field {
			case "ID":
				id = value
			case "VERSION_ID":
				version = value
			}
		}
		switch {
		case id != "" && version != "":
			return id + "-" + version
		case id != "":
			return id
		}
	}
	return ""
}

// minor is "3.13" of Debian's "3.13.5-1", "" of nothing.
func minor(version string) string {
	parts := strings.SplitN(version, ".", 3)
	if len(parts) < 3 {
		return ""
	}
	return parts[0] + "." + parts[1]
}

// distInfo is the name and version of NAME-VERSION as the folder of an installed
// Python package has them (packaging.python.org, "Recording installed projects"):
// a dash stands in no name and in no version there, but in old eggs.
func distInfo(stem, kind string) (name, version string) {
	if kind == "egg" {
		stem = eggPython.ReplaceAllString(stem, "")
	}
	i := strings.LastIndexByte(stem, '-')
	if i < 0 {
		return "", "" // a checkout's .egg-info tells no version
	}
	return strings.ToLower(pep503.ReplaceAllString(stem[:i], "-")), stem[i+1:]
}

// condaPackage is the name and version of NAME-VERSION-BUILD, as conda calls the
// record of an installed package. A name may have dashes.
func condaPackage(stem string) (name, version string) {
	parts := strings.Split(stem, "-")
	if len(parts) < 3 {
		return "", ""
	}
	n := len(parts)
	return strings.Join(parts[:n-2], "-"), parts[n-2]
}

// dpkg reads the packages that are installed out of dpkg's status file
// (deb-control(5), dpkg(1)). A status.d file, of images without dpkg, has no Status.
func dpkg(status string) map[string]string {
	found := map[string]string{}
	for stanza := range strings.SplitSeq(status, "\n\n") {
		var name, version string
		installed := true
		for line := range strings.Lines(stanza) {
			field, value, _ := strings.Cut(strings.TrimRight(line, "\r\n"), ":")
			value = strings.TrimSpace(value)
			switch field {
			case "Package":
				name = value
			case "Version":
				version = value
			case "Status":
				installed = strings.HasSuffix(value, " installed")
			}
		}
		if installed && name != "" && version != "" {
			found[name] = version
		}
	}
	return found
}

// OnPath is the Python environment that `python3` means where PATH has these folders,
// in order: the first that is under the prefix of one of them.
func OnPath(l List, folders []string) (Environment, bool) {
	for _, f := range folders {
		for _, e := range l {
			if e.Kind == Python && path.Join(e.Path, "bin") == path.Clean(f) {
				return e, true
			}
		}
	}
	return Environment{}, false
}
