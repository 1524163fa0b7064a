package suites

import (
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
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
	failed, err := v.lab.Run(ctx, i)
	if err != nil {
		return nil, err
	}
	if failed != "" {
		return nil, errors.New(failed)
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

// close ends the browser, if there is one.
func (v *viz) close() error {
	if v.browser == nil {
		return nil
	}
	b := v.browser
	v.browser, v.lab = nil, nil
	return b.Close()
}
