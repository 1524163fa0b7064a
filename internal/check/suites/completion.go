package suites

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"gauntlet/internal/check"
	"gauntlet/internal/kernel"
	"gauntlet/internal/kube"
)

// completionForm says what the suite does; it changes when that changes.
const completionForm = "completion v1"

// completionCode makes what is completed to.
//
//go:embed completion.py
var completionCode string

// completionTime is how long the tab key may take once the kernel is warm. It takes
// milliseconds; a busy node explains some seconds.
const completionTime = 10 * time.Second

// warmUp is how long the first completions may take: jedi reads what it knows of Python.
const warmUp = 20 * time.Second

// mostMatches bounds what one press of the tab key may bring: a list of more helps
// nobody, and is a dump of all there is.
const mostMatches = 3000

// A tab is one press of the tab key in a cell: what is there, and what must and must not
// come. Lines are compared as they would be with the match in its place.
type tab struct {
	name   string
	code   string
	needs  string // module without which it is not tried, "" for none
	want   string // a line that must be offered
	prefix string // what every line begins with
}

// tabs are tried after the code of completion.py has run, the first before.
var tabs = []tab{
	{name: "a module that was not run yet", code: "import os; os.pa", want: "import os; os.path", prefix: "import os; os.pa"},
	{name: "an attribute of a module", code: "os.path.ex", want: "os.path.exists", prefix: "os.path.ex"},
	{name: "a variable of the user's", code: "zz_pro", want: "zz_probe_sentinel", prefix: "zz_pro"},
	{name: "a large module", code: "np.arra", needs: "numpy", want: "np.array", prefix: "np.arra"},
	{name: "a key of a dictionary", code: "zz_dictionary['", want: "zz_dictionary['zz_key", prefix: "zz_dictionary["},
	{name: "a file", code: "open('zz_dir/", want: "open('zz_dir/zz_seeded_file", prefix: "open('zz_dir/"},
	{name: "an attribute of what an expression gives", code: "[1, 2][0].bit_l", want: "[1, 2][0].bit_length", prefix: "[1, 2][0].bit_l"},
}

// sentinels are names that no completion of something else may bring: a completer that
// offers them dumps all it knows.
var sentinels = []string{"zz_probe_sentinel", "%%time", "print"}

// Completion is the suite "completion": in a server of its own, the tab key completes in
// a cell and in a terminal what people complete, and nothing else.
func Completion(t HubTarget) check.Suite {
	c := &completion{probe: newProbe(t)}
	const opens, terminal = "a kernel starts", "a terminal opens a shell without complaints"
	inside := []check.Check{{Name: opens, Timeout: 2 * time.Minute, Run: c.open}}
	for i, t := range tabs {
		retries := 1
		if i == 0 { // it is tried until jedi is warm
			retries = 0
		}
		inside = append(inside, check.Check{
			Name: "a cell completes " + t.name, Timeout: time.Minute, Needs: []string{opens}, Retries: retries,
			Run: func(ctx context.Context) (string, error) { return c.tab(ctx, t, i == 0) },
		})
	}
	inside = append(inside,
		check.Check{Name: terminal, Timeout: time.Minute, Run: c.terminal},
		check.Check{Name: "a terminal completes a file", Timeout: 30 * time.Second, Needs: []string{terminal}, Retries: 1, Run: c.file},
		check.Check{Name: "a terminal completes a command", Timeout: 30 * time.Second, Needs: []string{terminal}, Retries: 1, Run: c.command},
		check.Check{Name: "a terminal completes what follows a command", Timeout: 30 * time.Second, Needs: []string{terminal}, Retries: 1, Run: c.programmable},
	)
	form := fmt.Sprintf("%s\x00%s\x00%v\x00%v", completionForm, completionCode, tabs, sentinels)
	return c.suite("completion", form, inside...)
}

// completion is one run of the suite.
type completion struct {
	*probe
	kernel  *kernel.Kernel
	about   string // versions of what completes
	modules map[string]bool
	term    *kernel.Terminal
}

