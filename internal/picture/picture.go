// Package picture compares pictures of plots as a person would who looks at both: what
// was drawn counts, and how text and edges were smoothed does not. It is pure.
package picture

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"
)

// block is the side of the squares that pictures are compared by, in pixels: their mean
// colours. A letter drawn by another font is about the same grey as before.
const block = 8

const (
	// apart is how far the mean of a block may be off, of 255, in any channel.
	apart = 40
	// most is the share of blocks that may be further off.
	most = 0.002
	// loose is how many pixels wider or higher one picture may be: a line of text.
	loose = 6
	// biggest bounds a picture, in pixels.
	biggest = 16 << 20
)

// Decode reads a PNG, and refuses one of more than 16 million pixels before it is unpacked.
func Decode(data []byte) (image.Image, error) {
	c, err := png.DecodeConfig(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("read a picture: %w", err)
	}
	if c.Width <= 0 || c.Height <= 0 || c.Width > biggest/c.Height {
		return nil, fmt.Errorf("read a picture: it has %d by %d pixels", c.Width, c.Height)
	}
	img, err := png.Decode(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("read a picture: %w", err)
	}
	return img, nil
}

// A Comparison is how two pictures differ.
type Comparison struct {
	Same  bool
	Share float64 // of the picture that differs, 0 to 1
	Size  bool    // one is wider or higher by more than a line of text
}

// Compare compares two pictures.
func Compare(a, b image.Image) Comparison {
	if w, h := abs(a.Bounds().Dx()-b.Bounds().Dx()), abs(a.Bounds().Dy()-b.Bounds().Dy()); w > loose || h > loose {
		return Comparison{Share: 1, Size: true}
	}
	off, all := 0, 0
	eachBlock(a, b, func(_ image.Rectangle, differs bool) {
		all++
		if differs {
			off++
		}
	})
	share := float64(off) / float64(max(all, 1))
	return Comparison{Same: share <= most, Share: share}
}

// eachBlock tells of each block of what both pictures have whether it differs.
func eachBlock(a, b image.Image, do func(r image.Rectangle, differs bool)) {
	w, h := min(a.Bounds().Dx(), b.Bounds().Dx()), min(a.Bounds().Dy(), b.Bounds().Dy())
	for y := 0; y < h; y += block {
		for x := 0; x < w; x += block {
			r := image.Rect(x, y, min(x+block, w), min(y+block, h))
			p, q := mean(a, r), mean(b, r)
			differs := false
			for i := range p {
				differs = differs || abs(p[i]-q[i]) > apart
			}
			do(r, differs)
		}
	}
}

// mean is the mean colour of a part of a picture, which begins at 0, 0, over white.
func mean(img image.Image, r image.Rectangle) (sum [3]int) {
	at := img.Bounds().Min
	for y := r.Min.Y; y < r.Max.Y; y++ {
		for x := r.Min.X; x < r.Max.X; x++ {
			red, green, blue, alpha := img.At(at.X+x, at.Y+y).RGBA()
			white := 0xffff - alpha
			sum[0] += int((red + white) >> 8)
			sum[1] += int((green + white) >> 8)
			sum[2] += int((blue + white) >> 8)
		}
	}
	n := max(r.Dx()*r.Dy(), 1)
	return [3]int{sum[0] / n, sum[1] / n, sum[2] / n}
}

// Blank says that nothing is drawn: every block has about the colour of the first.
func Blank(img image.Image) bool {
	flat := image.NewUniform(color.White)
	b := img.Bounds()
	first := mean(img, image.Rect(0, 0, min(block, b.Dx()), min(block, b.Dy())))
	flat.C = color.RGBA{uint8(first[0]), uint8(first[1]), uint8(first[2]), 255}
	blank := true
	eachBlock(img, &bounded{flat, image.Rect(0, 0, b.Dx(), b.Dy())}, func(_ image.Rectangle, differs bool) { blank = blank && !differs })
	return blank
}

// bounded is one colour of a size.
type bounded struct {
	*image.Uniform
	r image.Rectangle
}

func (b *bounded) Bounds() image.Rectangle { return b.r }

// Difference is a picture for people, as PNG: both side by side, the first as it was
// before, and the second once more, paled, with what differs in red.
func Difference(before, now image.Image) ([]byte, error) {
	const gap = 8
	a, b := before.Bounds(), now.Bounds()
	w, h := max(a.Dx(), b.Dx()), max(a.Dy(), b.Dy())
	out := image.NewRGBA(image.Rect(0, 0, 3*w+2*gap, h))
	draw.Draw(out, out.Bounds(), image.NewUniform(color.Gray{200}), image.Point{}, draw.Src)
	place := func(img image.Image, column int) {
		r := img.Bounds()
		to := image.Rect(column*(w+gap), 0, column*(w+gap)+r.Dx(), r.Dy())
		draw.Draw(out, to, image.White, image.Point{}, draw.Src)
		draw.Draw(out, to, img, r.Min, draw.Over)
	}
	place(before, 0)
	place(now, 1)
	place(now, 2)
	third := image.Pt(2*(w+gap), 0)
	draw.Draw(out, b.Sub(b.Min).Add(third), image.NewUniform(color.NRGBA{255, 255, 255, 180}), image.Point{}, draw.Over)
	eachBlock(before, now, func(r image.Rectangle, differs bool) {
		if differs {
			draw.Draw(out, r.Add(third), image.NewUniform(color.NRGBA{220, 0, 0, 160}), image.Point{}, draw.Over)
		}
	})
	var buf bytes.Buffer
	if err := png.Encode(&buf, out); err != nil {
		return nil, fmt.Errorf("draw what differs: %w", err)
	}
	return buf.Bytes(), nil
}

func abs(n int) int { return max(n, -n) }
