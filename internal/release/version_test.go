package release

import "testing"

func TestVersionsOrder(t *testing.T) {
	order := []string{"v0.1.0", "v1.0.0-rc.1", "v1.0.0-rc.2", "v1.0.0", "v1.2.0", "v1.10.0"}
	var last Version
	for _, s := range order {
		v, err := ParseVersion(s)
		if err != nil {
			t.Fatal(err)
		}
		if !v.Newer(last) || last.Newer(v) || v.Newer(v) {
			t.Errorf("%s is not newer than %s", v, last)
		}
		if v.String() != s {
			t.Errorf("%s prints as %s", s, v)
		}
		last = v
	}
}

func TestParseVersionRefuses(t *testing.T) {
	for _, s := range []string{"", "1.4.0", "v1", "v1.4", "v1.4.0.0", "v01.4.0", "v1.4.0+abc", "vv1.4.0", "v1.4.0 ", "latest"} {
		if v, err := ParseVersion(s); err == nil {
			t.Errorf("ParseVersion(%q) = %s, want an error", s, v)
		}
	}
}

func TestTheNextMinorVersionIsNewer(t *testing.T) {
	for in, want := range map[string]string{"": "v1.0.0", "v1.4.2": "v1.5.0", "v0.9.9": "v0.10.0", "v1.4.0-rc.1": "v1.5.0"} {
		var v Version
		if in != "" {
			var err error
			if v, err = ParseVersion(in); err != nil {
				t.Fatal(err)
			}
		}
		if got := v.NextMinor(); got.String() != want || !got.Newer(v) {
			t.Errorf("after %q comes %s, want %s", in, got, want)
		}
	}
}
