package kernel

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/coder/websocket"
)

// A Completion is what a kernel makes of a line when the tab key is pressed.
// Format: Jupyter messaging protocol 5.3, complete_reply.
type Completion struct {
	Status     string   // "ok" also when nothing was found
	Matches    []string // each takes the place of code[Start:End]
	Start, End int      // in characters
	Took       time.Duration
}

// Lines are what the code would be with each match in its place.
func (c Completion) Lines(code string) []string {
	r := []rune(code)
	if c.Start < 0 || c.Start > c.End || c.End > len(r) {
		return nil
	}
	lines := make([]string, 0, len(c.Matches))
	for _, m := range c.Matches {
		lines = append(lines, string(r[:c.Start])+m+string(r[c.End:]))
	}
	return lines
}

// Complete asks for the completion at the end of code.
func (k *Kernel) Complete(ctx context.Context, code string) (Completion, error) {
	var c Completion
	if err := k.awake(ctx); err != nil {
		return c, err
	}
	defer k.rest(ctx)
	begun, id := time.Now(), strings.ToLower(rand.Text())
	frame, err := request(id, k.session, "complete_request", map[string]any{"code": code, "cursor_pos": utf8.RuneCountInString(code)})
	if err != nil {
		return c, err
	}
	if err := k.conn.Write(ctx, websocket.MessageText, frame); err != nil {
		return c, fmt.Errorf("ask the kernel for a completion: %w", ended(ctx, err))
	}
	for {
		kind, data, err := k.conn.Read(ctx)
		if err != nil {
			return c, fmt.Errorf("wait for a completion of %q: %w", code, ended(ctx, err))
		}
		if kind != websocket.MessageText {
			continue
		}
		m, err := parse(data)
		if err != nil {
			return c, err
		}
		if m.Header.Type == "status" {
			if _, err := new(run).take(m); errors.Is(err, ErrKernelDied) {
				return c, err
			}
		}
		if m.ParentHeader.ID != id || m.Header.Type != "complete_reply" {
			continue
		}
		var reply struct {
			Status  string   `json:"status"`
			Matches []string `json:"matches"`
			Start   int      `json:"cursor_start"`
			End     int      `json:"cursor_end"`
			EName   string   `json:"ename"`
			EValue  string   `json:"evalue"`
		}
		if err := json.Unmarshal(m.Content, &reply); err != nil {
			return c, fmt.Errorf("a completion of the kernel cannot be read: %w", err)
		}
		c = Completion{Status: reply.Status, Matches: reply.Matches, Start: reply.Start, End: reply.End, Took: time.Since(begun)}
		if reply.Status != "ok" {
			return c, &Error{Name: "completion of " + code + " " + reply.Status + " " + reply.EName, Value: reply.EValue}
		}
		return c, nil
	}
}
