package pipeline

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gauntlet/internal/config"
)

func TestBumpChangesTheTagsAlone(t *testing.T) {
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
			edited, err := w.tagged(tt.tag)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(tt.changed, slices.Sorted(maps.Keys(edited))); d != "" {
				t.Error(d)
			}
			for _, f := range tt.changed {
				if d := cmp.Diff(tt.want[f], string(edited[f])); d != "" {
					t.Errorf("%s: %s", f, d)
				}
			}
		})
	}
}

func TestBumpNamesTheFileItCannotEdit(t *testing.T) {
	dir := t.TempDir()
	w := &Workspace{Dir: dir, Platform: &config.Platform{Chart: config.Chart{Images: slots}, Hubs: map[string]config.Hub{"a": {Values: []string{"alias.yml"}}}}}
	if err := os.WriteFile(filepath.Join(dir, "alias.yml"), []byte("t: &t c1\nsingle: {image: {tag: *t}}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	_, err := w.tagged("c2")
	var input *InputError
	if !errors.As(err, &input) || !strings.Contains(err.Error(), "alias.yml") {
		t.Errorf("got %v", err)
	}
}
