package config

import (
	"fmt"
	"slices"
	"strings"
)

// movingTags are names that people move from image to image: what they stand for
// when a release is tested is not what they stand for when it is deployed.
var movingTags = []string{
	"latest", "dev", "devel", "develop", "development", "main", "master", "trunk", "head", "edge", "nightly",
	"daily", "weekly", "snapshot", "unstable", "stable", "current", "next", "rolling", "release", "rc", "beta",
	"alpha", "test", "testing", "staging", "canary", "prod", "production", "live", "lts",
}

func isMoving(tag string) bool {
	return slices.Contains(movingTags, strings.ToLower(tag))
}

func (d *document) moving(field, tag string) {
	d.bad(field, fmt.Sprintf("the tag %q moves from image to image", tag), "name one image by its commit or version, or leave the tag empty for the images of this commit")
}

// reference checks a text that may be an image reference.
func (d *document) reference(field, s string) {
	if strings.Contains(s, "@sha256:") || strings.ContainsAny(s, " \t\n") || strings.Contains(s, "://") {
		return
	}
	last := s[strings.LastIndexByte(s, '/')+1:]
	if _, tag, ok := strings.Cut(last, ":"); ok && isMoving(tag) {
		d.bad(field, fmt.Sprintf("the tag %q moves from image to image", tag), "name one image by its version, or better by its digest: NAME@sha256:…")
	}
}
