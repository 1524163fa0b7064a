package pipeline

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"gauntlet/internal/chart"
	"gauntlet/internal/config"
	"gauntlet/internal/git"
	"gauntlet/internal/release"
)

// A checkout is what the working tree at a commit asks for: chart, values and the
// images its hubs want.
type checkout struct {
	repo    *git.Repo // that holds gauntlet.yaml
	commit  git.Commit
	dirty   bool // the working tree has changes that no commit holds
	images  source
	chart   []byte // packaged
	values  map[string]release.Values
	secrets map[string][]release.File
	request map[string]string // image to requested tag; "" asks for the images of this commit
}

// checkout reads the working tree. It reports every mistake it finds in the files
// at once, and refuses a tree with changes that no commit holds unless dirty: a release
// must be one that somebody else can make again.
func (w *Workspace) checkout(ctx context.Context, dirty bool) (*checkout, error) {
	c := &checkout{values: map[string]release.Values{}, secrets: map[string][]release.File{}}
	err := w.readFiles(ctx, c)
	if err != nil {
		return nil, err
	}
	if c.repo, err = git.Open(ctx, w.Dir); err != nil {
		return nil, &InputError{err}
	}
	for _, path := range w.sources() {
		changed, err := isDirty(ctx, path, dirty)
		if err != nil {
			return nil, err
		}
		c.dirty = c.dirty || changed
	}
	if c.images, err = w.imageSource(ctx, dirty); err != nil {
		return nil, err
	}
	if c.commit, err = c.repo.Head(ctx); err != nil {
		return nil, &InputError{err}
	}
	return c, nil
}

// sources are the folders that a release is made from beside its images, and the files
// that lie outside of the configuration's.
func (w *Workspace) sources() []string {
	paths := []string{w.Dir}
	if w.Platform.Chart.Path != "" {
		paths = append(paths, w.path(w.Platform.Chart.Path))
	}
	for _, name := range w.hubNames("") {
		h := w.Platform.Hubs[name]
		for _, file := range slices.Concat(h.Values, h.Secrets) {
			path := w.path(file)
			if rel, err := filepath.Rel(w.Dir, path); err != nil || !filepath.IsLocal(rel) {
				paths = append(paths, path)
			}
		}
	}
	slices.Sort(paths)
	return slices.Compact(paths)
}

// uncommitted names the changes of a folder or file that no commit holds, "" for none.
func uncommitted(ctx context.Context, path string) (string, error) {
	dir := path
	if st, err := os.Stat(path); err == nil && !st.IsDir() {
		dir = filepath.Dir(path)
	}
	repo, err := git.Open(ctx, dir)
	if err != nil {
		return "", &InputError{err}
	}
	changed, err := repo.Dirty(ctx, path)
	if err != nil {
		return "", err
	}
	const most = 10
	var few []string
	for _, name := range changed[:min(most, len(changed))] {
		few = append(few, shown(name))
	}
	names := strings.Join(few, ", ")
	if more := len(changed) - most; more > 0 {
		names += fmt.Sprintf(" and %d more", more)
	}
	return names, nil
}

// committed refuses a folder or file with changes that no commit holds.
func committed(ctx context.Context, path string) error {
	names, err := uncommitted(ctx, path)
	if err == nil && names != "" {
		err = inputf("%s has changes that no commit holds (%s): commit them, so that the release can be made again from its commit", path, names)
	}
	return err
}

// isDirty says whether a folder or file has changes that no commit holds, which is an
// error unless they are allowed.
func isDirty(ctx context.Context, path string, allowed bool) (bool, error) {
	if allowed {
		names, err := uncommitted(ctx, path)
		return names != "", err
	}
	if err := committed(ctx, path); err != nil {
		return false, fmt.Errorf("%w; or try them on the first tier with --dirty", err)
	}
	return false, nil
}

// readFiles reads chart and values, and reports all that is wrong with them.
func (w *Workspace) readFiles(ctx context.Context, c *checkout) error {
	if err := errors.Join(w.readValues(c), w.checkSync(), w.packChart(ctx, c), w.lintFiles(c)); err != nil {
		return &InputError{err}
	}
	var err error
	c.request, err = w.requests(c.values)
	return err
}

