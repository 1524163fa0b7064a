package cli

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/mattn/go-runewidth"

	"gauntlet/internal/pipeline"
)

// A board is the live part of a terminal: below the lines that stay, one line for each
// thing that is waited for, drawn anew in place until it is done.
type board struct {
	out   io.Writer
	style style
	start time.Time
	width func() int // of the terminal now, in cells

	mu    sync.Mutex
	waits []wait // in the order they came
	drawn int    // lines of it on the screen
	turn  int    // of the spinner
	stop  func() // ends the redrawing; nil while nothing is waited for
}

// A wait is one thing that is waited for.
type wait struct {
	step, hub, about string // what it is: step, hub, and object or item
	text             string
	since            time.Time
	normal           string // what is usual for it
}

const (
	redraw  = 200 * time.Millisecond
	boardAt = 12 // lines at most
)

var spinner = []rune("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏")

// take takes an event in and says whether it is on the board alone; otherwise a line of
// it stays, which the caller writes with print.
func (b *board) take(e pipeline.Event) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	w := wait{step: e.Step, hub: e.Hub, about: e.Object, text: e.Text, since: e.Since, normal: e.Normal}
	if w.about == "" {
		w.about = e.Item
	}
	same := func(o wait) bool { return o.step == w.step && o.hub == w.hub && (w.about == "" || o.about == w.about) }
	switch {
	case e.State == pipeline.Started:
		// A hub's steps follow each other: one that failed waits for nothing any more.
		b.waits = slices.DeleteFunc(b.waits, func(o wait) bool { return w.hub != "" && o.hub == w.hub && o.step != w.step })
		return false
	case e.State == pipeline.Progress && w.about == "" || e.State == pipeline.Warned:
		return false
	case e.State != pipeline.Progress || e.Over:
		b.waits = slices.DeleteFunc(b.waits, same)
		return false
	}
	if i := slices.IndexFunc(b.waits, same); i >= 0 {
		if w.since.IsZero() {
			w.since = b.waits[i].since
		}
		b.waits[i] = w
		return true
	}
	if w.since.IsZero() {
		w.since = e.Time
	}
	b.waits = append(b.waits, w)
	if b.stop == nil {
		b.run()
	}
	return true
}

// run redraws the board until stop. Its goroutine ends with that.
func (b *board) run() {
	halt, done := make(chan struct{}), make(chan struct{})
	b.stop = func() { close(halt); <-done }
	go func() {
		defer close(done)
		tick := time.NewTicker(redraw)
		defer tick.Stop()
		for {
			select {
			case <-halt:
				return
			case now := <-tick.C:
				b.mu.Lock()
				b.turn++
				b.draw(now, "")
				b.mu.Unlock()
			}
		}
	}()
}

// print writes lines that stay, above the board.
func (b *board) print(lines string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.draw(time.Now(), lines)
}

// clear takes the board off the screen: something else is written next.
func (b *board) clear() {
	b.mu.Lock()
	b.waits = nil
	stop := b.stop
	b.stop = nil
	b.draw(time.Now(), "")
	b.mu.Unlock()
	if stop != nil {
		stop()
	}
}

// draw writes lines that stay and the board below them, in one piece. Sequences are those
// of ECMA-48 (CUU, EL, ED).
func (b *board) draw(now time.Time, stay string) {
	frame := b.frame(now, b.width())
	if stay == "" && len(frame) == 0 && b.drawn == 0 {
		return
	}
	var out bytes.Buffer
	if b.drawn > 0 {
		fmt.Fprintf(&out, "\r\x1b[%dA", b.drawn)
	}
	for line := range strings.Lines(stay) {
		out.WriteString(strings.TrimSuffix(line, "\n") + "\x1b[K\n")
	}
	for _, line := range frame {
		out.WriteString(line + "\x1b[K\n")
	}
	out.WriteString("\x1b[J")
	b.drawn = len(frame)
	_, _ = b.out.Write(out.Bytes())
}

// frame is the board at a time, no line wider than the terminal.
func (b *board) frame(now time.Time, width int) []string {
	var out []string
	for i, w := range b.waits {
		if i == boardAt-1 && len(b.waits) > boardAt {
			out = append(out, b.style.dim(runewidth.Truncate(fmt.Sprintf("         and %d more", len(b.waits)-i), width-1, "…")))
			break
		}
		out = append(out, b.line(w, now, width-1))
	}
	return out
}

// line is one wait: what is waited for, since when, and what is normal for it.
func (b *board) line(w wait, now time.Time, width int) string {
	where := w.step
	if w.hub != "" {
		where += " " + w.hub
	}
	text := plain(w.about)
	if w.text != "" {
		text += ": " + plain(w.text)
	}
	since := "  " + max(now.Sub(w.since), 0).Round(time.Second).String()
	if w.normal != "" {
		if full := since + ", " + plain(w.normal); runewidth.StringWidth(full)+len("  0:00 · ")+20+runewidth.StringWidth(text) < width {
			since = full
		}
	}
	at := clock(now.Sub(b.start))
	head := fmt.Sprintf("%-20s", plain(where))
	room := width - runewidth.StringWidth(at) - runewidth.StringWidth(head) - runewidth.StringWidth(since) - 4
	if room < 8 { // too narrow for all: what is waited for counts most
		return runewidth.Truncate(fmt.Sprintf("%s %s%s", plain(where), text, since), max(width, 0), "…")
	}
	text = runewidth.Truncate(text, room, "…")
	return b.style.dim(at) + " " + b.style.cyan(string(spinner[b.turn%len(spinner)])) + " " + b.style.bold(head) + " " + text + b.style.dim(since)
}
