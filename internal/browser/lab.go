package browser

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"gauntlet/internal/kube"
)

// A Lab is JupyterLab with one notebook open.
type Lab struct{ b *Browser }

// pollEvery is how often the page is asked for what is waited for.
const pollEvery = 150 * time.Millisecond

// Lab opens a notebook of a user's server in JupyterLab and waits until its kernel is
// idle. server is the path of the server ("/user/ada/"), file that of the notebook in it.
func (b *Browser) Lab(ctx context.Context, server, file string) (*Lab, error) {
	at := b.proxy.at.JoinPath(server, "doc", "tree", file)
	at.RawQuery = url.Values{"reset": {""}}.Encode()
	if err := b.do(ctx, chromedp.Navigate(at.String())); err != nil {
		return nil, fmt.Errorf("open JupyterLab: %w", err)
	}
	l := &Lab{b}
	// News of JupyterLab would lie over what is drawn.
	quiet := `document.head.insertAdjacentHTML("beforeend", "<style>.jp-toastContainer, .Toastify { display: none }</style>")`
	if _, err := evaluate[chromedp.Void](ctx, b, quiet); err != nil {
		return nil, fmt.Errorf("open JupyterLab: %w", err)
	}
	err := l.until(ctx, `document.querySelectorAll(".jp-Notebook .jp-Cell").length > 0`)
	if err == nil { // the state of a kernel is shown of the notebook that is in use
		err = b.do(ctx, chromedp.Click(chromedp.CSS(cell(0)+" .jp-InputPrompt"), chromedp.NodeVisible))
	}
	if err == nil {
		err = l.until(ctx, kernelIdle)
	}
	if err != nil {
		return nil, fmt.Errorf("wait for the notebook in JupyterLab: %w", errors.Join(err, l.said(ctx)))
	}
	return l, nil
}

// said is what the page shows instead, for an error.
func (l *Lab) said(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 3*time.Second)
	defer cancel()
	text, err := evaluate[string](ctx, l.b, `(document.querySelector(".jp-Dialog-content") || document.body).innerText.slice(0, 300)`)
	if err != nil {
		return nil
	}
	if text = kube.OneLine(text); text == "" {
		return errors.New("the page is empty")
	}
	return fmt.Errorf("the page shows: %s", text)
}

// until waits until a condition of the page holds, in JavaScript.
func (l *Lab) until(ctx context.Context, condition string) error {
	for {
		ok, err := evaluate[bool](ctx, l.b, "Boolean("+condition+")")
		if err != nil {
			return err
		}
		if ok {
			return nil
		}
		if err := kube.Sleep(ctx, pollEvery); err != nil {
			return err
		}
	}
}

// cell is the selector of a cell, the first is 0.
func cell(i int) string {
	return fmt.Sprintf(`.jp-Notebook .jp-Cell[data-windowed-list-index="%d"]`, i)
}

func quote(s string) string {
	b, _ := json.Marshal(s) // of a text: never fails
	return string(b)
}

// Run runs a cell as a person does, by Shift and Enter, and waits until it has run. failed
// is the last line of its traceback, "" when it raised nothing.
func (l *Lab) Run(ctx context.Context, i int) (failed string, err error) {
	at := cell(i)
	prompt := `(document.querySelector(` + quote(at+" .jp-InputPrompt") + `)?.innerText.trim() ?? "")`
	before, err := evaluate[string](ctx, l.b, prompt)
	if err != nil {
		return "", fmt.Errorf("run a cell in JupyterLab: %w", err)
	}
	for done := false; !done; {
		err := l.b.do(ctx,
			chromedp.ScrollIntoView(chromedp.CSS(at)),
			chromedp.Click(chromedp.CSS(at+" .jp-InputPrompt"), chromedp.NodeVisible),
			chromedp.KeyEvent("\r", chromedp.KeyModifiers(chromedp.ModifierShift)),
		)
		if err != nil {
			return "", fmt.Errorf("run a cell in JupyterLab: %w", err)
		}
		if done, err = l.ran(ctx, prompt, before); err != nil {
			return "", fmt.Errorf("wait for a cell in JupyterLab: %w", err)
		}
	}
	failed, err = evaluate[string](ctx, l.b, `(() => {
		const area = document.querySelector(`+quote(at)+`);
		const texts = s => [...area.querySelectorAll(s)].map(e => e.innerText).join("\n");
		const failed = texts('.jp-OutputArea-output[data-mime-type="application/vnd.jupyter.error"], .jp-OutputArea-output[data-mime-type="application/vnd.jupyter.stderr"] .ansi-red-fg').trim();
		return failed.split("\n").pop().slice(0, 300);
	})()`)
	if err != nil {
		return "", fmt.Errorf("read what a cell put out: %w", err)
	}
	return kube.OneLine(failed), nil
}

