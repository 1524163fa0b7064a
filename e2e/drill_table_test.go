package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// A drillRow is what came of a drill. The seconds count from when the cause was
// observable, or from the start of gauntlet when it was before that.
type drillRow struct {
	Name     string `json:"name"`
	Hub      string `json:"hub"`                // namespace
	Cause    string `json:"cause"`              // as printed
	Peaceful bool   `json:"peaceful,omitempty"` // a fault that must not end a deploy
	Foreseen bool   `json:"foreseen,omitempty"` // named before anything was changed
	Left     string `json:"left"`               // the state of the hub afterwards
	Mended   bool   `json:"mended,omitempty"`   // the hub was well only after the good values were deployed

	Started    time.Time `json:"started"`
	Observable time.Time `json:"observable,omitzero"` // zero: it never came to that
	Named      time.Time `json:"named,omitzero"`
	Ended      time.Time `json:"ended"`

	NamedSeconds float64 `json:"namedSeconds"`
	EndedSeconds float64 `json:"endedSeconds"`

	// What plain helm did with the same fault, where it was given it.
	HelmSeconds *float64 `json:"helmSeconds,omitempty"` // from its start until it returned
	HelmExit    int      `json:"helmExit"`
	HelmSaid    string   `json:"helmSaid,omitempty"`
	HelmLeft    string   `json:"helmLeft,omitempty"`
}

// count fills in the seconds.
func (r *drillRow) count() {
	from := r.Observable
	if from.Before(r.Started) {
		from = r.Started
	}
	if r.Foreseen && r.Observable.IsZero() {
		from = r.Named
	}
	if !r.Named.IsZero() {
		r.NamedSeconds = max(r.Named.Sub(from).Seconds(), 0)
	}
	r.EndedSeconds = r.Ended.Sub(from).Seconds()
}

var drillTable struct {
	sync.Mutex
	rows []*drillRow
}

// addDrill adds a row to the table of all drills.
func addDrill(t *testing.T, r *drillRow) {
	t.Helper()
	drillTable.Lock()
	defer drillTable.Unlock()
	r.count()
	drillTable.rows = append(drillTable.rows, r)
	t.Logf("%s", r.text())
}

func (r *drillRow) text() string {
	cause, left, named := strings.ReplaceAll(r.Cause, "|", "\\|"), r.Left, "-"
	switch {
	case r.Peaceful:
		cause = "passes: " + cause
	case r.Foreseen:
		cause = "before any change: " + cause
	}
	if r.Mended {
		left += " (after the good values were deployed)"
	}
	if !r.Named.IsZero() {
		named = fmt.Sprintf("%.1f", r.NamedSeconds)
	}
	return fmt.Sprintf("| %s | %s | %s | %.1f | %.1f | %s |", r.Name, cause, named, r.EndedSeconds, r.Ended.Sub(r.Started).Seconds(), left)
}

// showDrills logs the table, and writes it as Markdown and as JSON when GAUNTLET_DRILLS
// names a file for it: PATH.md and PATH.json.
func showDrills(t *testing.T) {
	drillTable.Lock()
	defer drillTable.Unlock()
	rows := drillTable.rows
	if len(rows) == 0 {
		return
	}
	slices.SortStableFunc(rows, func(a, b *drillRow) int { return strings.Compare(a.Hub, b.Hub) })
	var named []float64
	var b strings.Builder
	b.WriteString("| drill | cause as printed | observable to named, s | to the end, s | whole command, s | left |\n|---|---|---|---|---|---|\n")
	for _, r := range rows {
		b.WriteString(r.text() + "\n")
		if !r.Named.IsZero() && !r.Peaceful {
			named = append(named, r.NamedSeconds)
		}
	}
	if len(named) > 0 {
		slices.Sort(named)
		fmt.Fprintf(&b, "\nFrom observable to named: median %.1f s, longest %.1f s, over %d drills.\n", named[len(named)/2], named[len(named)-1], len(named))
	}
	t.Logf("the drills:\n%s", b.String())
	path := os.Getenv("GAUNTLET_DRILLS")
	if path == "" {
		return
	}
	data, err := json.MarshalIndent(rows, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	for suffix, content := range map[string][]byte{".md": []byte(b.String()), ".json": append(data, '\n')} {
		if err := os.WriteFile(path+suffix, content, 0o644); err != nil {
			t.Error(err)
		}
	}
}
