package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"gauntlet/bench/rig"
)

// A drill is a row of the end-to-end tests' drills as they write it with
// GAUNTLET_DRILLS, in seconds from when the API first showed the cause. What helm did
// with the same fault is there for those that plain helm can be given.
type drill struct {
	Name     string  `json:"name"`
	Cause    string  `json:"cause"`
	Peaceful bool    `json:"peaceful"`
	Foreseen bool    `json:"foreseen"`
	Named    float64 `json:"namedSeconds"`
	Ended    float64 `json:"endedSeconds"`
	Left     string  `json:"left"`

	Helm     *float64 `json:"helmSeconds"` // from its start until it returned
	HelmExit int      `json:"helmExit"`
	HelmSaid string   `json:"helmSaid"`
	HelmLeft string   `json:"helmLeft"`
}

// runDrills runs every drill under gauntlet and, where plain helm can be given the
// same fault, under helm.
func (b *bench) runDrills(ctx context.Context) error {
	b.Say("running the drills, each under gauntlet and under helm")
	path := filepath.Join(b.Work, "drills")
	c := b.Shell("go", "test", "-count=1", "-timeout", "60m", "-parallel", "5", "-run", "TestEndToEnd/(demo walks|beside each other)/drills", "./e2e")
	c.Env = append(c.Env, "GAUNTLET_DRILLS="+path, "GAUNTLET_DRILLS_HELM="+b.Program("helm"))
	c.Limit = time.Hour
	o, err := b.Run(ctx, c)
	if err != nil {
		return err
	}
	data, err := os.ReadFile(path + ".json")
	switch {
	case errors.Is(err, os.ErrNotExist):
		return fmt.Errorf("the drills measured nothing: %s", rig.Tail(o.Out+o.Err))
	case err != nil:
		return err
	}
	if err := json.Unmarshal(data, &b.drills); err != nil {
		return fmt.Errorf("read what the drills measured: %w", err)
	}
	if len(b.drills) == 0 {
		return errors.New("the drills measured nothing")
	}
	b.drillsFailed = o.Code != 0
	return nil
}

// drillsTable is the drills in Markdown.
func drillsTable(drills []drill) string {
	var b strings.Builder
	b.WriteString("| drill | cause as gauntlet printed it | named, s | gauntlet ended, s | helm returned, s | what helm said | left by gauntlet | left by helm |\n|---|---|---|---|---|---|---|---|\n")
	for _, d := range drills {
		cause := d.Cause
		switch {
		case d.Peaceful:
			cause = "(passes) " + cause
		case d.Foreseen:
			cause = "(before any change) " + cause
		}
		helm := "–"
		if d.Helm != nil {
			helm = fmt.Sprintf("%.1f (exit code %d)", *d.Helm, d.HelmExit)
		}
		fmt.Fprintf(&b, "| %s | %s | %.1f | %.1f | %s | %s | %s | %s |\n", cell(d.Name), cell(cause), d.Named, d.Ended, helm, cell(d.HelmSaid), cell(d.Left), cell(d.HelmLeft))
	}
	return b.String()
}

// cell is text that a table can hold.
func cell(s string) string {
	return strings.NewReplacer("|", "\\|", "\n", " ", "<", "&lt;").Replace(strings.TrimSpace(s))
}
