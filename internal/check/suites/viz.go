package suites

import (
	"bytes"
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"gauntlet/internal/browser"
	"gauntlet/internal/check"
	"gauntlet/internal/kernel"
	"gauntlet/internal/kube"
	"gauntlet/internal/picture"
)

// vizForm says what the suite does; it changes when that changes.
const vizForm = "viz v1: drawn in JupyterLab in a browser, no exception, no failed or undeclared request, not blank, as accepted; slider, completer, speed, imports"

// vizCode is what a user draws, one cell a library.
//
//go:embed viz/*.py
var vizCode embed.FS

// A plot is one cell and what proves that it is drawn.
type plot struct {
	name   string // of the library, its module and its file in viz/
	shows  string // CSS selector of what is in the output once it is drawn
	slider string // of what the keyboard moves, so that the picture follows; "" for none
	// Addresses of other places, by how they begin, that the library loads what it is made
	// of from: what it needs, and what the picture is whole without.
	needs, may []string
}

// plots are drawn one after another, in one notebook.
var plots = []plot{
	{name: "matplotlib", shows: `img[src^="data:image/png"]`},
	{name: "geopandas", shows: `img[src^="data:image/png"]`},
	{name: "datashader", shows: "img"},
	// HoloViews before Bokeh: on a page where Bokeh was loaded by itself it shows nothing.
	{name: "holoviews", shows: "canvas", may: []string{"https://cdn.holoviz.org/panel/"}},
	{name: "bokeh", shows: "canvas"},
	{name: "plotly", shows: ".main-svg .trace"},
	{name: "folium", shows: ".leaflet-tile-loaded",
		needs: []string{"https://cdn.jsdelivr.net/npm/", "https://code.jquery.com/"},
		// Of markers, which are not drawn here.
		may: []string{"https://cdnjs.cloudflare.com/ajax/libs/Leaflet.awesome-markers/", "https://netdna.bootstrapcdn.com/bootstrap/",
			"https://cdn.jsdelivr.net/gh/python-visualization/folium/", "https://cdn.jsdelivr.net/npm/@fortawesome/"}},
	{name: "ipyleaflet", shows: ".leaflet-tile-loaded"},
	{name: "ipywidgets", shows: `img[src^="data:image/png"]`, slider: ".noUi-handle"},
}

// notebookFile is the notebook that is opened, in the probe's home.
const notebookFile = "gauntlet-viz.ipynb"

const (
	// drawTime bounds one cell: heavy libraries compile as they are imported.
	drawTime = 2 * time.Minute
	// openTime bounds the first look at JupyterLab, which is megabytes of JavaScript.
	openTime = 2 * time.Minute
)

// Viz is the suite "viz": maps and plots are drawn in JupyterLab, in a real browser that
// goes through the hub, and pictures of them compared with those that people accepted.
func Viz(t HubTarget) check.Suite {
	v := &viz{probe: newProbe(t), have: map[string]bool{}}
	const python, opens = "a kernel starts", "JupyterLab opens in a browser"
	list := []check.Check{
		{Name: python, Timeout: 2 * time.Minute, Run: v.python},
		{Name: opens, Timeout: openTime, Needs: []string{python}, Retries: 1, Run: v.open},
	}
	for i, p := range plots {
		drawn := p.name + " is drawn"
		list = append(list,
			check.Check{Name: drawn, Timeout: drawTime, Needs: []string{opens}, Retries: 1, Run: func(ctx context.Context) (string, error) { return v.draw(ctx, i, p) }},
			check.Check{Name: p.name + " looks as accepted", Timeout: 30 * time.Second, Needs: []string{drawn}, Run: func(context.Context) (string, error) { return v.compare(p) }},
		)
		if p.slider != "" {
			list = append(list, check.Check{Name: p.name + ": the picture follows a slider", Timeout: time.Minute, Needs: []string{drawn}, Retries: 1,
				Run: func(ctx context.Context) (string, error) { return v.slide(ctx, i, p) }})
		}
	}
	list = append(list,
		check.Check{Name: "the tab key completes in JupyterLab", Timeout: time.Minute, Needs: []string{opens}, Retries: 1, Run: v.complete},
		check.Check{Name: "geopandas is vectorised", Timeout: 2 * time.Minute, Needs: []string{python}, Retries: 1, Run: v.speed},
		check.Check{Name: "imports take as long as before", Timeout: 5 * time.Minute, Needs: []string{python}, Retries: 1, Run: v.imports},
	)
	form := vizForm + fmt.Sprintf("\x00%v", plots)
	for _, p := range append(slices.Clone(plots), plot{name: "speed"}, plot{name: "imports"}) {
		form += "\x00" + cellOf(p.name)
	}
	suite := v.suite("viz", form, list...)
	leave := suite.Cleanup.Run
	suite.Cleanup.Run = func(ctx context.Context) (string, error) {
		err := v.close()
		said, lerr := leave(ctx)
		if err != nil {
			return "", errors.Join(err, lerr)
		}
		return said, lerr
	}
	suite.Pictures = func() []check.Picture { return v.pictures }
	suite.Measures = func() map[string]float64 { return v.measures }
	return suite
}