// Shows waits until something is in a cell's output, by CSS selector, also within the
// frames and shadow trees that the output consists of.
func (l *Lab) Shows(ctx context.Context, i int, selector string) error {
	in := quote(cell(i) + " .jp-OutputArea")
	err := l.until(ctx, `(() => {
		const look = root => root && (root.querySelector(`+quote(selector)+`) !== null || [...root.querySelectorAll("*")].some(e => { try { return look(e.contentDocument) || look(e.shadowRoot) } catch { return false } }));
		return look(document.querySelector(`+in+`));
	})()`)
	if err != nil {
		err = fmt.Errorf("wait for %q in the output: %w", selector, err)
		asked, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		if text := l.instead(asked, in); text != "" {
			err = fmt.Errorf("%w; the output shows: %s", err, text)
		}
		return err
	}
	return nil
}

// instead is what an output shows in words, with the errors that widgets show when they
// are clicked; "" when it cannot be read.
func (l *Lab) instead(ctx context.Context, in string) string {
	const hidden = `/^Click to show javascript error/`
	words := `document.querySelector(` + in + `).innerText.trim()`
	text, err := evaluate[string](ctx, l.b, words)
	if err != nil {
		return ""
	}
	_, err = evaluate[bool](ctx, l.b, `[...document.querySelector(`+in+`).querySelectorAll("*")].filter(e => `+hidden+`.test(e.innerText?.trim())).map(e => e.click()).length > 0`)
	if err == nil && l.until(ctx, words+` !== `+quote(text)) == nil {
		text, err = evaluate[string](ctx, l.b, words)
	}
	if err != nil {
		return ""
	}
	return kube.OneLine(strings.ToValidUTF8(text[:min(len(text), 400)], ""))
}

// heeds is how long JupyterLab may take to take notice of a key, or of a kernel's answer.
const heeds = 5 * time.Second

// ran waits until a cell has run, by its prompt, which was another before. It is false
// when nothing comes of it while the kernel is idle: JupyterLab drops keys, and what it
// sends to a kernel, while it still builds its page.
func (l *Lab) ran(ctx context.Context, prompt, before string) (bool, error) {
	idle := time.Now() // since when
	for {
		now, err := evaluate[struct {
			Prompt string
			Idle   bool
		}](ctx, l.b, `({Prompt: `+prompt+`, Idle: `+kernelIdle+`})`)
		switch {
		case err != nil:
			return false, err
		case now.Prompt != before && strings.HasPrefix(now.Prompt, "[") && !strings.ContainsAny(now.Prompt, "* "):
			return true, nil
		case !now.Idle:
			idle = time.Now()
		case time.Since(idle) > heeds:
			return false, nil
		}
		if err := kube.Sleep(ctx, pollEvery); err != nil {
			return false, err
		}
	}
}

// kernelIdle says that the kernel of the notebook is connected and has nothing to do.
const kernelIdle = `/\|\s*Idle\b/.test(document.querySelector("#jp-main-statusbar")?.innerText ?? "")`

// Page is what the whole page shows, as a PNG.
func (l *Lab) Page(ctx context.Context) ([]byte, error) {
	within, done := l.b.within(ctx)
	defer done()
	got, err := chromedp.Call(within, page.CaptureScreenshot, page.CaptureScreenshotParams{})
	return got.Data, ended(ctx, err)
}

// settled is how many pictures must be alike until the output is taken to be drawn.
const settled = 3

