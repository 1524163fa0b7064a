package cli

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/mattn/go-runewidth"

	"gauntlet/internal/pipeline"
)

var boardStart = time.Date(2030, 5, 1, 9, 0, 0, 0, time.UTC)

func boardOf(width int) *board {
	return &board{out: &bytes.Buffer{}, start: boardStart, width: func() int { return width }, stop: func() {}}
}

// waiting are events of things that are waited for.
func waiting(b *board, at time.Duration, events ...pipeline.Event) {
	for _, e := range events {
		e.Time, e.Hub, e.State = boardStart.Add(at), "compute", pipeline.Progress
		b.take(e)
	}
}

func TestTheBoardShowsWhatIsWaitedForSinceWhenAndWhatIsNormal(t *testing.T) {
	b := boardOf(110)
	hub := pipeline.Event{Step: "deploy", Object: "Deployment/hub", Text: "0 of 1 pods ready", Since: boardStart.Add(5 * time.Second), Normal: "normally 5 to 60 s"}
	pool := pipeline.Event{Step: "prepull", Item: "users", Text: "3 of 40 nodes \x1b[2J\nall is well"}
	waiting(b, 20*time.Second, hub, pool)
	hub.Text = "1 of 1 pods ready"
	waiting(b, 21*time.Second, hub) // in its place
	for _, width := range []int{110, 60, 20} {
		golden(t, fmt.Sprintf("board-%d", width), strings.Join(b.frame(boardStart.Add(65*time.Second), width), "\n")+"\n")
	}
}

func TestNoLineOfTheBoardIsWiderThanTheTerminal(t *testing.T) {
	for width := 4; width < 130; width++ {
		b := boardOf(width)
		for i := range 30 {
			waiting(b, 0, pipeline.Event{Step: "prepull", Item: fmt.Sprintf("池%d", i), Text: strings.Repeat("画像 é ", i), Normal: "an image of some GiB normally takes 1 to 10 min"})
		}
		f := b.frame(boardStart.Add(time.Hour), width)
		if len(f) != boardAt {
			t.Errorf("%d lines", len(f))
		}
		for _, l := range f {
			if w := runewidth.StringWidth(l); w >= width {
				t.Errorf("%d cells wide on a terminal of %d: %q", w, width, l)
			}
		}
	}
}

func TestWhatIsDoneLeavesTheBoardAndStaysAsALine(t *testing.T) {
	event := func(state, object, item string, over bool) pipeline.Event {
		return pipeline.Event{Time: boardStart, Step: "deploy", Hub: "compute", State: state, Object: object, Item: item, Over: over}
	}
	for name, tt := range map[string]struct {
		end   pipeline.Event
		left  int
		alone bool // on the board, and nowhere else
	}{
		"an object is done":       {event(pipeline.Progress, "Deployment/hub", "", true), 1, false},
		"another word of it":      {event(pipeline.Progress, "Deployment/hub", "", false), 2, true},
		"a cause is found":        {event(pipeline.Warned, "Deployment/hub", "", false), 2, false},
		"a line of no object":     {event(pipeline.Progress, "", "", false), 2, false},
		"the step has passed":     {event(pipeline.Passed, "", "", false), 0, false},
		"the step has failed":     {event(pipeline.Failed, "", "", false), 0, false},
		"a check of it has":       {event(pipeline.Passed, "", "hub answers", false), 2, false},
		"another hub's has ended": {pipeline.Event{Step: "deploy", Hub: "coastal", State: pipeline.Passed}, 2, false},
	} {
		t.Run(name, func(t *testing.T) {
			b := boardOf(80)
			waiting(b, 0, pipeline.Event{Step: "deploy", Object: "Deployment/hub"}, pipeline.Event{Step: "deploy", Object: "Deployment/proxy"})
			if alone := b.take(tt.end); alone != tt.alone || len(b.waits) != tt.left {
				t.Errorf("alone %t, %d waits left", alone, len(b.waits))
			}
		})
	}
}

func TestWhatAFailedStepWaitedForLeavesTheBoardWhenTheHubGoesBack(t *testing.T) {
	b := boardOf(100)
	waiting(b, 0, pipeline.Event{Step: "deploy", Object: "Deployment/hub", Text: "0 of 1 pods ready"})
	b.take(pipeline.Event{Time: boardStart, Step: "deploy", Hub: "other", State: pipeline.Progress, Object: "Deployment/hub", Text: "0 of 1 pods ready"})
	if stays := !b.take(pipeline.Event{Time: boardStart, Step: "rollback", Hub: "compute", State: pipeline.Started}); !stays {
		t.Error("that a step began is no line that stays")
	}
	if len(b.waits) != 1 || b.waits[0].hub != "other" {
		t.Errorf("on the board are %+v", b.waits)
	}
}

func TestTheTerminalHoldsTheLinesThatStayAndThenTheBoard(t *testing.T) {
	var out bytes.Buffer
	b := boardOf(100)
	b.out = &out
	waiting(b, 0, pipeline.Event{Step: "deploy", Object: "Deployment/hub", Text: "waits"}, pipeline.Event{Step: "deploy", Object: "Deployment/proxy"})
	b.print("one\n")
	b.draw(boardStart.Add(time.Second), "")
	b.print("two\nthree\n")
	if got := screen(t, out.String()); len(got) != 5 || strings.Join(got[:3], " ") != "one two three" || !strings.Contains(got[3], "Deployment/hub: waits") {
		t.Errorf("%q", got)
	}
	b.clear()
	out.WriteString("result\n")
	if got := screen(t, out.String()); strings.Join(got, " ") != "one two three result" {
		t.Errorf("%q", got)
	}
}

// screen is what a terminal shows of an output: the lines down to where it ends.
func screen(t *testing.T, out string) []string {
	t.Helper()
	lines := []string{""}
	at, column := 0, 0
	for len(out) > 0 {
		switch c := out[0]; {
		case c == '\n':
			if at, column = at+1, 0; at == len(lines) {
				lines = append(lines, "")
			}
		case c == '\r':
			column = 0
		case strings.HasPrefix(out, "\x1b["):
			n := 0
			i := 2
			for ; out[i] >= '0' && out[i] <= '9'; i++ {
				n = n*10 + int(out[i]-'0')
			}
			switch out[i] {
			case 'A':
				at -= n
			case 'K':
				lines[at] = lines[at][:min(column, len(lines[at]))]
			case 'J':
				lines[at] = lines[at][:min(column, len(lines[at]))]
				lines = lines[:at+1]
			default:
				t.Fatalf("unknown sequence in %q", out[:i+1])
			}
			out = out[i:]
		default:
			if column < len(lines[at]) {
				lines[at] = lines[at][:column] + string(c) + lines[at][column+1:]
			} else {
				lines[at] += string(c)
			}
			column++
		}
		out = out[1:]
	}
	if lines[len(lines)-1] == "" {
		lines = lines[:len(lines)-1]
	}
	return lines
}
