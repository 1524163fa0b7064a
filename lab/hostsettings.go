package lab

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// hostState is what the lab changed on the host outside its own folder, kept in
// a file so that `lab down` puts it back, whoever brought the lab up.
type hostState struct {
	Settings map[string]string `json:"settings"` // file below /proc/sys -> value before
	Folders  []string          `json:"folders"`  // made for nodes to cover
}

// The kubelet sets these for the whole machine; we remember what they were.
var kubeletSettings = []string{"vm/overcommit_memory", "vm/panic_on_oom", "kernel/panic", "kernel/panic_on_oops", "kernel/keys/root_maxkeys", "kernel/keys/root_maxbytes"}

// Settings that must be at least this high for four nodes on one machine.
var minimumSettings = map[string]int{"fs/inotify/max_user_instances": 1024, "fs/inotify/max_user_watches": 524288}

func hostStateFile() string { return filepath.Join(Dir(), "host-state.json") }

func readHostState() (hostState, error) {
	s := hostState{Settings: map[string]string{}}
	data, err := os.ReadFile(hostStateFile())
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err != nil {
		return s, err
	}
	if err := json.Unmarshal(data, &s); err != nil {
		return s, fmt.Errorf("read %s: %w; remove it and repeat", hostStateFile(), err)
	}
	return s, nil
}

// prepareHost makes the settings and folders of the host that nodes need, after
// it has noted how they were.
func prepareHost() error {
	s, err := readHostState()
	if err != nil {
		return err
	}
	for _, name := range kubeletSettings {
		s.remember(name)
	}
	for name := range minimumSettings {
		s.remember(name)
	}
	for _, dir := range []string{kubeletDir, cniStateDir} {
		if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) && !slices.Contains(s.Folders, dir) {
			s.Folders = append(s.Folders, dir)
		}
	}
	data, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	if err := writeFileAtomic(hostStateFile(), append(data, '\n'), 0o644); err != nil {
		return err
	}
	for _, dir := range s.Folders {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	for name, least := range minimumSettings {
		if now, err := strconv.Atoi(readSetting(name)); err == nil && now < least {
			if err := os.WriteFile("/proc/sys/"+name, []byte(strconv.Itoa(least)), 0o644); err != nil {
				return fmt.Errorf("raise %s: %w", name, err)
			}
		}
	}
	return nil
}

func (s *hostState) remember(name string) {
	if _, known := s.Settings[name]; known {
		return
	}
	if v := readSetting(name); v != "" {
		s.Settings[name] = v
	}
}

func readSetting(name string) string {
	data, err := os.ReadFile("/proc/sys/" + name)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(data))
}

// restoreHost puts back what prepareHost and the kubelets changed.
func restoreHost() error {
	s, err := readHostState()
	if err != nil {
		return err
	}
	for name, value := range s.Settings {
		if readSetting(name) == value {
			continue
		}
		if err := os.WriteFile("/proc/sys/"+name, []byte(value), 0o644); err != nil {
			return fmt.Errorf("put back %s: %w", name, err)
		}
	}
	for _, dir := range s.Folders {
		_ = os.Remove(dir) // somebody else may have put something there since
	}
	err = os.Remove(hostStateFile())
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
