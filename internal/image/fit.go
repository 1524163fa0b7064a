package image

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/Masterminds/semver/v3"

	"gauntlet/internal/check"
	"gauntlet/internal/declared"
	"gauntlet/internal/release"
)

// fits compares an image's single-user server with the hubs that will start it. The hub
// itself warns of another minor version, which "could cause failure to authenticate and
// result in redirect loops"; of another major version the two do not understand each
// other's tokens and scopes (jupyterhub 2.0, 5.0 changelog).
func (t *test) fits(ctx context.Context, name string) (string, error) {
	said, err := t.script(ctx, name, "version.py")
	if err != nil {
		return "", err
	}
	own, err := semver.NewVersion(strings.SplitN(said, ".dev", 2)[0])
	if err != nil {
		return "", fmt.Errorf("jupyterhub-singleuser says that it is %q, which is no version", said)
	}
	return fit(own, said, t.Hubs)
}

func fit(own *semver.Version, said string, hubs []string) (string, error) {
	if len(hubs) == 0 {
		return fmt.Sprintf("jupyterhub %s; the chart does not say which JupyterHub the hubs are", said), nil
	}
	const mend = "install jupyterhub==%s in the image, or bring the hub to the image's version in a release of its own"
	var odd []string
	for _, h := range hubs {
		hub, err := semver.NewVersion(h)
		if err != nil {
			return "", fmt.Errorf("a hub's version is %q: %w", h, err)
		}
		switch {
		case hub.Major() != own.Major():
			return "", fmt.Errorf("its jupyterhub is %s, and a hub is %s: they may not understand each other's logins: "+mend, said, h, h)
		case hub.Minor() != own.Minor():
			odd = append(odd, h)
		}
	}
	if len(odd) > 0 {
		return "", check.Warning{Message: fmt.Sprintf("its jupyterhub is %s, and hubs are %s, which warn of that: "+mend, said, strings.Join(odd, ", "), odd[0])}
	}
	return fmt.Sprintf("jupyterhub %s, as the hubs' %s", said, strings.Join(hubs, ", ")), nil
}

// declares looks for what the image's sources declare: among what is installed, and then
// by importing it.
func (t *test) declares(ctx context.Context, name string, list []declared.Package) (string, error) {
	have, err := t.Inspector.Packages(ctx, t.Refs[name])
	if err != nil {
		return "", err
	}
	if missing := declared.Missing(list, have); len(missing) > 0 {
		return "", fmt.Errorf("%d of %d packages that its sources declare are not in it: %s", len(missing), len(list), strings.Join(missing, "; "))
	}
	return t.script(ctx, name, "declared.py", declared.Modules(list)...)
}

// most is how much larger than in production an image may be before the test warns.
const most = 1.25

// size compares what a node has to download of an image with the release in production.
func (t *test) size(ctx context.Context, name string) (string, error) {
	d, err := digestOf(t.Refs[name])
	if err != nil {
		return "", err
	}
	now, err := Measure(ctx, t.Registry, release.ImageSet{Images: map[string]release.Digest{name: d}})
	if err != nil {
		return "", err
	}
	said := Megabytes(now.Images[name])
	if t.Production == nil {
		return said + " compressed", nil
	}
	set, err := t.Production(ctx)
	switch {
	case err != nil:
		return "", check.Warning{Message: fmt.Sprintf("%s compressed; what production runs is not known: %v", said, err)}
	case len(set.Images) == 0:
		return said + " compressed; production runs no release to compare with", nil
	}
	was, ok := set.Images[name]
	if !ok {
		return said + " compressed; production has no image of that name", nil
	}
	then, err := Measure(ctx, t.Registry, release.ImageSet{Images: map[string]release.Digest{name: was}})
	if err != nil {
		return "", check.Warning{Message: fmt.Sprintf("%s compressed; the size of production's cannot be read: %v", said, err)}
	}
	return larger(now.Images[name], then.Images[name])
}

func larger(now, then int64) (string, error) {
	ratio := float64(now) / float64(max(then, 1))
	said := fmt.Sprintf("%s compressed, %+.0f %% of production's %s", Megabytes(now), 100*(ratio-1), Megabytes(then))
	if ratio > most {
		return "", check.Warning{Message: said + ": every node downloads that, and users wait for it; `gauntlet diff` says what came"}
	}
	return said, nil
}

// digestOf is the digest in a reference by digest.
func digestOf(ref string) (release.Digest, error) {
	_, d, _ := strings.Cut(ref, "@")
	return release.ParseDigest(d)
}

// Megabytes is a size as people write it.
func Megabytes(bytes int64) string { return fmt.Sprintf("%.0f MB", float64(bytes)/1e6) }

// MajorMinor are versions without what does not matter to a single-user server, each
// once, in order.
func MajorMinor(all []*semver.Version) []string {
	out := []string{}
	for _, v := range all {
		out = append(out, fmt.Sprintf("%d.%d", v.Major(), v.Minor()))
	}
	slices.Sort(out)
	return slices.Compact(out)
}
