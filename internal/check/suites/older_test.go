package suites

import (
	"errors"
	"strings"
	"testing"

	"gauntlet/internal/check"
	"gauntlet/internal/release"
)

func TestServersOfAnOlderNotebookAreNamedAndTheUnpairedWarnedOf(t *testing.T) {
	now, old, odd := release.DigestOf([]byte("now")), release.DigestOf([]byte("old")), release.DigestOf([]byte("odd"))
	with := func(user string, images ...release.Digest) UserServer { return UserServer{User: user, images: images} }
	only := func(d release.Digest) func(release.Digest) bool {
		return func(x release.Digest) bool { return x == d }
	}
	for name, tt := range map[string]struct {
		servers []UserServer
		paired  func(release.Digest) bool
		older   int
		warns   bool
		says    string
	}{
		"none":                            {nil, only(old), 0, false, "no user"},
		"all of the release":              {[]UserServer{with("ada", now), with("grace", odd, now)}, only(old), 0, false, "2 of 2 run the release's"},
		"older, its workers its own":      {[]UserServer{with("ada", old), with("grace", now)}, nil, 1, false, "1 of 2 run an older notebook, with workers that it was paired with, until their users restart them: ada"},
		"older and paired with these too": {[]UserServer{with("ada", old)}, only(old), 1, false, "1 of 1"},
		"older and never paired":          {[]UserServer{with("ada", old), with("grace", odd)}, only(old), 2, true, "1 of 2 run an older notebook, and a Dask cluster that they start now has workers which were never paired with it: tell grace to restart"},
		"not known which":                 {[]UserServer{with("ada")}, only(old), 1, true, "tell ada"},
	} {
		t.Run(name, func(t *testing.T) {
			older := olderServers(tt.servers, now, tt.paired)
			says, err := olderVerdict(len(tt.servers), older)
			var w check.Warning
			if errors.As(err, &w) {
				says = w.Message
			}
			if len(older) != tt.older || (err != nil) != tt.warns || !strings.Contains(says, tt.says) {
				t.Errorf("%d older, %q, %v", len(older), says, err)
			}
		})
	}
}