// cellOf is the code of a cell.
func cellOf(name string) string {
	b, err := vizCode.ReadFile("viz/" + name + ".py")
	if err != nil {
		panic(err) // it is embedded, or was forgotten
	}
	return string(b)
}

// viz is one run of the suite.
type viz struct {
	*probe
	kernel   *kernel.Kernel
	have     map[string]bool // modules of plots that the image has
	browser  *browser.Browser
	lab      *browser.Lab
	pictures []check.Picture
	measures map[string]float64
}

// python finds out what the image could draw.
func (v *viz) python(ctx context.Context) (string, error) {
	srv, err := v.dial()
	if err != nil {
		return "", err
	}
	if v.kernel, err = srv.Start(ctx, ""); err != nil {
		return "", err
	}
	var names []string
	for _, p := range plots {
		names = append(names, p.name)
	}
	asked, _ := json.Marshal(names) // of texts: never fails
	out, err := v.kernel.Run(ctx, "import importlib.util, json\nprint(json.dumps([m for m in "+string(asked)+" if importlib.util.find_spec(m)]))")
	if err != nil {
		return "", err
	}
	var found []string
	if err := json.Unmarshal([]byte(out.Stdout), &found); err != nil {
		return "", fmt.Errorf("the kernel says %q: %w", kube.OneLine(out.Stdout), err)
	}
	for _, m := range found {
		v.have[m] = true
	}
	if len(found) == 0 {
		return "", fmt.Errorf("the image has none of %s: there is nothing to draw; leave the suite viz out of the policy", strings.Join(names, ", "))
	}
	return kube.OneLine(strings.Join(found, ", ")), nil
}

// open puts the notebook into the probe's home and opens it.
func (v *viz) open(ctx context.Context) (string, error) {
	if err := v.close(); err != nil {
		return "", err
	}
	srv, err := v.dial()
	if err != nil {
		return "", err
	}
	var cells []string
	for _, p := range plots {
		cells = append(cells, strings.TrimSpace(cellOf(p.name)))
	}
	if err := srv.WriteNotebook(ctx, notebookFile, append(cells, "import os", "")); err != nil {
		return "", err
	}
	begun := time.Now()
	// The browser is there until the suite is done.
	o := browser.Options{Hub: v.t.URL, Token: v.token.Value, Served: v.t.Served, Through: slices.Clone(v.t.Through)}
	for _, p := range plots {
		o.Through, o.Missable = append(o.Through, p.needs...), append(o.Missable, p.may...)
	}
	v.browser, err = browser.Start(context.WithoutCancel(ctx), o)
	var missing *browser.MissingError
	if errors.As(err, &missing) {
		return "", check.Final(fmt.Errorf("%w where gauntlet runs, or leave the suite viz out of the policy", err))
	}
	if err != nil {
		return "", err
	}
	if v.lab, err = v.browser.Lab(ctx, v.server.URL, notebookFile); err != nil {
		return "", v.blame(err)
	}
	return "after " + took(begun), v.blame(nil)
}

// blame adds what went wrong in the browser to an error, or makes one of it.
func (v *viz) blame(err error) error {
	if v.browser == nil {
		return err
	}
	var words []string
	for _, f := range v.browser.Faults() {
		switch f.Kind {
		case browser.Exception:
			words = append(words, "JavaScript: "+f.Text)
		case browser.Undeclared:
			words = append(words, "it asks for "+f.Text+", a place that nobody declared (viz.through or viz.serve in gauntlet.yaml)")
		default:
			words = append(words, f.Text)
		}
	}
	const most = 3
	if more := len(words) - most; more > 0 {
		words = append(words[:most], fmt.Sprintf("and %d more", more))
	}
	switch said := kube.OneLine(strings.Join(words, "; ")); {
	case said == "":
		return err
	case err == nil:
		return errors.New(said)
	default:
		return fmt.Errorf("%w; %s", err, said)
	}
}

