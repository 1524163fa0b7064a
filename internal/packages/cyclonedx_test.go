package packages

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var billed = List{
	{Path: "/", Kind: Debian, Distribution: "ubuntu-24.04", Packages: map[string]string{"libstdc++6": "14-2+b1", "python3": "3.12.3-0"}},
	{Path: "/opt/conda/envs/geo", Kind: Conda, Packages: map[string]string{"gdal": "3.9.0"}},
	{Path: "/opt/env", Kind: Python, Python: "3.12", Packages: map[string]string{"dask": "2026.8.0", "numpy": "2.1.0"}},
	{Path: "/opt/second", Kind: Python, Python: "3.12", Packages: map[string]string{"numpy": "2.2.0"}},
}

func TestABillIsReadBackAsTheListItWasWrittenFrom(t *testing.T) {
	const image = "registry.example.org/platform/notebook@sha256:00"
	data, err := Bill(image, billed)
	if err != nil {
		t.Fatal(err)
	}
	again, err := Bill(image, billed)
	if err != nil || !bytes.Equal(data, again) {
		t.Errorf("equal lists give different bytes (%v)", err)
	}
	got, err := FromBill(data)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(billed, got); d != "" {
		t.Error(d)
	}
	for _, url := range []string{
		`"pkg:deb/ubuntu/libstdc%2B%2B6@14-2%2Bb1?distro=ubuntu-24.04"`, `"pkg:conda/gdal@3.9.0"`, `"pkg:pypi/dask@2026.8.0"`, `"specVersion": "1.6"`,
	} {
		if !strings.Contains(strings.ReplaceAll(string(data), `":"`, `": "`), url) {
			t.Errorf("the bill has no %s:\n%s", url, data)
		}
	}
}

func TestABillOfAnotherToolIsRefused(t *testing.T) {
	for name, text := range map[string]string{
		"no JSON":        "{",
		"no environment": `{"bomFormat":"CycloneDX","specVersion":"1.6","components":[{"type":"library","name":"dask","version":"1"}]}`,
	} {
		if l, err := FromBill([]byte(text)); err == nil {
			t.Errorf("%s: read as %v", name, l)
		}
	}
}

func FuzzFromBill(f *testing.F) {
	data, err := Bill("registry.example.org/notebook@sha256:00", billed)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Fuzz(func(t *testing.T, data []byte) {
		l, err := FromBill(data)
		if err != nil {
			return
		}
		again, err := Bill("registry.example.org/notebook@sha256:00", l)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := FromBill(again); err != nil {
			t.Errorf("what was read cannot be written and read again: %v", err)
		}
	})
}
