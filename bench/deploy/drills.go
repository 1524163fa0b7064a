package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

// A drill is one of the end-to-end tests' drills as they write them with
// GAUNTLET_DRILLS.
type drill struct {
	Name       string   `json:"name"`
	Cause      string   `json:"cause"`                // as gauntlet printed it
	Seconds    *float64 `json:"seconds,omitempty"`    // from observable to named
	Ended      *float64 `json:"ended,omitempty"`      // from observable to the end of gauntlet
	Left       string   `json:"left"`                 // state of the cluster afterwards
	HelmAfter  *float64 `json:"helmReturned,omitempty"` // seconds from observable until helm returned
	HelmExit   *int     `json:"helmExit,omitempty"`
	HelmSaid   string   `json:"helmSaid,omitempty"`
	Observable string   `json:"observable,omitempty"`
}

// runDrills runs every drill under gauntlet and, where plain helm can be given the
// same fault, under helm.
func (b *bench) runDrills(ctx context.Context) error {
	b.Say("running the drills, each under gauntlet and under helm")
	file := filepath.Join(b.Work, "drills.json")
	c := b.Shell("go", "test", "-count=1", "-timeout", "90m", "-parallel", "2", "-run", "TestDrills", "./e2e")
	c.Env = append(c.Env, "GAUNTLET_DRILLS="+file, "GAUNTLET_DRILLS_HELM="+b.Program("helm"))
	if _, err := b.OK(ctx, c); err != nil {
		return err
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(data, &b.drills); err != nil {
		return fmt.Errorf("read what the drills measured: %w", err)
	}
	if len(b.drills) == 0 {
		return fmt.Errorf("the drills measured nothing")
	}
	return nil
}
