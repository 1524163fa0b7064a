package pipeline

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gauntlet/internal/config"
)

func TestWriteTagChangesTheTagsAlone(t *testing.T) {
	const asking = `# Values of the test hubs.
single:
  image:   # what users start
    name: registry/notebook
    tag: "0000000"   # a commit, quoted: it may look like a number
other: {tag: stays}
`
	const bare = "single: {image: {name: registry/notebook, tag: abcdef0}} # asked for\n"
	const other = "auth:\n  users: [ada] # no image here\n"
	const empty = "single:\n  image: {name: registry/notebook, tag: ''}\n"
	for name, tt := range map[string]struct {
		tag     string
		want    map[string]string // file to its text afterwards
		changed []string
	}{
		"a commit": {"1a2b3c4", map[string]string{
			"asking.yml": strings.Replace(asking, "0000000", "1a2b3c4", 1),
			"bare.yml":   strings.Replace(bare, "abcdef0", `"1a2b3c4"`, 1),
			"empty.yml":  strings.Replace(empty, "''", "'1a2b3c4'", 1),
		}, []string{"asking.yml", "bare.yml", "empty.yml"}},
		"a commit that looks like a number": {"12e4567", map[string]string{
			"asking.yml": strings.Replace(asking, "0000000", "12e4567", 1),
			"bare.yml":   strings.Replace(bare, "abcdef0", `"12e4567"`, 1),
			"empty.yml":  strings.Replace(empty, "''", "'12e4567'", 1),
		}, []string{"asking.yml", "bare.yml", "empty.yml"}},
		"the tag that stands there": {"abcdef0", map[string]string{
			"asking.yml": strings.Replace(asking, "0000000", "abcdef0", 1),
			"bare.yml":   bare,
			"empty.yml":  strings.Replace(empty, "''", "'abcdef0'", 1),
		}, []string{"asking.yml", "empty.yml"}},
	} {
		t.Run(name, func(t *testing.T) {
			w := &Workspace{Dir: t.TempDir(), Platform: &config.Platform{
				Chart: config.Chart{Images: slots},
				Hubs: map[string]config.Hub{
					"a": {Values: []string{"other.yml", "asking.yml"}},
					"b": {Values: []string{"asking.yml", "bare.yml"}}, "c": {Values: []string{"empty.yml"}},
				},
			}}
			files := map[string]string{"asking.yml": asking, "bare.yml": bare, "other.yml": other, "empty.yml": empty}
			for f, text := range files {
				if err := os.WriteFile(filepath.Join(w.Dir, f), []byte(text), 0o640); err != nil {
					t.Fatal(err)
				}
			}
			changed, err := w.WriteTag(tt.tag)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(tt.changed, changed); d != "" {
				t.Error(d)
			}
			tt.want["other.yml"] = other
			for f, want := range tt.want {
				got, err := os.ReadFile(filepath.Join(w.Dir, f))
				if err != nil {
					t.Fatal(err)
				}
				if d := cmp.Diff(want, string(got)); d != "" {
					t.Errorf("%s: %s", f, d)
				}
				if st, err := os.Stat(filepath.Join(w.Dir, f)); err != nil || st.Mode().Perm() != 0o640 {
					t.Errorf("%s: mode %v, %v", f, st.Mode(), err)
				}
			}
			left, err := filepath.Glob(filepath.Join(w.Dir, "*"))
			if err != nil || len(left) != len(files) {
				t.Errorf("left behind: %v, %v", left, err)
			}
			if again, err := w.WriteTag(tt.tag); err != nil || len(again) > 0 {
				t.Errorf("writing it again changed %v, %v", again, err)
			}
		})
	}
}

func TestWriteTagFollowsALinkAndNamesTheFileItCannotEdit(t *testing.T) {
	dir := t.TempDir()
	w := &Workspace{Dir: dir, Platform: &config.Platform{Chart: config.Chart{Images: slots}, Hubs: map[string]config.Hub{"a": {Values: []string{"link.yml"}}}}}
	real := filepath.Join(dir, "real.yml")
	if err := os.WriteFile(real, []byte("single: {image: {tag: c1}}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("real.yml", filepath.Join(dir, "link.yml")); err != nil {
		t.Fatal(err)
	}
	if _, err := w.WriteTag("c2"); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(real); err != nil || string(got) != "single: {image: {tag: c2}}\n" {
		t.Errorf("got %q, %v", got, err)
	}
	if st, err := os.Lstat(filepath.Join(dir, "link.yml")); err != nil || st.Mode()&os.ModeSymlink == 0 {
		t.Error("the link has become a file")
	}

	if err := os.WriteFile(real, []byte("t: &t c1\nsingle: {image: {tag: *t}}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	_, err := w.WriteTag("c2")
	var input *InputError
	if !errors.As(err, &input) || !strings.Contains(err.Error(), "link.yml") {
		t.Errorf("got %v", err)
	}
}
