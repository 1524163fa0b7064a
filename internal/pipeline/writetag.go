package pipeline

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"gauntlet/internal/config"
	"gauntlet/internal/release"
)

// WriteTag makes every values file that asks for an image by tag ask for this one.
// Files that leave the tag to others stay as they are; in the ones changed, all but
// the tags stays byte for byte. It returns the files it changed.
func (w *Workspace) WriteTag(tag string) ([]string, error) {
	files := map[string]bool{}
	for _, h := range w.Platform.Hubs {
		for _, f := range h.Values {
			files[f] = true
		}
	}
	var changed []string
	for _, file := range slices.Sorted(maps.Keys(files)) {
		did, err := w.writeTag(file, tag)
		if err != nil {
			return changed, err
		}
		if did {
			changed = append(changed, file)
		}
	}
	return changed, nil
}

func (w *Workspace) writeTag(file, tag string) (bool, error) {
	data, err := w.read(file, "to write the tag into it")
	if err != nil {
		return false, err
	}
	v, err := release.ParseValues(file, data)
	if err != nil {
		return false, &InputError{err}
	}
	edits := map[string]any{}
	for _, slot := range w.Platform.Chart.Images {
		if old, ok := v.Get(slot.Tag); slot.Tag != "" && ok && old != tag {
			edits[slot.Tag] = tag
		}
	}
	if len(edits) == 0 {
		return false, nil
	}
	if data, err = config.SetPaths(data, edits); err != nil {
		return false, inputf("%s: %w", file, err)
	}
	if err := replace(w.path(file), data); err != nil {
		return false, fmt.Errorf("write %s: %w", file, err)
	}
	return true, nil
}

// replace gives a file, or the one a link leads to, new contents: beside it and then
// in its place, so that nobody sees half of it.
func replace(path string, data []byte) error {
	path, err := filepath.EvalSymlinks(path)
	if err != nil {
		return err
	}
	st, err := os.Stat(path)
	if err != nil {
		return err
	}
	tmp := path + ".gauntlet"
	if err := os.WriteFile(tmp, data, st.Mode().Perm()); err != nil {
		return err
	}
	if err := os.Rename(tmp, path); err != nil {
		_ = os.Remove(tmp)
		return err
	}
	return nil
}
