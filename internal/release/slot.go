package release

import (
	"fmt"
	"regexp"
	"strings"
)

// A Slot is the value paths of one image's name and tag. With only Name set, Name
// receives the whole reference.
type Slot struct {
	Name string `json:"name" yaml:"name"`
	Tag  string `json:"tag,omitempty" yaml:"tag"`
}

// Request is the tag that values ask for in the slot: "" asks for the images of
// this commit, anything else for the images that bear it.
func (s Slot) Request(v Values) (string, error) {
	path := s.Tag
	if path == "" {
		path = s.Name
	}
	x, _ := v.Get(path)
	if x == nil {
		return "", nil
	}
	text, ok := x.(string)
	if !ok {
		return "", fmt.Errorf("value %s is %s: write the tag in quotes", path, kindOf(x))
	}
	if s.Tag != "" {
		return text, nil
	}
	// A whole reference: the tag is what follows the first colon after the last
	// slash, the colon of a registry's port comes before it.
	base := text[strings.LastIndexByte(text, '/')+1:]
	if i := strings.IndexAny(base, ":@"); i >= 0 {
		return base[i+1:], nil
	}
	return "", nil
}

// blank is v with nothing in the slot, the same whatever stood there.
func (s Slot) blank(v Values) (Values, error) {
	v, err := v.Set(s.Name, "")
	if err == nil && s.Tag != "" {
		v, err = v.Set(s.Tag, "")
	}
	return v, err
}

// labels are what the OCI distribution specification allows as a tag.
var labels = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$`)

// fill is v with the image in the slot: by name and LABEL@DIGEST, or by the whole
// reference NAME@DIGEST.
func (s Slot) fill(v Values, name, label string, d Digest) (Values, error) {
	if s.Tag == "" {
		return v.Set(s.Name, name+"@"+string(d))
	}
	if !labels.MatchString(label) {
		return nil, fmt.Errorf("%q cannot be an image's label", label)
	}
	v, err := v.Set(s.Name, name)
	if err != nil {
		return nil, err
	}
	return v.Set(s.Tag, label+"@"+string(d))
}
