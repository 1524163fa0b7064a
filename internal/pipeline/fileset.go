package pipeline

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// A fileSet is files that are written together: whole or not at all, and in their order,
// so that what names another file comes after it.
type fileSet struct {
	dir   string // that names are relative to
	files []newFile
}

type newFile struct {
	path string
	data []byte
	mode fs.FileMode
}

// add puts a file into the set. A new one must not exist; what is not new must.
func (s *fileSet) add(name string, data []byte, isNew bool) error {
	path := filepath.Join(s.dir, filepath.FromSlash(name))
	st, err := os.Stat(path)
	switch {
	case isNew && err == nil:
		return inputf("%s exists, and this hub does not use it: it is of a command that was interrupted, or yours: move it away", shown(name))
	case isNew && errors.Is(err, fs.ErrNotExist):
		s.files = append(s.files, newFile{path, data, 0o644})
		return nil
	case err != nil:
		return fmt.Errorf("prepare to write %s: %w", shown(name), err)
	}
	s.files = append(s.files, newFile{path, data, st.Mode().Perm()})
	return nil
}

// write writes all files beside their places first and moves them there when all is
// well.
func (s *fileSet) write() (err error) {
	var temps []string
	defer func() {
		for _, t := range temps {
			_ = os.Remove(t)
		}
	}()
	for _, f := range s.files {
		if err := os.MkdirAll(filepath.Dir(f.path), 0o755); err != nil {
			return fmt.Errorf("make a folder for %s: %w", f.path, err)
		}
		t, err := os.CreateTemp(filepath.Dir(f.path), ".gauntlet-*")
		if err != nil {
			return fmt.Errorf("write %s: %w", f.path, err)
		}
		temps = append(temps, t.Name())
		_, err = t.Write(f.data)
		if err = errors.Join(err, t.Chmod(f.mode), t.Sync(), t.Close()); err != nil {
			return fmt.Errorf("write %s: %w", f.path, err)
		}
	}
	for i, f := range s.files {
		if err := os.Rename(temps[i], f.path); err != nil {
			return fmt.Errorf("write %s: %w", f.path, err)
		}
	}
	return nil
}
