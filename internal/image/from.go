package image

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/distribution/reference"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/moby/buildkit/frontend/dockerfile/shell"
)

// buildOn is a Dockerfile whose last stage is built on another image: the FROM that it
// rests on, through the stages in between, names base in place of what it named. Nothing
// else changes. args are the build arguments given, which may say what is a stage and
// what an image; errors name the line.
//
// A named context of BuildKit would do the same to an image's name, but also to every
// stage of that name: FROM worker AS worker would lose its steps.
func buildOn(dockerfile []byte, args map[string]string, base string) ([]byte, error) {
	parsed, err := parser.Parse(bytes.NewReader(dockerfile))
	if err != nil {
		return nil, err
	}
	stages, global, err := instructions.Parse(parsed.AST, nil)
	if err != nil {
		return nil, err
	}
	if len(stages) == 0 {
		return nil, errors.New("it has no FROM")
	}
	lex := shell.NewLex(parsed.EscapeToken)
	env, err := arguments(lex, global, args)
	if err != nil {
		return nil, err
	}
	for at := len(stages) - 1; ; {
		s := stages[at]
		found, err := lex.ProcessWordWithMatches(s.BaseName, env)
		if err != nil {
			return nil, fmt.Errorf("line %d: FROM %s: %w", line(s), s.BaseName, err)
		}
		name := found.Result
		if before := slices.IndexFunc(stages[:at], func(o instructions.Stage) bool { return o.Name != "" && strings.EqualFold(o.Name, name) }); before >= 0 {
			at = before
			continue
		}
		if strings.EqualFold(name, "scratch") {
			return nil, fmt.Errorf("line %d: the last stage is built from scratch: there is no image to replace", line(s))
		}
		// What an argument without a value leaves is no name: base is what it waits for.
		if _, err := reference.ParseNormalizedNamed(name); len(found.Unmatched) == 0 && err != nil {
			return nil, fmt.Errorf("line %d: FROM %s is no image: %w", line(s), name, err)
		}
		return replaceBase(dockerfile, s, base)
	}
}

// replaceBase gives one FROM another image.
func replaceBase(dockerfile []byte, s instructions.Stage, base string) ([]byte, error) {
	lines := bytes.SplitAfter(dockerfile, []byte("\n"))
	from := lines[line(s)-1]
	at := bytes.Index(from, []byte(s.BaseName))
	if keyword := bytes.IndexByte(from, ' '); at >= 0 && at < keyword {
		if at = bytes.Index(from[keyword:], []byte(s.BaseName)); at >= 0 {
			at += keyword
		}
	}
	if at < 0 {
		return nil, fmt.Errorf("line %d: the image is on another line than its FROM: write them on one", line(s))
	}
	lines[line(s)-1] = slices.Concat(from[:at], []byte(base), from[at+len(s.BaseName):])
	return bytes.Join(lines, nil), nil
}

// arguments are the values of the ARGs before the first FROM.
func arguments(lex *shell.Lex, global []instructions.ArgCommand, given map[string]string) (shell.EnvGetter, error) {
	var env []string
	for _, c := range global {
		for _, a := range c.Args {
			value, ok := given[a.Key]
			if !ok && a.Value != nil {
				found, err := lex.ProcessWordWithMatches(*a.Value, shell.EnvsFromSlice(env))
				if err != nil {
					return nil, fmt.Errorf("line %d: ARG %s: %w", c.Location()[0].Start.Line, a.Key, err)
				}
				value, ok = found.Result, true
			}
			if ok {
				env = append(env, a.Key+"="+value)
			}
		}
	}
	return shell.EnvsFromSlice(env), nil
}

func line(s instructions.Stage) int {
	if len(s.Location) == 0 {
		return 1
	}
	return s.Location[0].Start.Line
}
