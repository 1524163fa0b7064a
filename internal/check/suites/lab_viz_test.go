package suites

import (
	"os"
	"path/filepath"
	"testing"

	"gauntlet/internal/check"
)

// picturesEnv is a folder where the pictures of a test are kept, for people to look at.
const picturesEnv = "GAUNTLET_TEST_PICTURES"

func TestLabVizDrawsInABrowser(t *testing.T) {
	c := connect(t)
	url := labHub(t, c, nil)
	to := target(c, url)
	got := map[string]check.Outcome{}
	r := check.Run(t.Context(), Viz(to), func(o check.Outcome) {
		t.Logf("%-50s %s %5.1fs %s", o.Name, o.State, o.Took.Seconds(), o.Message)
		got[o.Name] = o
	})
	t.Logf("took %s, %v", r.Finished.Sub(r.Started), r.Measures)
	if dir := os.Getenv(picturesEnv); dir != "" {
		for _, p := range r.Pictures {
			if err := os.WriteFile(filepath.Join(dir, p.Name+".png"), p.PNG, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	nothingLeft(t, c, url)
}
