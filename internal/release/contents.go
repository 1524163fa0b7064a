package release

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
)

// Input is what a release is made from.
type Input struct {
	Set          ImageSet
	ChartArchive []byte          // .tgz, of PackChart
	Slots        map[string]Slot // image of the set to where its reference goes
	Access       []string        // value paths that say who may log in
	Hubs         map[string]HubInput
}

// HubInput is what one hub brings.
type HubInput struct {
	Target  Target
	Values  Values // its files, merged, and what is set over them; the image slots hold requests
	Secrets []File // encrypted values files, in order
}

// A File is a file by its name.
type File struct {
	Name string
	Data []byte
}

// Contents are a release with all its bytes: enough to deploy it anywhere.
type Contents struct {
	Release      Release
	Set          ImageSet
	ChartArchive []byte
	Deployables  map[string]Deployable // by hub
	Access       map[string]Values     // by hub: the part of its values at the access paths
	Secrets      map[string][]File     // by hub, encrypted, in order; base names only
}

// New makes a release. Nothing in it depends on where or when it is made, nor on
// the tags that the values ask for.
func New(in Input) (Contents, error) {
	if len(in.Set.Images) == 0 || len(in.Hubs) == 0 || len(in.Slots) == 0 || len(in.ChartArchive) == 0 {
		return Contents{}, errors.New("make release: it needs images, image slots, a chart and hubs")
	}
	paths, err := checkPaths(in)
	if err != nil {
		return Contents{}, fmt.Errorf("make release: %w", err)
	}
	c := Contents{
		Set:          ImageSet{Images: maps.Clone(in.Set.Images)},
		ChartArchive: bytes.Clone(in.ChartArchive),
		Deployables:  map[string]Deployable{},
		Access:       map[string]Values{},
		Secrets:      map[string][]File{},
		Release: Release{
			Slots:       maps.Clone(in.Slots),
			AccessPaths: []string{},
			Hubs:        map[string]Part{},
		},
	}
	for _, p := range paths {
		c.Release.AccessPaths = append(c.Release.AccessPaths, p.String())
	}
	c.Release.ImageSet = c.Set.Digest()
	c.Release.Chart = DigestOf(c.ChartArchive)
	for _, hub := range slices.Sorted(maps.Keys(in.Hubs)) {
		if err := c.addHub(hub, in.Hubs[hub], paths); err != nil {
			return Contents{}, fmt.Errorf("make release: hub %s: %w", hub, err)
		}
	}
	return c, nil
}

func (c *Contents) addHub(hub string, in HubInput, access []Path) error {
	if hub == "" || strings.ContainsAny(hub, `/\`) || hub == "." || hub == ".." {
		return fmt.Errorf("%q is no name for a hub", hub)
	}
	v, err := normaliseValues(in.Values)
	if err != nil {
		return err
	}
	for _, image := range slices.Sorted(maps.Keys(c.Release.Slots)) {
		if v, err = c.Release.Slots[image].blank(v); err != nil {
			return fmt.Errorf("image slot of %s: %w", image, err)
		}
	}
	rest, acc := splitAccess(v, access)
	for _, f := range in.Secrets {
		c.Secrets[hub] = append(c.Secrets[hub], File{Name: path.Base(f.Name), Data: bytes.Clone(f.Data)})
	}
	c.put(hub, rest, acc, in.Target)
	return nil
}

// put adds a hub whose secrets are there already.
func (c *Contents) put(hub string, rest, access Values, t Target) {
	d := Deployable{ImageSet: c.Release.ImageSet, Chart: c.Release.Chart, Secrets: secretsDigest(c.Secrets[hub]), Values: rest}
	c.Deployables[hub] = d
	c.Access[hub] = access
	c.Release.Hubs[hub] = Part{Deployable: d.Digest(), Access: DigestOf(canonical(access)), Target: t}
}

// secretsDigest covers the ciphertexts in their order; file names are no part of
// it. None is "".
func secretsDigest(files []File) Digest {
	if len(files) == 0 {
		return ""
	}
	ds := make([]Digest, len(files))
	for i, f := range files {
		ds[i] = DigestOf(f.Data)
	}
	return DigestOf(canonical(ds))
}

// checkPaths checks that every slot is an image's and that no two of slots and
// access paths overlap, and returns the access paths sorted.
func checkPaths(in Input) ([]Path, error) {
	type named struct {
		what string
		path Path
	}
	var all []named
	add := func(what, s string) error {
		p, err := ParsePath(s)
		if err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
		for _, o := range all {
			if p.Within(o.path) || o.path.Within(p) {
				return fmt.Errorf("%s (%s) and %s (%s) overlap: each value path has one meaning", o.what, o.path, what, p)
			}
		}
		all = append(all, named{what, p})
		return nil
	}
	for image, d := range in.Set.Images {
		if _, err := ParseDigest(string(d)); err != nil {
			return nil, fmt.Errorf("image %s: %w", image, err)
		}
	}
	for _, image := range slices.Sorted(maps.Keys(in.Slots)) {
		if _, ok := in.Set.Images[image]; !ok {
			return nil, fmt.Errorf("image slot of %s: no such image in the set", image)
		}
		s := in.Slots[image]
		if err := add("the name slot of "+image, s.Name); err != nil {
			return nil, err
		}
		if s.Tag == "" {
			continue
		}
		if err := add("the tag slot of "+image, s.Tag); err != nil {
			return nil, err
		}
	}
	slots := len(all)
	for _, s := range slices.Sorted(slices.Values(in.Access)) {
		if err := add("the access path", s); err != nil {
			return nil, err
		}
	}
	var paths []Path
	for _, n := range all[slots:] {
		paths = append(paths, n.path)
	}
	return paths, nil
}

// HubValues are the values to give Helm for a hub: its own with the access values,
// the hub's decrypted secrets over them in the order of c.Secrets, and in every
// image slot registry/NAME with label@DIGEST. label is for people and changes
// nothing: the digest decides.
func (c Contents) HubValues(hub, registry, label string, secrets ...Values) (Values, error) {
	d, ok := c.Deployables[hub]
	if !ok {
		return nil, fmt.Errorf("the release has no hub %q: it has %s", hub, strings.Join(slices.Sorted(maps.Keys(c.Deployables)), ", "))
	}
	if len(secrets) != len(c.Secrets[hub]) {
		return nil, fmt.Errorf("values of hub %s: it has %d secrets files, %d were decrypted", hub, len(c.Secrets[hub]), len(secrets))
	}
	v := Merge(d.Values, c.Access[hub])
	images := slices.Sorted(maps.Keys(c.Release.Slots))
	for i, s := range secrets {
		for _, image := range images {
			if r, err := c.Release.Slots[image].Request(s); r != "" || err != nil {
				return nil, fmt.Errorf("values of hub %s: secrets file %s names an image for the slot of %s: take it out", hub, c.Secrets[hub][i].Name, image)
			}
		}
		v = Merge(v, s)
	}
	for _, image := range images {
		var err error
		if v, err = c.Release.Slots[image].fill(v, registry+"/"+image, label, c.Set.Images[image]); err != nil {
			return nil, fmt.Errorf("values of hub %s: image slot of %s: %w", hub, image, err)
		}
	}
	return v, nil
}
