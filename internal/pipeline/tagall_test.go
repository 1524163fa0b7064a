package pipeline

import (
	"errors"
	"io"
	"log"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"gauntlet/internal/config"
	"gauntlet/internal/image"
	"gauntlet/internal/release"
)

// pushRandom pushes some image under a tag.
func pushRandom(t *testing.T, ref string) release.Digest {
	t.Helper()
	tag, err := name.NewTag(ref)
	if err != nil {
		t.Fatal(err)
	}
	img, err := random.Image(64, 1)
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(tag, img); err != nil {
		t.Fatal(err)
	}
	d, err := img.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return release.Digest(d.String())
}

func TestAllImagesOfASetGetATagOrNone(t *testing.T) {
	for what, hinder := range map[string]func(t *testing.T, reg string, set release.ImageSet) string{ // gives part of the error
		"nothing": func(*testing.T, string, release.ImageSet) string { return "" },
		"the second's tag is there": func(t *testing.T, reg string, set release.ImageSet) string {
			if err := image.Tag(t.Context(), reg+"/worker@"+string(set.Images["worker"]), "v1.0.0"); err != nil {
				t.Fatal(err)
			}
			return ""
		},
		"the second's tag names another": func(t *testing.T, reg string, set release.ImageSet) string {
			other := pushRandom(t, reg+"/worker:v1.0.0")
			return "/worker:v1.0.0 names " + other.Short() + " already and is not moved to " + set.Images["worker"].Short()
		},
		"the second image is gone": func(_ *testing.T, reg string, set release.ImageSet) string {
			set.Images["worker"] = digest("gone")
			return reg + "/worker@" + string(digest("gone")) + " is not in its registry"
		},
	} {
		t.Run(what, func(t *testing.T) {
			srv := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
			t.Cleanup(srv.Close)
			reg := strings.TrimPrefix(srv.URL, "http://") + "/platform"
			w := &Workspace{Platform: &config.Platform{Registry: reg}}
			set := release.ImageSet{Images: map[string]release.Digest{}}
			for _, n := range []string{"notebook", "worker"} {
				set.Images[n] = pushRandom(t, reg+"/"+n+":c1")
			}
			want := hinder(t, reg, set)
			for range 2 { // the second time finds what the first left
				err := w.tagAll(t.Context(), set, "v1.0.0", "release-tag")
				if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
					t.Fatalf("got %v, want %q", err, want)
				}
				var missing *image.NotFoundError
				switch d, err := image.Resolve(t.Context(), reg+"/notebook", "v1.0.0"); {
				case want == "" && d != set.Images["notebook"]:
					t.Errorf("the first image's tag names %q (%v)", d, err)
				case want != "" && !errors.As(err, &missing):
					t.Errorf("the first image has the tag: %q, %v", d, err)
				}
			}
		})
	}
}
