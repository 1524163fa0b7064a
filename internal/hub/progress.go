package hub

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"strings"

	"gauntlet/internal/kube"
)

// Progress is one message of a spawn's progress.
type Progress struct {
	Percent int    // 0 to 100
	Message string // one line
	Ready   bool
	Failed  bool
}

// maxEvent bounds one event of a stream, in bytes.
const maxEvent = 1 << 20

// readProgress reads a stream of server-sent events (WHATWG HTML, "Server-sent
// events") until it ends or yield returns false. What is no progress message
// is skipped: comments keep the connection alive, and fields may be added.
func readProgress(r io.Reader, yield func(Progress) bool) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxEvent)
	var data []string
	size := 0
	for lines.Scan() {
		line := strings.TrimSuffix(lines.Text(), "\r")
		if line == "" {
			if p, ok := parseProgress(strings.Join(data, "\n")); ok && !yield(p) {
				return nil
			}
			data, size = nil, 0
			continue
		}
		if d, ok := strings.CutPrefix(line, "data:"); ok {
			if size += len(d) + 1; size > maxEvent {
				return errors.New("an event of the hub is too long")
			}
			data = append(data, strings.TrimPrefix(d, " "))
		}
	}
	return lines.Err()
}

func parseProgress(data string) (Progress, bool) {
	var m struct {
		Progress json.Number `json:"progress"`
		Message  string      `json:"message"`
		Ready    bool        `json:"ready"`
		Failed   bool        `json:"failed"`
	}
	if data == "" || json.Unmarshal([]byte(data), &m) != nil {
		return Progress{}, false
	}
	percent := 0
	if f, err := m.Progress.Float64(); err == nil {
		percent = int(max(0, min(100, f)))
	}
	return Progress{Percent: percent, Message: kube.OneLine(m.Message), Ready: m.Ready, Failed: m.Failed}, true
}
