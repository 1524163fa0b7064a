// Package image builds the images of one commit with BuildKit, writes the worker's
// digest into the notebook, tests what was built, and gives tags to what has
// passed.
package image

import (
	"encoding/json"

	"gauntlet/internal/config"
	"gauntlet/internal/release"
)

// Ref is the reference of an image of the set: REGISTRY/NAME@DIGEST.
func Ref(registry, name string, d release.Digest) string {
	return registry + "/" + name + "@" + string(d)
}

// SourceDigest identifies what an image set is built from: the git tree of the
// source folder and every setting that reaches the builds or what is written into
// the images. Equal digests need no second build. What the images promise to
// import is left out: that changes their test, not them. So are the contents of
// build secrets, which must not shape an image, and what a moving base tag points to.
func SourceDigest(tree, registry string, images config.Images) release.Digest {
	type build struct {
		Dockerfile string
		Prepare    []string
		From       string
		Args       map[string]string
		Declares   []string // kept with the build, though they do not shape the images
	}
	type pair struct {
		Notebook, Worker, Template, Environment string
	}
	s := struct {
		Rules    string // changes when the same settings come to be built another way
		Tree     string
		Registry string // the worker's reference in the notebook begins with it
		Base     string
		Args     map[string]string
		Secrets  []string
		Build    map[string]build
		Pairs    []pair
	}{Rules: "2", Tree: tree, Registry: registry, Base: images.Base, Args: images.Args, Build: map[string]build{}}
	for _, p := range images.Pairs {
		s.Pairs = append(s.Pairs, pair{p.Notebook, p.Worker, p.Template, p.Environment})
	}
	for _, x := range images.Secrets {
		s.Secrets = append(s.Secrets, x.ID)
	}
	for name, b := range images.Build {
		s.Build[name] = build{b.Dockerfile, b.Prepare, b.From, b.Args, b.Declares}
	}
	data, err := json.Marshal(s)
	if err != nil {
		panic("image: " + err.Error()) // strings, lists and maps of them: JSON holds them all
	}
	return release.DigestOf(data)
}
