package image

import (
	"cmp"

	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/moby/buildkit/client"
	"github.com/moby/buildkit/solver/errdefs"
	"github.com/opencontainers/go-digest"

	"gauntlet/internal/kube"
)

// A BuildError is an image that could not be built or pushed.
type BuildError struct {
	Image       string
	Where       string   // "worker/Dockerfile:12", or the Dockerfile alone
	Instruction string   // what failed, when a step did
	Output      []string // the last lines it printed
	Err         error
}

// Error is a line with the cause, and the step's last lines below it.
func (e *BuildError) Error() string {
	s := fmt.Sprintf("image %s, %s", e.Image, e.Where)
	if e.Instruction != "" {
		s += ": " + instruction(e.Instruction)
	}
	s += ": " + reason(e.Err)
	if line := kube.Salient(strings.Join(e.Output, "\n")); line != "" {
		s += ": " + line
	}
	for _, l := range e.Output {
		s += "\n    " + l
	}
	return s
}

func (e *BuildError) Unwrap() error { return e.Err }

// flags are an instruction's --mount=… and its like, often longer than all else.
var flags = regexp.MustCompile(`\s--[a-z]+=\S+`)

func instruction(step string) string { return kube.OneLine(flags.ReplaceAllString(step, "")) }

var exitCode = regexp.MustCompile(`did not complete successfully: (.*)$`)

// reason is BuildKit's error without what the instruction says already.
func reason(err error) string {
	s := kube.OneLine(strings.TrimPrefix(err.Error(), "failed to solve: "))
	if m := exitCode.FindStringSubmatch(s); m != nil {
		return m[1]
	}
	if refused.MatchString(s) {
		s += ": the registry took the connection and not the image; its own log says why, most often a full disk"
	}
	return s
}

// refused is a push that a registry failed without a code of its own (distribution
// specification, error codes): what goes wrong behind it, on its disk, comes as
// "unknown", as a 5xx, or as a range that does not fit what it has stored.
var refused = regexp.MustCompile(`failed to push .*(unknown: |: 5\d\d |invalid content range|no space left)`)

// outputLines is how much of a failed step's output is shown.
const outputLines = 20

// progress follows one build.
type progress struct {
	image string
	tell  func(image, text string)
	start time.Time
	steps map[digest.Digest]*step
	order int
}

type step struct {
	name           string
	order          int
	started, ended bool
	failed         string
	output         []string
	partial        string // the last line, not ended yet
}

func newProgress(image string, tell func(image, text string)) *progress {
	return &progress{image: image, tell: tell, start: time.Now(), steps: map[digest.Digest]*step{}}
}

func (p *progress) step(d digest.Digest) *step {
	s := p.steps[d]
	if s == nil {
		s = &step{order: p.order}
		p.order++
		p.steps[d] = s
	}
	return s
}

func (p *progress) update(st *client.SolveStatus) {
	for _, v := range st.Vertexes {
		s := p.step(v.Digest)
		s.name = v.Name
		quiet := strings.HasPrefix(v.Name, "[internal]") || strings.HasPrefix(v.Name, "[auth]")
		text := instruction(v.Name)
		switch {
		case s.ended || v.Started == nil && v.Completed == nil:
			continue
		case v.Completed == nil:
			if s.started {
				continue
			}
			s.started = true
		case v.Error != "":
			s.ended, s.failed = true, v.Error
			text += ": failed"
		case v.Cached:
			s.ended = true
			text += ": cached"
		default:
			s.ended = true
			text += ": done"
			if v.Started != nil {
				text += " in " + v.Completed.Sub(*v.Started).Round(100*time.Millisecond).String()
			}
		}
		if !quiet {
			p.tell(p.image, text)
		}
	}
	for _, l := range st.Logs {
		p.step(l.Vertex).write(string(l.Data))
	}
}

func (s *step) write(data string) {
	lines := strings.Split(s.partial+data, "\n")
	s.partial = lines[len(lines)-1]
	for _, l := range lines[:len(lines)-1] {
		// A progress bar rewrites its line: the last state is the one that counts.
		if i := strings.LastIndexByte(strings.TrimRight(l, "\r"), '\r'); i >= 0 {
			l = l[i+1:]
		}
		if l = kube.OneLine(l); l != "" {
			s.output = append(s.output, l)
		}
	}
	if n := len(s.output); n > outputLines {
		s.output = slices.Clone(s.output[n-outputLines:])
	}
}

// failure is the build's error with the step that failed and what it said.
func (p *progress) failure(dockerfile string, err error) error {
	e := &BuildError{Image: p.image, Where: dockerfile, Err: err}
	for _, src := range errdefs.Sources(err) {
		if len(src.Ranges) > 0 && src.Ranges[0].GetStart().GetLine() > 0 {
			e.Where = fmt.Sprintf("%s:%d", dockerfile, src.Ranges[0].GetStart().GetLine())
		}
	}
	var failed []*step
	for _, s := range p.steps {
		// A step that another's failure stopped has "context canceled" for its error.
		if s.failed != "" && !strings.Contains(s.failed, "context canceled") {
			failed = append(failed, s)
		}
	}
	if len(failed) > 0 {
		s := slices.MinFunc(failed, func(a, b *step) int { return cmp.Compare(a.order, b.order) })
		s.write("\n")
		e.Instruction, e.Output = s.name, s.output
	}
	return e
}