// open starts a kernel. What it holds goes with the user's server.
func (c *completion) open(ctx context.Context) (string, error) {
	srv, err := c.dial()
	if err != nil {
		return "", err
	}
	if c.kernel, err = srv.Start(ctx, ""); err != nil {
		return "", err
	}
	out, err := c.kernel.Run(ctx, "import importlib.metadata, importlib.util\n"+
		"if importlib.util.find_spec('jedi'): importlib.import_module('jedi')\n"+ // seconds on a busy node, which no press of a key may take
		"print(' '.join(p + ' ' + importlib.metadata.version(p) for p in ('ipython', 'jedi', 'ipykernel') if importlib.util.find_spec({'ipython': 'IPython'}.get(p, p))))\n"+
		"print(' '.join(m for m in ('numpy',) if importlib.util.find_spec(m)))")
	if err != nil {
		return "", err
	}
	about, modules, _ := strings.Cut(out.Stdout, "\n")
	c.about, c.modules = kube.OneLine(about), map[string]bool{}
	for m := range strings.FieldsSeq(modules) {
		c.modules[m] = true
	}
	return c.about, nil
}

func (c *completion) tab(ctx context.Context, t tab, first bool) (string, error) {
	if t.needs != "" && !c.modules[t.needs] {
		return "the image has no " + t.needs, nil
	}
	said, err := c.press(ctx, t, first)
	if err != nil {
		// Who is to blame: without jedi IPython completes by itself.
		err = fmt.Errorf("%w; %s (%s)", err, c.blame(ctx, t), c.about)
	}
	if first {
		if _, e := c.kernel.Run(ctx, completionCode); e != nil && err == nil {
			err = fmt.Errorf("make what is completed to: %w", e)
		}
	}
	return said, err
}

// press presses the tab key. The first time, jedi may take long, and IPython goes
// without its answer: then it is pressed again.
func (c *completion) press(ctx context.Context, t tab, first bool) (string, error) {
	limit := completionTime
	if first {
		limit = warmUp
	}
	begun := time.Now()
	for {
		got, err := c.ask(ctx, t.code, limit)
		if err == nil {
			var said string
			if said, err = judge(t, got); err == nil {
				return said, nil
			}
		}
		if !first || time.Since(begun) > limit || len(got.Matches) > 0 || kube.Sleep(ctx, 200*time.Millisecond) != nil {
			return "", err
		}
	}
}

func (c *completion) ask(ctx context.Context, code string, limit time.Duration) (kernel.Completion, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("no answer in %s", limit))
	defer cancel()
	return c.kernel.Complete(ctx, code)
}

// judge says what is wrong with a completion.
func judge(t tab, got kernel.Completion) (string, error) {
	lines := got.Lines(t.code)
	switch {
	case len(got.Matches) == 0:
		return "", fmt.Errorf("%q completes to nothing", t.code)
	case lines == nil || got.End != len([]rune(t.code)):
		return "", fmt.Errorf("%q is completed in the wrong place: from %d to %d", t.code, got.Start, got.End)
	case len(got.Matches) > mostMatches:
		return "", fmt.Errorf("%q completes to %d names: to all there are", t.code, len(got.Matches))
	}
	var stray []string
	for i, line := range lines {
		name := got.Matches[i]
		if !strings.HasPrefix(line, t.prefix) || slices.Contains(sentinels, name) && !strings.HasPrefix(name, t.code) {
			stray = append(stray, name)
		}
	}
	if len(stray) > 0 {
		return "", fmt.Errorf("%q completes to names that have nothing to do with it (%d of %d: %s): the completer offers all it knows",
			t.code, len(stray), len(lines), kube.OneLine(strings.Join(stray[:min(3, len(stray))], ", ")))
	}
	if !slices.ContainsFunc(lines, func(l string) bool { return strings.HasPrefix(l, t.want) }) {
		return "", fmt.Errorf("%q completes to %s, not to %s", t.code, kube.OneLine(strings.Join(lines[:min(3, len(lines))], ", ")), t.want)
	}
	return fmt.Sprintf("%d after %d ms", len(lines), got.Took.Milliseconds()), nil
}

