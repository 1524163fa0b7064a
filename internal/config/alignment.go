package config

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
)

// A Rule is what it means that notebook and worker have a package in two versions.
type Rule string

// Rules of images.alignment.
const (
	Fatal  Rule = "fatal"  // the pair fails before a pod starts
	Warn   Rule = "warn"   // it is named
	Ignore Rule = "ignore" // it is not looked at
)

// AnyPackage stands in an Alignment for every package that it does not name.
const AnyPackage = "*"

// An Alignment says which packages of a pair must agree: name of a Python package, as
// PyPI writes it, "python" itself, or AnyPackage, to rule. What it leaves open is
// fatal for packages whose objects cross between notebook and worker, and else warns.
type Alignment map[string]Rule

// Off says whether it compares nothing at all.
func (a Alignment) Off() bool {
	if a[AnyPackage] != Ignore {
		return false
	}
	for _, r := range a {
		if r != Ignore {
			return false
		}
	}
	return true
}

// packageName is a normalised name of a Python package (PyPA's "Names and
// normalization").
var packageName = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)

func (d *document) checkAlignment(a Alignment) {
	for _, name := range slices.Sorted(maps.Keys(a)) {
		at := child("images.alignment", name)
		if name != AnyPackage && !packageName.MatchString(name) {
			d.bad(at, fmt.Sprintf("%q is no normalised name of a package", name), "write small letters, and one dash for each run of dots, dashes and underscores, as dask-geopandas; \"*\" stands for all others")
		}
		switch a[name] {
		case Fatal, Warn, Ignore:
		default:
			d.bad(at, fmt.Sprintf("%q is no rule", a[name]), "write fatal, warn or ignore")
		}
	}
}