// draw runs a cell and waits until it is drawn.
func (v *viz) draw(ctx context.Context, i int, p plot) (string, error) {
	if !v.have[p.name] {
		return "the image has no " + p.name, nil
	}
	begun := time.Now()
	v.browser.Faults() // those of before are told
	png, err := v.drawn(ctx, i, p)
	if err = v.blame(err); err != nil {
		// What is there instead tells more than words.
		late, cancel := context.WithTimeout(context.WithoutCancel(ctx), stateTime)
		defer cancel()
		if seen, serr := v.lab.Page(late); serr == nil {
			v.keep(check.Picture{Name: p.name, PNG: seen, Failed: true})
		}
		return "", err
	}
	v.keep(check.Picture{Name: p.name, PNG: png, Accepted: v.t.Accepted[p.name]})
	return "after " + took(begun), nil
}

// keep keeps a picture in the place of one of the same name.
func (v *viz) keep(p check.Picture) {
	v.pictures = append(slices.DeleteFunc(v.pictures, func(o check.Picture) bool { return o.Name == p.Name }), p)
}

// drawn is the picture of a cell that was run.
func (v *viz) drawn(ctx context.Context, i int, p plot) ([]byte, error) {
	out, err := v.lab.Run(ctx, i)
	if err != nil {
		return nil, err
	}
	if out.Failed != "" {
		return nil, errors.New(out.Failed)
	}
	for _, selector := range []string{p.shows, p.slider} {
		if selector == "" {
			continue
		}
		shown, cancel := context.WithTimeoutCause(ctx, showTime, fmt.Errorf("it is not there after %s", showTime))
		err := v.lab.Shows(shown, i, selector)
		cancel()
		if err != nil {
			return nil, err
		}
	}
	png, err := v.lab.Picture(ctx, i)
	if err != nil {
		return nil, err
	}
	img, err := picture.Decode(png)
	if err == nil && picture.Blank(img) {
		err = errors.New("the output is blank")
	}
	return png, err
}

// showTime is how long what was drawn may take to be in the page after its cell has run.
const showTime = 30 * time.Second

// compare asks about a picture that has changed. It is no failure: a person sees whether
// it is better.
func (v *viz) compare(p plot) (string, error) {
	i := slices.IndexFunc(v.pictures, func(o check.Picture) bool { return o.Name == p.name && !o.Failed })
	if i < 0 {
		return "the image has no " + p.name, nil
	}
	pic := &v.pictures[i]
	if pic.Accepted == nil {
		return "", check.Warning{Message: "nobody has accepted a picture of it yet: look at it (gauntlet viz show), then gauntlet viz accept"}
	}
	before, err := picture.Decode(pic.Accepted)
	if err != nil {
		return "", err
	}
	now, err := picture.Decode(pic.PNG)
	if err != nil {
		return "", err
	}
	c := picture.Compare(before, now)
	if c.Same {
		return fmt.Sprintf("%.2f %% of it differs", 100*c.Share), nil
	}
	if pic.Difference, err = picture.Difference(before, now); err != nil {
		return "", err
	}
	said := fmt.Sprintf("it has changed, by %.1f %% of it", 100*c.Share)
	if c.Size {
		said = fmt.Sprintf("it has changed: it is %v pixels, and was %v", now.Bounds().Size(), before.Bounds().Size())
	}
	return "", check.Warning{Message: said + ": look at it (gauntlet viz show), then gauntlet viz accept"}
}

// slide moves a slider by its keyboard and waits until the picture follows.
func (v *viz) slide(ctx context.Context, i int, p plot) (string, error) {
	if !v.have[p.name] {
		return "the image has no " + p.name, nil
	}
	before, err := v.lab.Picture(ctx, i)
	if err != nil {
		return "", err
	}
	a, err := picture.Decode(before)
	if err != nil {
		return "", err
	}
	begun := time.Now()
	for range 3 {
		if err := v.lab.Press(ctx, i, p.slider, browser.Right); err != nil {
			return "", v.blame(err)
		}
	}
	for {
		now, err := v.lab.Picture(ctx, i)
		if err == nil {
			b, derr := picture.Decode(now)
			if derr != nil {
				return "", derr
			}
			if !picture.Compare(a, b).Same {
				return "after " + took(begun), v.blame(nil)
			}
		}
		if serr := kube.Sleep(ctx, 200*time.Millisecond); serr != nil {
			return "", v.blame(errors.Join(errors.New("the slider moves and the picture stays as it was"), err))
		}
	}
}

