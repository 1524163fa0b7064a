package cli

import (
	"strings"
	"testing"

	"gauntlet/internal/check/suites"
	"gauntlet/internal/release"
)

func TestServersOfOlderNotebooksAreTold(t *testing.T) {
	var b strings.Builder
	d := release.DigestOf([]byte("old"))
	drawOlder(&b, nil)
	drawOlder(&b, []suites.OlderServer{
		{UserServer: suites.UserServer{User: "ada"}, Notebook: d},
		{UserServer: suites.UserServer{User: "\x1b[2Jgrace", Name: "gpu"}, Notebook: d, Unpaired: true},
	})
	want := "2 servers run an older notebook until restarted by their users:\n" +
		"  ada " + d.Short() + "\n" +
		"  " + "grace/gpu" + " " + d.Short() + "  never paired with the Dask workers that it gets now\n"
	if b.String() != want {
		t.Errorf("%q, want %q", b.String(), want)
	}
}
