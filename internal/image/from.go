package image

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/distribution/reference"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/moby/buildkit/frontend/dockerfile/shell"
)

// standIn is what an argument without a value is set to where a FROM needs it: what it
// stands for is replaced anyway.
const standIn = "replaced-by-gauntlet"

// A based is what the last stage of a Dockerfile rests on, that BuildKit is told to
// replace.
type based struct {
	context string            // name of the build context that BuildKit looks up in its place
	args    map[string]string // build arguments that the FROM needs and nobody gave
}

// basedOn finds the image that the last stage of a Dockerfile is built on, through the
// stages in between. args are the build arguments given. Errors name the line.
func basedOn(dockerfile []byte, args map[string]string) (based, error) {
	parsed, err := parser.Parse(bytes.NewReader(dockerfile))
	if err != nil {
		return based{}, fmt.Errorf("read it: %w", err)
	}
	stages, global, err := instructions.Parse(parsed.AST, nil)
	if err != nil {
		return based{}, fmt.Errorf("read it: %w", err)
	}
	if len(stages) == 0 {
		return based{}, errors.New("it has no FROM")
	}
	lex := shell.NewLex(parsed.EscapeToken)
	env, err := arguments(lex, global, args)
	if err != nil {
		return based{}, err
	}
	b := based{args: map[string]string{}}
	at := len(stages) - 1
	for {
		s := stages[at]
		found, err := lex.ProcessWordWithMatches(s.BaseName, env)
		if err != nil {
			return based{}, fmt.Errorf("line %d: FROM %s: %w", line(s), s.BaseName, err)
		}
		if len(found.Unmatched) > 0 {
			for name := range found.Unmatched {
				b.args[name] = standIn
			}
			all := maps.Clone(args)
			if all == nil {
				all = map[string]string{}
			}
			maps.Copy(all, b.args)
			if env, err = arguments(lex, global, all); err != nil {
				return based{}, err
			}
			if found, err = lex.ProcessWordWithMatches(s.BaseName, env); err != nil {
				return based{}, fmt.Errorf("line %d: FROM %s: %w", line(s), s.BaseName, err)
			}
		}
		before := slices.IndexFunc(stages[:at], func(o instructions.Stage) bool { return strings.EqualFold(o.Name, found.Result) })
		if before >= 0 {
			at = before
			continue
		}
		if strings.EqualFold(found.Result, "scratch") {
			return based{}, fmt.Errorf("line %d: the last stage is built from scratch: there is no image to replace", line(s))
		}
		named, err := reference.ParseNormalizedNamed(found.Result)
		if err != nil {
			return based{}, fmt.Errorf("line %d: FROM %s is no image: %w", line(s), found.Result, err)
		}
		// As BuildKit's frontend looks up a named context (dockerui.Client.NamedContext).
		b.context = strings.TrimSuffix(reference.FamiliarString(named), ":latest")
		return b, nil
	}
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