// complete presses the tab key in a cell of JupyterLab.
func (v *viz) complete(ctx context.Context) (string, error) {
	at := len(plots)
	if _, err := v.lab.Run(ctx, at); err != nil { // import os
		return "", v.blame(err)
	}
	const code, want = "os.path.exi", "exists"
	items, becomes, err := v.lab.Complete(ctx, at+1, code)
	if err != nil {
		return "", v.blame(fmt.Errorf("%q and the tab key bring nothing: %w", code, err))
	}
	ok := strings.Contains(becomes, want) || slices.ContainsFunc(items, func(i string) bool { return strings.Contains(i, want) })
	if !ok {
		return "", fmt.Errorf("%q and the tab key bring %s", code, kube.OneLine(strings.Join(items[:min(3, len(items))], ", ")))
	}
	return kube.OneLine(fmt.Sprintf("%q brings %s", code, strings.Join(append(items, becomes)[:1], ""))), nil
}

// slowest is the least that each of geopandas' operations must gain over a plain loop.
// Vectorised by shapely 2 they gain 1.6 to 12 times; a loop of Python inside gains nothing.
const slowest = 1.25

// speed compares operations of geopandas with the plain loop, in one run on one machine.
func (v *viz) speed(ctx context.Context) (string, error) {
	if !v.have["geopandas"] {
		return "the image has no geopandas", nil
	}
	gains, err := v.numbers(ctx, "speed")
	if err != nil {
		return "", err
	}
	var words, slow []string
	for _, name := range slices.Sorted(maps.Keys(gains)) {
		said := fmt.Sprintf("%s %.1f times the loop's speed", name, gains[name])
		words = append(words, said)
		if gains[name] < slowest {
			slow = append(slow, said)
		}
		v.measure("times faster: "+name, gains[name])
	}
	if len(slow) > 0 {
		return "", errors.New("geopandas is not vectorised: " + kube.OneLine(strings.Join(slow, ", ")))
	}
	return kube.OneLine(strings.Join(words, ", ")), nil
}

// imports compares how long heavy libraries take to be imported with the release before.
func (v *viz) imports(ctx context.Context) (string, error) {
	took, err := v.numbers(ctx, "imports")
	if err != nil {
		return "", err
	}
	before := v.t.Measured["viz"]
	var words, slow []string
	for _, name := range slices.Sorted(maps.Keys(took)) {
		words = append(words, fmt.Sprintf("%s %.1f s", name, took[name]))
		v.measure("import "+name, took[name])
		// A busy node explains twice the time, not three times and seconds more.
		if was, known := before["import "+name]; known && took[name] > 3*was+1 {
			slow = append(slow, fmt.Sprintf("%s %.1f s, with the release before %.1f s", name, took[name], was))
		}
	}
	if len(slow) > 0 {
		return "", check.Warning{Message: "slower to import: " + kube.OneLine(strings.Join(slow, ", "))}
	}
	return kube.OneLine(strings.Join(words, ", ")), nil
}

// numbers runs code that prints numbers by name.
func (v *viz) numbers(ctx context.Context, code string) (map[string]float64, error) {
	out, err := v.kernel.Run(ctx, cellOf(code))
	if err != nil {
		return nil, err
	}
	got := map[string]float64{}
	if err := json.NewDecoder(bytes.NewBufferString(out.Stdout)).Decode(&got); err != nil || len(got) == 0 {
		return nil, fmt.Errorf("it says %q, which is no measure (%w)", kube.OneLine(out.Stdout), err)
	}
	return got, nil
}

func (v *viz) measure(name string, value float64) {
	if v.measures == nil {
		v.measures = map[string]float64{}
	}
	v.measures[name] = value
}

// close ends the browser, if there is one.
func (v *viz) close() error {
	if v.browser == nil {
		return nil
	}
	b := v.browser
	v.browser, v.lab = nil, nil
	return b.Close()
}
