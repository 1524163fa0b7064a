package release

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Media types of a release's layers. The chart's is Helm's own.
const (
	typeChart   = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"
	typeValues  = "application/vnd.gauntlet.values.v1+json"
	typeSecrets = "application/vnd.gauntlet.secrets.v1" // encrypted, as its own program wrote it
)

// Artifact is the release as kept in the ledger's repository: the Release as
// config; chart.tgz, imageset.json, values/HUB.json, access/HUB.json and
// secrets/HUB/N-NAME as layers.
func (c Contents) Artifact() Artifact {
	a := Artifact{Type: TypeRelease, Config: canonical(c.Release)}
	a.Layers = append(a.Layers,
		Blob{typeChart, "chart.tgz", c.ChartArchive},
		Blob{TypeImageSet, "imageset.json", canonical(c.Set)})
	hubs := slices.Sorted(maps.Keys(c.Deployables))
	for _, h := range hubs {
		a.Layers = append(a.Layers, Blob{typeValues, "values/" + h + ".json", canonical(c.Deployables[h].Values)})
	}
	for _, h := range hubs {
		a.Layers = append(a.Layers, Blob{typeValues, "access/" + h + ".json", canonical(c.Access[h])})
	}
	for _, h := range hubs {
		for i, f := range c.Secrets[h] {
			a.Layers = append(a.Layers, Blob{typeSecrets, "secrets/" + h + "/" + strconv.Itoa(i) + "-" + f.Name, f.Data})
		}
	}
	return a
}

// Digest identifies the release.
func (c Contents) Digest() Digest { return c.Artifact().Digest() }

// Open is the inverse of Artifact. It trusts nothing: every digest in the release
// is computed again from the bytes, the access values must lie at the access
// paths, and the result must give the same artifact, byte for byte.
func Open(a Artifact) (Contents, error) {
	c, err := open(a)
	if err != nil {
		return Contents{}, fmt.Errorf("open release %s: %w", a.Digest().Short(), err)
	}
	return c, nil
}

func open(a Artifact) (Contents, error) {
	if a.Type != TypeRelease {
		return Contents{}, fmt.Errorf("it is a %q, not a release", a.Type)
	}
	var said Release
	if err := json.Unmarshal(a.Config, &said); err != nil {
		return Contents{}, fmt.Errorf("read its config: %w", err)
	}
	in := Input{Slots: said.Slots, Access: said.AccessPaths, Hubs: map[string]HubInput{}}
	var err error
	if in.ChartArchive, err = layer(a, "chart.tgz"); err != nil {
		return Contents{}, err
	}
	if err := readLayer(a, "imageset.json", &in.Set); err != nil {
		return Contents{}, err
	}
	for hub, part := range said.Hubs {
		var values, access Values
		if err := readLayer(a, "values/"+hub+".json", &values); err != nil {
			return Contents{}, err
		}
		if err := readLayer(a, "access/"+hub+".json", &access); err != nil {
			return Contents{}, err
		}
		in.Hubs[hub] = HubInput{Target: part.Target, Values: Merge(values, access), Secrets: secretLayers(a, hub)}
	}
	c, err := New(in)
	if err != nil {
		return Contents{}, err
	}
	if err := differs(said, c.Release); err != nil {
		return Contents{}, err
	}
	if !bytes.Equal(c.Artifact().Manifest(), a.Manifest()) {
		return Contents{}, errors.New("its layers are not those that its contents give")
	}
	return c, nil
}

// differs names the first digest that is not what the bytes give.
func differs(said, is Release) error {
	check := func(what string, said, is Digest) error {
		if said != is {
			return fmt.Errorf("%s: it says %s and its bytes give %s", what, said, is)
		}
		return nil
	}
	err := errors.Join(check("image set", said.ImageSet, is.ImageSet), check("chart", said.Chart, is.Chart))
	for _, h := range slices.Sorted(maps.Keys(is.Hubs)) {
		err = errors.Join(err,
			check("deployable of hub "+h, said.Hubs[h].Deployable, is.Hubs[h].Deployable),
			check("access values of hub "+h, said.Hubs[h].Access, is.Hubs[h].Access))
	}
	return err
}

func layer(a Artifact, title string) ([]byte, error) {
	b, ok := a.Layer(title)
	if !ok {
		return nil, fmt.Errorf("%s is missing", title)
	}
	return b, nil
}

func readLayer(a Artifact, title string, into any) error {
	b, err := layer(a, title)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(b, into); err != nil {
		return fmt.Errorf("read %s: %w", title, err)
	}
	return nil
}

// secretLayers are a hub's secrets in the order of the layers, which Open compares
// with the order their numbers give.
func secretLayers(a Artifact, hub string) []File {
	var files []File
	for _, l := range a.Layers {
		numbered, ok := strings.CutPrefix(l.Title, "secrets/"+hub+"/")
		if !ok {
			continue
		}
		if _, name, ok := strings.Cut(numbered, "-"); ok {
			files = append(files, File{Name: name, Data: l.Data})
		}
	}
	return files
}
