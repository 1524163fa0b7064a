package cli

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"golang.org/x/term"

	"gauntlet/internal/pipeline"
)

// progress prints events as they come: a line each for people, or a JSON object a
// line. They go to standard error, so that standard output holds the result alone.
type progress struct {
	mu    sync.Mutex
	out   io.Writer
	json  bool
	style style
	start time.Time
	last  map[string]time.Time // when a step last told its progress
	board *board               // what is waited for, drawn in place; nil but on a terminal
}

// progress is how a command tells what it does; Main ends it.
func (a *app) progress() *progress {
	p := &progress{out: a.err, json: a.format == "json", style: styleOf(a.err), start: time.Now(), last: map[string]time.Time{}}
	if f, ok := a.err.(*os.File); ok && p.style.on && !p.json {
		p.board = &board{out: f, style: p.style, start: p.start, width: func() int {
			if w, _, err := term.GetSize(int(f.Fd())); err == nil && w > 0 {
				return w
			}
			return 80
		}}
		a.board = p.board
	}
	return p
}

// often is how far apart the lines of one item's progress are.
const often = time.Second

// Event prints one event.
func (p *progress) Event(e pipeline.Event) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.json {
		_ = writeJSON(p.out, e, "")
		return
	}
	if p.board != nil && p.board.take(e) {
		return
	}
	about := cmp.Or(e.Item, e.Object)
	key := e.Step + "/" + e.Hub + "/" + about
	if e.State == pipeline.Progress {
		if t, ok := p.last[key]; ok && e.Time.Sub(t) < often {
			return
		}
		p.last[key] = e.Time
	}
	where := e.Step
	if e.Hub != "" {
		where += " " + e.Hub
	}
	text := plainLines(e.Text)
	switch {
	case about != "" && text != "":
		text = plain(about) + ": " + text
	case about != "":
		text = plain(about)
	}
	if e.State == pipeline.Warned && e.Reason != "" {
		text += p.style.dim(" (" + plain(e.Reason) + ends(e) + ")")
	}
	line := fmt.Sprintf("%s %s %s %s\n", p.style.dim(clock(e.Time.Sub(p.start))), p.mark(e.State), p.style.bold(fmt.Sprintf("%-20s", plain(where))), text)
	if p.board != nil {
		p.board.print(line)
		return
	}
	_, _ = io.WriteString(p.out, line)
}

func (p *progress) mark(state string) string {
	switch state {
	case pipeline.Passed:
		return p.style.green("✓")
	case pipeline.Reused:
		return p.style.green("=")
	case pipeline.Warned:
		return p.style.yellow("!")
	case pipeline.Failed:
		return p.style.red("✗")
	case pipeline.Started:
		return p.style.cyan(">")
	}
	return p.style.dim("·")
}

// ends says when a cause ends the wait.
func ends(e pipeline.Event) string {
	switch left := e.Grace.Sub(e.Time).Round(time.Second); {
	case e.Grace.IsZero() || left <= 0:
		return ""
	default:
		return fmt.Sprintf(", waited for until %s", e.Grace.Local().Format("15:04:05"))
	}
}

// clock is a duration as m:ss.
func clock(d time.Duration) string {
	s := int(d.Seconds())
	return fmt.Sprintf("%3d:%02d", s/60, s%60)
}
