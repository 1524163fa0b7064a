package packages

import "slices"

// A Shared says which changes two images have in common: what a notebook and its worker
// both got, and what one of them got alone.
type Shared struct {
	Both   []Change `json:"both"`
	First  []Change `json:"first"`  // of the first image alone
	Second []Change `json:"second"` // of the second image alone
}

// Share compares the changes of two images, of Python's and conda's packages: the
// system's do not meet. A package that changed in several environments of an image in the
// same way is named once.
func Share(first, second []Difference) Shared {
	s := Shared{Both: []Change{}, First: []Change{}, Second: []Change{}}
	a, b := flat(first), flat(second)
	for _, c := range a {
		if slices.Contains(b, c) {
			s.Both = append(s.Both, c)
		} else {
			s.First = append(s.First, c)
		}
	}
	for _, c := range b {
		if !slices.Contains(a, c) {
			s.Second = append(s.Second, c)
		}
	}
	return s
}

func flat(list []Difference) []Change {
	var all []Change
	for _, d := range list {
		if d.Kind == Debian {
			continue
		}
		for _, c := range d.Changes {
			if !slices.Contains(all, c) {
				all = append(all, c)
			}
		}
	}
	return all
}
