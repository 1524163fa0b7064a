package image

import (
	"context"
	"fmt"

	"gauntlet/internal/release"
)

// Sizes says how much of an image set is stored once for several images: a node that
// has one of them pulls only the rest of another. In bytes, as compressed in the
// registry.
type Sizes struct {
	Total  int64            // of all layers, each counted once
	Shared int64            // of layers that more than one image has
	Images map[string]int64 // of each image's layers
}

// Measure reads the sizes of a set's images from their manifests. registry is the
// prefix of their names.
func Measure(ctx context.Context, registry string, set release.ImageSet) (Sizes, error) {
	s := Sizes{Images: map[string]int64{}}
	uses, sizes := map[string]int{}, map[string]int64{}
	for name, d := range set.Images {
		_, img, err := open(ctx, Ref(registry, name, d))
		if err != nil {
			return s, err
		}
		m, err := img.Manifest()
		if err != nil {
			return s, fmt.Errorf("read the manifest of %s: %w", name, err)
		}
		own := map[string]bool{}
		for _, l := range m.Layers {
			digest := l.Digest.String()
			if own[digest] {
				continue // an empty layer comes more than once
			}
			own[digest] = true
			uses[digest]++
			sizes[digest] = l.Size
			s.Images[name] += l.Size
		}
	}
	for digest, n := range uses {
		s.Total += sizes[digest]
		if n > 1 {
			s.Shared += sizes[digest]
		}
	}
	return s, nil
}
