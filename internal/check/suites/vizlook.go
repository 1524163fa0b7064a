package suites

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"gauntlet/internal/browser"
	"gauntlet/internal/check"
	"gauntlet/internal/kube"
	"gauntlet/internal/picture"
)

// compare asks about a picture that has changed. It is no failure: a person sees whether
// it is better.
func (v *viz) compare(p plot) (string, error) {
	i := slices.IndexFunc(v.pictures, func(o check.Picture) bool { return o.Name == p.name && !o.Failed })
	if i < 0 {
		return "the image has no " + p.name, nil
	}
	pic := &v.pictures[i]
	if pic.Accepted == nil {
		return "", check.Warning{Message: "nobody has accepted a picture of it yet: look at it (gauntlet viz show), then gauntlet viz accept"}
	}
	before, err := picture.Decode(pic.Accepted)
	if err != nil {
		return "", err
	}
	now, err := picture.Decode(pic.PNG)
	if err != nil {
		return "", err
	}
	c := picture.Compare(before, now)
	if c.Same {
		return fmt.Sprintf("%.2f %% of it differs", 100*c.Share), nil
	}
	if pic.Difference, err = picture.Difference(before, now); err != nil {
		return "", err
	}
	said := fmt.Sprintf("it has changed, by %.1f %% of it", 100*c.Share)
	if c.Size {
		said = fmt.Sprintf("it has changed: it is %v pixels, and was %v", now.Bounds().Size(), before.Bounds().Size())
	}
	return "", check.Warning{Message: said + ": look at it (gauntlet viz show), then gauntlet viz accept"}
}

// slide moves a slider by its keyboard and waits until the picture follows.
func (v *viz) slide(ctx context.Context, i int, p plot) (string, error) {
	if !v.have[p.name] {
		return "the image has no " + p.name, nil
	}
	before, err := v.lab.Picture(ctx, i)
	if err != nil {
		return "", err
	}
	a, err := picture.Decode(before)
	if err != nil {
		return "", err
	}
	begun := time.Now()
	for range 3 {
		if err := v.lab.Press(ctx, i, p.slider, browser.Right); err != nil {
			return "", v.blame(err)
		}
	}
	for {
		now, err := v.lab.Picture(ctx, i)
		if err == nil {
			b, derr := picture.Decode(now)
			if derr != nil {
				return "", derr
			}
			if !picture.Compare(a, b).Same {
				return "after " + took(begun), v.blame(nil)
			}
		}
		if serr := kube.Sleep(ctx, 200*time.Millisecond); serr != nil {
			return "", v.blame(errors.Join(errors.New("the slider moves and the picture stays as it was"), err))
		}
	}
}

// complete presses the tab key in a cell of JupyterLab.
func (v *viz) complete(ctx context.Context) (string, error) {
	at := len(plots)
	if _, err := v.lab.Run(ctx, at); err != nil { // import os
		return "", v.blame(err)
	}
	const code, want = "os.path.exi", "exists"
	items, becomes, err := v.lab.Complete(ctx, at+1, code)
	if err != nil {
		return "", v.blame(fmt.Errorf("%q and the tab key bring nothing: %w", code, err))
	}
	ok := strings.Contains(becomes, want) || slices.ContainsFunc(items, func(i string) bool { return strings.Contains(i, want) })
	if !ok {
		return "", fmt.Errorf("%q and the tab key bring %s", code, kube.OneLine(strings.Join(items[:min(3, len(items))], ", ")))
	}
	return kube.OneLine(fmt.Sprintf("%q brings %s", code, strings.Join(append(items, becomes)[:1], ""))), nil
}
