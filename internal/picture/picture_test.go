package picture

import (
	"bytes"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"math"
	"testing"
)

// plot is a curve with a marker over a gradient, as plots are.
type plot struct {
	shift  float64 // of the curve, in pixels
	marker image.Point
	swap   bool // the colours of the gradient
	plain  bool // without the curve
	size   image.Point
}

func (p plot) draw() image.Image {
	if p.size == (image.Point{}) {
		p.size = image.Pt(600, 400)
	}
	img := image.NewRGBA(image.Rectangle{Max: p.size})
	draw.Draw(img, img.Bounds(), image.White, image.Point{}, draw.Src)
	for y := 300; y < 380; y++ {
		for x := 20; x < 580; x++ {
			v := uint8(x * 255 / 600)
			c := color.RGBA{v, 80, 255 - v, 255}
			if p.swap {
				c = color.RGBA{255 - v, 80, v, 255}
			}
			img.Set(x, y, c)
		}
	}
	for x := 20; x < 580 && !p.plain; x++ {
		at := 150 + 100*math.Sin(float64(x)/60) + p.shift
		for y := int(at) - 3; y <= int(at)+3; y++ {
			far := math.Abs(float64(y) - at) // smoothed at its edges
			v := uint8(255 * min(1, far/2.5))
			img.Set(x, y, color.RGBA{v, v, 255, 255})
		}
	}
	for y := -12; y <= 12; y++ {
		for x := -12; x <= 12; x++ {
			if x*x+y*y <= 144 {
				img.Set(p.marker.X+x, p.marker.Y+y, color.RGBA{200, 30, 30, 255})
			}
		}
	}
	return img
}

func TestWhatWasDrawnCountsAndHowItWasSmoothedDoesNot(t *testing.T) {
	good := plot{marker: image.Pt(300, 60)}
	for name, tt := range map[string]struct {
		other plot
		same  bool
	}{
		"the same":                 {good, true},
		"smoothed in another way":  {plot{marker: good.marker, shift: 0.4}, true},
		"a pixel wider":            {plot{marker: good.marker, size: image.Pt(601, 401)}, true},
		"a moved marker":           {plot{marker: image.Pt(340, 60)}, false},
		"no marker":                {plot{marker: image.Pt(-100, -100)}, false},
		"other colours":            {plot{marker: good.marker, swap: true}, false},
		"a layer that is missing":  {plot{marker: good.marker, plain: true}, false},
		"the curve somewhere else": {plot{marker: good.marker, shift: 20}, false},
		"another size":             {plot{marker: good.marker, size: image.Pt(600, 440)}, false},
	} {
		t.Run(name, func(t *testing.T) {
			c := Compare(good.draw(), tt.other.draw())
			if c.Same != tt.same {
				t.Errorf("%+v", c)
			}
		})
	}
}

func TestAPictureIsBlankWhenNothingIsDrawn(t *testing.T) {
	white := image.NewRGBA(image.Rect(0, 0, 300, 200))
	draw.Draw(white, white.Bounds(), image.White, image.Point{}, draw.Src)
	if !Blank(white) || !Blank(image.NewRGBA(image.Rect(0, 0, 300, 200))) {
		t.Error("white or nothing is not blank")
	}
	if Blank(plot{}.draw()) {
		t.Error("a plot is blank")
	}
}

func TestTheDifferenceIsThreePicturesInOne(t *testing.T) {
	data, err := Difference(plot{marker: image.Pt(300, 60)}.draw(), plot{marker: image.Pt(340, 60)}.draw())
	if err != nil {
		t.Fatal(err)
	}
	img, err := Decode(data)
	if err != nil {
		t.Fatal(err)
	}
	if b := img.Bounds(); b.Dx() != 3*600+16 || b.Dy() != 400 {
		t.Errorf("%v", b)
	}
	if r, g, _, _ := img.At(2*608+340, 60).RGBA(); r < 2*g {
		t.Error("what differs is not red")
	}
}

func FuzzDecode(f *testing.F) {
	var b bytes.Buffer
	_ = png.Encode(&b, image.NewRGBA(image.Rect(0, 0, 20, 10)))
	f.Add(b.Bytes())
	f.Add([]byte("\x89PNG\r\n\x1a\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		img, err := Decode(data)
		if err != nil {
			return
		}
		if b := img.Bounds(); b.Dx()*b.Dy() > biggest {
			t.Errorf("%v", b)
		}
		Blank(img)
	})
}
