package packages

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"

	cdx "github.com/CycloneDX/cyclonedx-go"
	"github.com/package-url/packageurl-go"
)

// Of an image's bill of materials: the media type, and the names of the properties in
// which an environment keeps what CycloneDX has no field for.
const (
	BillType = "application/vnd.cyclonedx+json"

	kindProperty         = "gauntlet:kind"
	pythonProperty       = "gauntlet:python"
	distributionProperty = "gauntlet:distribution"
)

// Bill writes the list of an image as a CycloneDX 1.6 bill of materials, which scanners
// for vulnerabilities and licences read: one component an environment, its packages
// nested in it, each with its package URL. Equal lists give equal bytes. image is the
// image's reference by digest.
// Format: https://cyclonedx.org/docs/1.6/json/, https://github.com/package-url/purl-spec.
func Bill(image string, l List) ([]byte, error) {
	name, digest, _ := strings.Cut(image, "@")
	bom := cdx.NewBOM()
	bom.Metadata = &cdx.Metadata{Component: &cdx.Component{
		Type: cdx.ComponentTypeContainer, BOMRef: "image", Name: name, Version: digest,
	}}
	environments := []cdx.Component{}
	for i, e := range l {
		c := cdx.Component{
			Type: cdx.ComponentTypePlatform, BOMRef: fmt.Sprint("environment-", i), Name: e.Path,
			Properties: &[]cdx.Property{{Name: kindProperty, Value: e.Kind}},
		}
		if e.Kind == Debian {
			c.Type = cdx.ComponentTypeOS
		}
		for name, value := range map[string]string{pythonProperty: e.Python, distributionProperty: e.Distribution} {
			if value != "" {
				*c.Properties = append(*c.Properties, cdx.Property{Name: name, Value: value})
			}
		}
		slices.SortFunc(*c.Properties, func(a, b cdx.Property) int { return strings.Compare(a.Name, b.Name) })
		inside := []cdx.Component{}
		for _, p := range slices.Sorted(maps.Keys(e.Packages)) {
			inside = append(inside, cdx.Component{
				Type: cdx.ComponentTypeLibrary, Name: p, Version: e.Packages[p], PackageURL: e.url(p),
			})
		}
		c.Components = &inside
		environments = append(environments, c)
	}
	bom.Components = &environments
	var b bytes.Buffer
	if err := cdx.NewBOMEncoder(&b, cdx.BOMFileFormatJSON).EncodeVersion(bom, cdx.SpecVersion1_6); err != nil {
		return nil, fmt.Errorf("write the bill of materials of %s: %w", image, err)
	}
	return b.Bytes(), nil
}

// url is a package's package URL.
func (e Environment) url(name string) string {
	version := e.Packages[name]
	switch e.Kind {
	case Debian:
		// Debian and its children number alike what is not alike: the distribution decides
		// what a vulnerability is of.
		vendor, _, _ := strings.Cut(e.Distribution, "-")
		if vendor == "" {
			return ""
		}
		q := packageurl.QualifiersFromMap(map[string]string{"distro": e.Distribution})
		return packageurl.NewPackageURL(packageurl.TypeDebian, vendor, name, version, q, "").ToString()
	case Conda:
		return packageurl.NewPackageURL(packageurl.TypeConda, "", name, version, nil, "").ToString()
	}
	return packageurl.NewPackageURL(packageurl.TypePyPi, "", name, version, nil, "").ToString()
}

// FromBill reads the list of an image out of a bill of materials that Bill wrote.
func FromBill(data []byte) (List, error) {
	bom := new(cdx.BOM)
	if err := cdx.NewBOMDecoder(bytes.NewReader(data), cdx.BOMFileFormatJSON).Decode(bom); err != nil {
		return nil, fmt.Errorf("read a bill of materials: %w", err)
	}
	l := List{}
	for _, c := range deref(bom.Components) {
		e := Environment{Path: c.Name, Packages: map[string]string{}}
		for _, p := range deref(c.Properties) {
			switch p.Name {
			case kindProperty:
				e.Kind = p.Value
			case pythonProperty:
				e.Python = p.Value
			case distributionProperty:
				e.Distribution = p.Value
			}
		}
		if e.Kind == "" {
			return nil, fmt.Errorf("read a bill of materials: component %q is no environment (it has no property %s)", c.Name, kindProperty)
		}
		for _, p := range deref(c.Components) {
			e.Packages[p.Name] = p.Version
		}
		l = append(l, e)
	}
	return l, nil
}

func deref[T any](list *[]T) []T {
	if list == nil {
		return nil
	}
	return *list
}