// blame says whether the same works without jedi, which alone knows a module that was
// not run.
func (c *completion) blame(ctx context.Context, t tab) string {
	const unknown = "whether jedi is to blame could not be tried"
	if _, err := c.kernel.Run(ctx, "import os\nget_ipython().Completer.use_jedi = False"); err != nil {
		return unknown
	}
	got, err := c.ask(ctx, t.code, completionTime)
	if err == nil {
		_, err = judge(t, got)
	}
	if _, e := c.kernel.Run(ctx, "get_ipython().Completer.use_jedi = True"); e != nil {
		return unknown
	}
	if err == nil {
		return "without jedi it works: jedi and IPython do not work together"
	}
	return "without jedi it is no better: a configuration of IPython or an extension is to blame"
}

// complaints are what shells say on standard error when one of their files is broken.
var complaints = []string{"command not found", "No such file or directory", "syntax error", "Permission denied", "cannot set terminal process group"}

func (c *completion) terminal(ctx context.Context) (string, error) {
	srv, err := c.dial()
	if err != nil {
		return "", err
	}
	if c.term, err = srv.Terminal(ctx); err != nil {
		return "", err
	}
	greeting, err := c.term.Line(ctx, "")
	if err != nil {
		return "", err
	}
	for _, bad := range complaints {
		if i := strings.Index(greeting, bad); i >= 0 {
			return "", fmt.Errorf("the shell complains as it starts: %s", kube.OneLine(greeting[strings.LastIndexByte(greeting[:i], '\n')+1:]))
		}
	}
	said, err := c.term.Line(ctx, "echo shell=$SHELL=\r")
	if err != nil {
		return "", err
	}
	i := strings.LastIndex(said, "shell=/")
	if i < 0 {
		return "", errors.New("$SHELL is not set: terminals are a plain sh, in which the tab key completes nothing; write ENV SHELL=/bin/bash into the Dockerfile")
	}
	shell, _, _ := strings.Cut(said[i+len("shell="):], "=")
	return kube.OneLine(shell), nil
}

// typed is what the terminal shows after the tab key was pressed.
func (c *completion) typed(ctx context.Context, line, want string) (string, error) {
	if _, err := c.term.Line(ctx, "cd \"$(mktemp -d)\" && touch zzprobe_seeded_file\r"); err != nil {
		return "", err
	}
	said, err := c.term.Line(ctx, line+"\t")
	if err != nil {
		return "", err
	}
	if strings.Contains(said, want) {
		return fmt.Sprintf("%q becomes %q", line, want), nil
	}
	if strings.Contains(said, line+"\t") || strings.Contains(said, line+"       ") {
		return "", fmt.Errorf("the tab key inserts a tab: the shell completes nothing; set SHELL=/bin/bash in the Dockerfile")
	}
	return "", fmt.Errorf("%q and the tab key show %q and not %q", line, kube.OneLine(strings.ReplaceAll(said, "\a", "<bell>")), want)
}

func (c *completion) file(ctx context.Context) (string, error) {
	return c.typed(ctx, "cat zzprobe_s", "cat zzprobe_seeded_file")
}

func (c *completion) command(ctx context.Context) (string, error) {
	return c.typed(ctx, "mktem", "mktemp")
}

// programmable completes by bash-completion, where the image has it.
func (c *completion) programmable(ctx context.Context) (string, error) {
	said, err := c.term.Line(ctx, "type _init_completion _comp_initialize 2>/dev/null | grep -c 'is a function'\r")
	if err != nil {
		return "", err
	}
	if !slices.ContainsFunc(strings.Split(said, "\n"), func(l string) bool { return strings.TrimSpace(l) == "1" || strings.TrimSpace(l) == "2" }) {
		return "the image has no bash-completion", nil
	}
	return c.typed(ctx, "cd /usr/shar", "cd /usr/share")
}
