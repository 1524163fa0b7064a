package lab

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"

	"gauntlet/lab/internal/spec"
)

// unit is one unit to be started: its files, what it does, and how it is wired.
type unit struct {
	name    string
	network bool              // gets a network namespace of its own (and a host name)
	files   map[string]string // written before the start: path -> content
	dirs    []string          // made before the start
	spec    spec.Spec
	wire    func(pid int) error // connects the network, before the unit goes on
	env     []string
}

func (u unit) logDir() string { return filepath.Join(Dir(), "log", u.name) }

func (u unit) log(name string) string { return filepath.Join(u.logDir(), name+".log") }

// ready is the file the unit writes when all steps are done.
func (u unit) ready() string { return filepath.Join(Dir(), "run", u.name+".ready") }

func (u unit) isReady() bool {
	_, err := os.Stat(u.ready())
	return err == nil
}

func (u unit) checkReady() error {
	if !u.isReady() {
		return fmt.Errorf("%s is still starting", u.name)
	}
	return nil
}

// daemon is the step that starts a daemon, with its log in the usual place.
func (u unit) daemon(name string, args ...string) spec.Step {
	return spec.Step{Daemon: &spec.Daemon{Name: name, Args: args, Log: u.log(name)}}
}

// configHash changes with everything that decides what the unit runs: its
// files, its steps and the programs' versions.
func (u unit) configHash(programs map[string]string) string {
	text, err := json.Marshal([]any{u.files, u.spec, u.dirs, programs})
	if err != nil {
		panic(err) // strings and maps of strings
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])[:16]
}

// prepare makes the unit's folders and files.
func (u unit) prepare() error {
	if err := os.RemoveAll(u.logDir()); err != nil {
		return err
	}
	if err := os.Remove(u.ready()); err != nil && !os.IsNotExist(err) {
		return err
	}
	for _, d := range append([]string{u.logDir(), filepath.Dir(u.ready())}, u.dirs...) {
		if err := os.MkdirAll(d, 0o755); err != nil {
			return err
		}
	}
	for path, content := range u.files {
		if err := writeFileAtomic(path, []byte(content), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// environment of the unit and its daemons: nothing by accident.
func (u unit) environment(hash string) []string {
	env := []string{
		"PATH=" + BinDir() + ":" + systemPath,
		"HOME=/root",
		spec.UnitEnv + "=" + u.name + " " + hash,
		spec.MemberEnv + "=" + Dir(),
	}
	return append(env, u.env...)
}

const systemPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// logTail returns the end of the unit's own log and of the daemon's that was
// written last: what a person would look at first.
func (u unit) logTail() string {
	var b strings.Builder
	logs, _ := filepath.Glob(filepath.Join(u.logDir(), "*.log"))
	sort.Slice(logs, func(i, j int) bool { return modTime(logs[i]) > modTime(logs[j]) })
	for i, l := range logs {
		if i > 1 && l != u.log("unit") {
			continue
		}
		data, err := os.ReadFile(l)
		if err != nil || len(data) == 0 {
			continue
		}
		lines := strings.Split(strings.TrimSpace(string(data)), "\n")
		fmt.Fprintf(&b, "\n%s:\n  %s", l, strings.Join(lines[max(0, len(lines)-5):], "\n  "))
	}
	return b.String()
}

// lastRestart is what the unit's log says about the last daemon that ended.
func (u unit) lastRestart() string {
	data, err := os.ReadFile(u.log("unit"))
	if err != nil {
		return ""
	}
	last := ""
	for _, line := range strings.Split(string(data), "\n") {
		if strings.HasSuffix(line, spec.StartingAgain) {
			last = line
		}
	}
	return last
}

func modTime(path string) int64 {
	info, err := os.Stat(path)
	if err != nil {
		return 0
	}
	return info.ModTime().UnixNano()
}
