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

	"gauntlet/internal/config"
	"gauntlet/internal/deploy"
	"gauntlet/internal/image"
	"gauntlet/internal/packages"
	"gauntlet/internal/release"
)

// A Diff is what the images of two releases, or two images, differ in.
type Diff struct {
	From   string      `json:"from"` // what it is called: a release by version or digest, or an image
	To     string      `json:"to"`
	Images []ImageDiff `json:"images"`
	Pairs  []PairDiff  `json:"pairs"` // of the platform's pairs of which an image differs
}

// A PairDiff is what differs of a notebook (first) and its worker (second), as users meet
// them: together.
type PairDiff struct {
	Notebook string `json:"notebook"`
	Worker   string `json:"worker"`
	packages.Shared
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
// releases (as Status takes them), image sets (by their tag, or by their digest or the
// start of one), hubs (the release that each runs), or images by reference. Nothing is
// started: evidence or else the registry tells.
func (w *Workspace) Diff(ctx context.Context, from, to string) (*Diff, error) {
	d := &Diff{Images: []ImageDiff{}}
	var sides [2]side
	var err error
	for i, given := range []string{from, to} {
		if strings.Contains(given, "/") {
			sides[i], err = oneImage(ctx, given)
		} else {
			sides[i], err = w.imagesOf(ctx, given)
		}
		if err != nil {
			return nil, err
		}
	}
	if err := alike(&sides[0], &sides[1]); err != nil {
		return nil, err
	}
	d.From, d.To = sides[0].called, sides[1].called
	a, b := sides[0].refs, sides[1].refs
	names := maps.Clone(a)
	maps.Copy(names, b)
	defer w.waiting("diff", "", "reading what the images hold")()
	d.Images = make([]ImageDiff, len(names))
	g, ctx := errgroup.WithContext(ctx)
	for i, n := range slices.Sorted(maps.Keys(names)) {
		g.Go(func() (err error) {
			d.Images[i], err = w.diffImage(ctx, n, a[n], b[n])
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	d.Pairs = pairsOf(d.Images, w.Platform.Images.Pairs)
	return d, nil
}

// pairsOf are the pairs of which both images are on both sides, and one differs.
func pairsOf(images []ImageDiff, pairs []config.Pair) []PairDiff {
	out := []PairDiff{}
	find := func(name string) (ImageDiff, bool) {
		i := slices.IndexFunc(images, func(d ImageDiff) bool { return d.Image == name && d.From != "" && d.To != "" })
		if i < 0 {
			return ImageDiff{}, false
		}
		return images[i], true
	}
	for _, p := range pairs {
		n, hasNotebook := find(p.Notebook)
		k, hasWorker := find(p.Worker)
		if !hasNotebook || !hasWorker || p.Notebook == p.Worker {
			continue
		}
		if s := packages.Share(n.Environments, k.Environments); len(s.Both)+len(s.First)+len(s.Second) > 0 {
			out = append(out, PairDiff{p.Notebook, p.Worker, s})
		}
	}
	return out
}

func (w *Workspace) diffImage(ctx context.Context, name, from, to string) (ImageDiff, error) {
	d := ImageDiff{Image: name, From: from, To: to, Environments: []packages.Difference{}}
	var lists [2]packages.List
	for i, ref := range []string{from, to} {
		if ref == "" {
			continue
		}
		var err error
		if lists[i], err = w.inspector.Packages(ctx, ref); err != nil {
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

// A side is what one of the two names stands for.
type side struct {
	called string
	refs   map[string]string // image to reference by digest
	image  string            // the name of its one image, "" for a whole set
}

// imagesOf are the images of a release, or of that which a hub runs.
func (w *Workspace) imagesOf(ctx context.Context, given string) (side, error) {
	_, isHub := w.Platform.Hubs[given]
	s, err := w.look(ctx, "")
	if err != nil {
		return side{}, err
	}
	ref := given
	if isHub {
		if ref, err = w.runs(ctx, given); err != nil {
			return side{}, err
		}
	}
	id, err := s.find(ref)
	if err != nil {
		if b, ok := s.built(given); ok && !isHub {
			set := release.ImageSet{Images: b.Images}
			_, err := w.inspect(ctx, s, set)
			return side{called: "images " + b.Label, refs: w.refs(set)}, err
		}
		return side{}, err
	}
	c, err := w.open(ctx, id)
	if err != nil {
		return side{}, err
	}
	if _, err := w.inspect(ctx, s, c.Set); err != nil {
		return side{}, err
	}
	called := id.Short()
	if v := s.version(id); v != "" {
		called = v
	}
	if isHub {
		called = given + " (" + called + ")"
	}
	return side{called: called, refs: w.refs(c.Set)}, nil
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
func oneImage(ctx context.Context, given string) (side, error) {
	r, err := name.ParseReference(given)
	if err != nil {
		return side{}, inputf("%q is no image: write REGISTRY/NAME:TAG or REGISTRY/NAME@sha256:…, or name a release or a hub", given)
	}
	ref := given
	if t, ok := r.(name.Tag); ok {
		d, err := image.Resolve(ctx, t.Repository.Name(), t.TagStr())
		if err != nil {
			return side{}, err
		}
		ref = t.Repository.Name() + "@" + string(d)
	}
	n := path.Base(r.Context().RepositoryStr())
	return side{called: given, refs: map[string]string{n: ref}, image: n}, nil
}

// alike lets an image be compared with another of any name, and with the one of its
// name in a release.
func alike(a, b *side) error {
	switch {
	case a.image != "" && b.image != "" && a.image != b.image:
		both := a.image + " → " + b.image
		a.refs, b.refs = map[string]string{both: a.refs[a.image]}, map[string]string{both: b.refs[b.image]}
	case a.image != "":
		return b.only(a.image)
	case b.image != "":
		return a.only(b.image)
	}
	return nil
}

// only leaves one image of a side.
func (s *side) only(name string) error {
	if s.refs[name] == "" {
		return inputf("%s has no image %s: its images are %s", s.called, name, strings.Join(slices.Sorted(maps.Keys(s.refs)), ", "))
	}
	s.refs = map[string]string{name: s.refs[name]}
	return nil
}