// Picture is the output of a cell as a PNG, once it does not change any more.
func (l *Lab) Picture(ctx context.Context, i int) ([]byte, error) {
	same := 0
	var last []byte
	for {
		now, err := l.shot(ctx, i)
		if err != nil {
			return nil, fmt.Errorf("take a picture of a cell's output: %w", err)
		}
		if string(now) == string(last) {
			same++
		} else {
			same = 0
		}
		if last = now; same >= settled-1 {
			return last, nil
		}
		if err := kube.Sleep(ctx, 2*pollEvery); err != nil {
			return nil, fmt.Errorf("wait until a cell's output stays as it is: %w", err)
		}
	}
}

// shot takes a picture of a cell's output. The pointer is elsewhere, so that nothing of it
// is in the picture.
func (l *Lab) shot(ctx context.Context, i int) ([]byte, error) {
	if err := l.b.do(ctx, chromedp.ScrollIntoView(chromedp.CSS(cell(i)+" .jp-OutputArea-output"))); err != nil {
		return nil, err
	}
	box, err := evaluate[struct{ X, Y, Width, Height float64 }](ctx, l.b, `(() => {
		const area = document.querySelector(`+quote(cell(i)+" .jp-OutputArea")+`);
		const boxes = [...area.querySelectorAll(".jp-OutputArea-output")].map(e => e.getBoundingClientRect()).filter(r => r.width * r.height > 0);
		if (!boxes.length) return {X: 0, Y: 0, Width: 0, Height: 0};
		const x = Math.min(...boxes.map(r => r.left)), y = Math.min(...boxes.map(r => r.top));
		return {X: x, Y: y, Width: Math.max(...boxes.map(r => r.right)) - x, Height: Math.max(...boxes.map(r => r.bottom)) - y};
	})()`)
	if err != nil {
		return nil, err
	}
	if box.Width < 1 || box.Height < 1 {
		return nil, errors.New("the cell shows no output")
	}
	within, done := l.b.within(ctx)
	defer done()
	if err := call(within, input.DispatchMouseEvent, input.DispatchMouseEventParams{Type: input.DispatchMouseEventTypeMouseMoved, X: 1, Y: 1}); err != nil {
		return nil, ended(ctx, err)
	}
	got, err := chromedp.Call(within, page.CaptureScreenshot, page.CaptureScreenshotParams{
		Clip: &page.Viewport{X: box.X, Y: box.Y, Width: min(box.Width, width), Height: min(box.Height, height), Scale: 1},
	})
	return got.Data, ended(ctx, err)
}

// Right is the key that moves a slider on.
const Right = kb.ArrowRight

// Press focuses an element of a cell's output and presses a key on it, as ArrowRight.
func (l *Lab) Press(ctx context.Context, i int, selector, key string) error {
	at := cell(i) + " " + selector
	if err := l.b.do(ctx, chromedp.Focus(chromedp.CSS(at)), chromedp.KeyEvent(key)); err != nil {
		return fmt.Errorf("press a key on %q: %w", selector, err)
	}
	return nil
}

// Complete types code into a cell and presses Tab: the items that JupyterLab offers, or
// what the cell then holds when it takes the only one.
func (l *Lab) Complete(ctx context.Context, i int, code string) (items []string, becomes string, err error) {
	at := cell(i)
	editor := at + " .cm-content"
	err = l.b.do(ctx,
		chromedp.ScrollIntoView(chromedp.CSS(at)),
		chromedp.Click(chromedp.CSS(editor)),
		chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
			_, err := cdp.Call(ctx, t, input.InsertText, input.InsertTextParams{Text: code})
			return err
		}),
		chromedp.KeyEvent("\t"),
	)
	if err != nil {
		return nil, "", fmt.Errorf("type into a cell: %w", err)
	}
	read := `(() => { const c = document.querySelector(` + quote(editor) + `).innerText.trimEnd();
		const seen = [...document.querySelectorAll(".jp-Completer:not(.lm-mod-hidden) .jp-Completer-item code")].map(e => e.innerText);
		return {Items: seen, Code: c}; })()`
	for {
		got, err := evaluate[struct {
			Items []string
			Code  string
		}](ctx, l.b, read)
		if err != nil {
			return nil, "", fmt.Errorf("read the completer: %w", err)
		}
		if len(got.Items) > 0 || strings.TrimRight(got.Code, "\n") != code {
			return got.Items, got.Code, nil
		}
		if err := kube.Sleep(ctx, pollEvery); err != nil {
			return nil, got.Code, fmt.Errorf("wait for the completer: %w", err)
		}
	}
}
