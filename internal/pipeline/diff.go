package pipeline

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	"golang.org/x/sync/errgroup"

	"gauntlet/internal/deploy"
	"gauntlet/internal/image"
	"gauntlet/internal/packages"
)

// A Diff is what the images of two releases, or two images, differ in.
type Diff struct {
	From   string      `json:"from"` // what it is called: a release by version or digest, or an image
	To     string      `json:"to"`
	Images []ImageDiff `json:"images"`
}

// An ImageDiff is one image of both. Only images that differ have environments.
type ImageDiff struct {
	Image        string                `json:"image"`
	From         string                `json:"from,omitempty"` // reference by digest, "" when the image is new
	To           string                `json:"to,omitempty"`   // "" when it is gone
	Packages     int                   `json:"packages"`       // that the new image holds, or the old when it is gone
	Environments []packages.Difference `json:"environments"`
}

// Diff lists what was added, removed, upgraded and downgraded from one to the other:
// releases (as Status takes them), hubs (the release that each runs), or images by
// reference. Nothing is started: the registry tells.
func (w *Workspace) Diff(ctx context.Context, from, to string) (*Diff, error) {
	d := &Diff{Images: []ImageDiff{}}
	var sides [2]map[string]string // image to reference
	var err error
	for i, given := range []string{from, to} {
		called := []*string{&d.From, &d.To}[i]
		if strings.Contains(given, "/") {
			sides[i], *called, err = oneImage(ctx, given)
		} else {
			sides[i], *called, err = w.imagesOf(ctx, given)
		}
		if err != nil {
			return nil, err
		}
	}
	a, b := sides[0], sides[1]
	if strings.Contains(from, "/") || strings.Contains(to, "/") {
		if a, b, err = alike(from, to, a, b); err != nil {
			return nil, err
		}
	}
	names := maps.Clone(a)
	maps.Copy(names, b)
	defer w.waiting("diff", "", "reading what the images hold")()
	in := new(image.Inspector)
	d.Images = make([]ImageDiff, len(names))
	g, ctx := errgroup.WithContext(ctx)
	for i, n := range slices.Sorted(maps.Keys(names)) {
		g.Go(func() (err error) {
			d.Images[i], err = diffImage(ctx, in, n, a[n], b[n])
			return err
		})
	}
	return d, g.Wait()
}

func diffImage(ctx context.Context, in *image.Inspector, name, from, to string) (ImageDiff, error) {
	d := ImageDiff{Image: name, From: from, To: to, Environments: []packages.Difference{}}
	var lists [2]packages.List
	for i, ref := range []string{from, to} {
		if ref == "" {
			continue
		}
		var err error
		if lists[i], err = in.Packages(ctx, ref); err != nil {
			return d, err
		}
		if len(lists[i]) == 0 {
			return d, fmt.Errorf("image %s (%s) tells of no packages: it has no dpkg, conda or Python environment to compare", name, ref)
		}
		d.Packages = 0
		for _, e := range lists[i] {
			d.Packages += len(e.Packages)
		}
	}
	d.Environments = packages.Diff(lists[0], lists[1])
	return d, nil
}

// imagesOf are the images of a release, or of that which a hub runs.
func (w *Workspace) imagesOf(ctx context.Context, given string) (refs map[string]string, called string, err error) {
	_, isHub := w.Platform.Hubs[given]
	s, err := w.look(ctx, "")
	if err != nil {
		return nil, "", err
	}
	ref := given
	if isHub {
		if ref, err = w.runs(ctx, given); err != nil {
			return nil, "", err
		}
	}
	id, err := s.find(ref)
	if err != nil {
		return nil, "", err
	}
	c, err := w.open(ctx, id)
	if err != nil {
		return nil, "", err
	}
	called = id.Short()
	if v := s.version(id); v != "" {
		called = v
	}
	if isHub {
		called = given + " (" + called + ")"
	}
	return w.refs(c.Set), called, nil
}

// runs is the release that a hub runs, as find takes it.
func (w *Workspace) runs(ctx context.Context, hubName string) (string, error) {
	h, err := w.hub(hubName)
	if err != nil {
		return "", err
	}
	c, err := w.clients.get(h.Cluster)
	if err != nil {
		return "", err
	}
	ctx, cancel := bounded(ctx, stateTimeout)
	defer cancel()
	switch st := deploy.State(ctx, c, h.Namespace, h.Release); {
	case st.Problem != "":
		return "", fmt.Errorf("ask hub %s what it runs: %w", hubName, errors.New(st.Problem))
	case st.Release == "":
		return "", inputf("hub %s runs no release of gauntlet's: name its image by reference, or take it over with `gauntlet adopt %s`", hubName, hubName)
	default:
		return st.Release, nil
	}
}

// oneImage is an image by tag or digest.
func oneImage(ctx context.Context, given string) (refs map[string]string, called string, err error) {
	r, err := name.ParseReference(given)
	if err != nil {
		return nil, "", inputf("%q is no image: write REGISTRY/NAME:TAG or REGISTRY/NAME@sha256:…, or name a release or a hub", given)
	}
	ref := given
	if t, ok := r.(name.Tag); ok {
		d, err := image.Resolve(ctx, t.Repository.Name(), t.TagStr())
		if err != nil {
			return nil, "", err
		}
		ref = t.Repository.Name() + "@" + string(d)
	}
	return map[string]string{path.Base(r.Context().RepositoryStr()): ref}, given, nil
}

// alike lets an image be compared with another of any name, and with the one of its
// name in a release.
func alike(from, to string, a, b map[string]string) (_, _ map[string]string, err error) {
	single := func(m map[string]string) string { return slices.Sorted(maps.Keys(m))[0] }
	switch {
	case !strings.Contains(from, "/"):
		n := single(b)
		if a[n] == "" {
			return nil, nil, inputf("%s has no image %s: its images are %s", from, n, strings.Join(slices.Sorted(maps.Keys(a)), ", "))
		}
		return map[string]string{n: a[n]}, b, nil
	case !strings.Contains(to, "/"):
		b, a, err = alike(to, from, b, a)
		return a, b, err
	}
	if n, m := single(a), single(b); n != m {
		both := n + " → " + m
		return map[string]string{both: a[n]}, map[string]string{both: b[m]}, nil
	}
	return a, b, nil
}
