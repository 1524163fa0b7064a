package image

import (
	"context"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"gauntlet/internal/release"
)

func TestMeasureCountsWhatImagesShareOnce(t *testing.T) {
	ctx, reg := context.Background(), server(t)
	base, own := []entry{{name: "base", text: strings.Repeat("b", 4000)}}, []entry{{name: "own", text: strings.Repeat("o", 1000)}}
	set := release.ImageSet{Images: map[string]release.Digest{}}
	for image, layers := range map[string][][]entry{"notebook": {base, own}, "worker": {base}} {
		ref, err := name.NewDigest(push(t, reg+"/"+image, types.OCIManifestSchema1, layers...))
		if err != nil {
			t.Fatal(err)
		}
		set.Images[image] = release.Digest(ref.DigestStr())
	}
	s, err := Measure(ctx, reg, set)
	if err != nil {
		t.Fatal(err)
	}
	if s.Shared != s.Images["worker"] || s.Total != s.Images["notebook"] || s.Shared >= s.Total || s.Shared == 0 {
		t.Errorf("%+v", s)
	}
	set.Images["worker"] = release.DigestOf([]byte("nowhere"))
	if _, err := Measure(ctx, reg, set); err == nil {
		t.Error("an image that is not there was measured")
	}
}