// readValues reads and merges every hub's values, as Helm would.
func (w *Workspace) readValues(c *checkout) error {
	var errs []error
	seen := map[string]release.Values{}
	for _, name := range w.hubNames("") {
		hub := w.Platform.Hubs[name]
		v, set, err := w.hubFiles(name, seen)
		if err != nil {
			errs = append(errs, err)
		}
		c.values[name] = release.Merge(v, set)
		for _, file := range hub.Secrets {
			data, err := w.read(file, "secrets of hub "+name)
			if err != nil {
				errs = append(errs, err)
				continue
			}
			c.secrets[name] = append(c.secrets[name], release.File{Name: file, Data: data})
		}
	}
	return errors.Join(errs...)
}

// hubFiles are what a hub's values files hold, merged, and what is set over them. seen
// keeps files that were read.
func (w *Workspace) hubFiles(name string, seen map[string]release.Values) (files, set release.Values, err error) {
	var errs []error
	hub := w.Platform.Hubs[name]
	files = release.Values{}
	for _, file := range hub.Values {
		if _, ok := seen[file]; !ok {
			vals, err := w.readValuesFile(file, name)
			if err != nil {
				errs = append(errs, err)
			}
			seen[file] = vals
		}
		files = release.Merge(files, seen[file])
	}
	if set, err = release.FromSet(hub.Set); err != nil {
		errs = append(errs, fmt.Errorf("%s: hubs.%s.set: %w", w.opts.File, name, err))
	}
	return files, set, errors.Join(errs...)
}

func (w *Workspace) readValuesFile(file, hub string) (release.Values, error) {
	data, err := w.read(file, "values of hub "+hub)
	if err != nil {
		return nil, err
	}
	problems := config.CheckValues(file, data, w.Platform.Chart.Images).Weigh(w.Platform.Preflight.Severities())
	w.warn(problems)
	if err := problems.Err(); err != nil {
		return nil, err
	}
	return release.ParseValues(file, data)
}

// checkSync compares the paths that must be equal in several values files.
func (w *Workspace) checkSync() error {
	var errs []error
	for _, s := range w.Platform.InSync {
		files := map[string][]byte{}
		for _, f := range s.Files {
			data, err := w.read(f, "which inSync compares")
			if err != nil {
				return err
			}
			files[f] = data
		}
		problems, err := config.OutOfSync(s, files)
		if err != nil {
			return err
		}
		if len(problems) > 0 {
			errs = append(errs, config.Problems(problems))
		}
	}
	return errors.Join(errs...)
}

// requests are the tags that the values ask for, per image of the chart. All hubs
// must ask for the same: a release has one image set.
func (w *Workspace) requests(values map[string]release.Values) (map[string]string, error) {
	want := map[string]string{}
	from := map[string]string{}
	for _, hub := range w.hubNames("") {
		for _, image := range slices.Sorted(maps.Keys(w.Platform.Chart.Images)) {
			slot := w.Platform.Chart.Images[image]
			tag, err := release.Slot(slot).Request(values[hub])
			if err != nil {
				return nil, inputf("values of hub %s: %w", hub, err)
			}
			if other, ok := want[image]; ok && other != tag {
				return nil, inputf("hubs %s and %s ask for different %s images (%s: %q and %q): a release holds one image set; make the values files agree",
					from[image], hub, image, cmp.Or(slot.Tag, slot.Name), other, tag)
			}
			want[image], from[image] = tag, hub
		}
	}
	return want, nil
}

// packChart packs the chart's folder or fetches it, with the charts it depends on.
func (w *Workspace) packChart(ctx context.Context, c *checkout) error {
	of, get := w.Platform.Chart, chart.New()
	var err error
	if of.Path != "" {
		c.chart, err = get.Pack(ctx, w.path(of.Path))
		return err
	}
	defer w.waiting("config", "", fmt.Sprintf("fetching chart %s %s", of.Name, of.Version))()
	c.chart, err = get.Fetch(ctx, chart.Chart{Repo: of.Repo, Name: of.Name, Version: of.Version, Digest: release.Digest(of.Digest)})
	return err
}
