package lab

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// Build builds the programs of the lab that the cache does not hold yet, and
// links them into BinDir. It says what it does and how long that takes.
func Build(ctx context.Context, out io.Writer) error {
	if err := needLinuxRoot("lab build"); err != nil {
		return err
	}
	p := newProgress(out)
	if err := installPackages(ctx, p); err != nil {
		return err
	}
	if _, err := build(ctx, p, nil); err != nil {
		return err
	}
	p.say("all programs of the lab are built: %s", BinDir())
	return nil
}

// build is Build for the sets that want accepts, or for all when it is nil; it
// returns the folder of each set by its name.
func build(ctx context.Context, p *progress, want func(set string) bool) (map[string]string, error) {
	root, err := checkout()
	if err != nil {
		return nil, err
	}
	sets, err := programSets(root)
	if err != nil {
		return nil, err
	}
	folders := map[string]string{}
	for _, s := range sets {
		if want != nil && !want(s.name) {
			continue
		}
		folder, err := s.folder(root)
		if err != nil {
			return nil, err
		}
		if err := s.build(ctx, p, root, folder); err != nil {
			return nil, fmt.Errorf("build %s: %w", s.what, err)
		}
		if err := linkPrograms(folder, s.names()); err != nil {
			return nil, err
		}
		folders[s.name] = folder
	}
	return folders, nil
}

func (s programSet) build(ctx context.Context, p *progress, root, folder string) error {
	if len(missing(folder, s.names())) == 0 {
		return nil
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	unlock, err := lockFile(ctx, folder+".lock", func() { p.say("waiting for another build of %s", s.what) })
	if err != nil {
		return err
	}
	defer unlock()
	if len(missing(folder, s.names())) == 0 { // built while we waited
		return nil
	}
	return s.compile(ctx, p, root, folder)
}

// compile builds the programs into a temporary folder and moves them into place,
// so that what the cache holds is always whole.
func (s programSet) compile(ctx context.Context, p *progress, root, folder string) error {
	tmp, err := os.MkdirTemp(folder, ".build-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	p.say("building %s, once (%s on two cores, when nothing of it was compiled before): %s", s.what, s.howLong, strings.Join(s.names(), ", "))
	args := []string{"build", "-v", "-trimpath", "-ldflags", s.ldflags, "-o", tmp + "/"}
	for _, prog := range s.list {
		args = append(args, prog.pkg)
	}
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = filepath.Join(root, s.module)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off")
	if err := runCounting(cmd, p, s.what); err != nil {
		return err
	}
	for _, prog := range s.list {
		built := filepath.Join(tmp, goInstallName(prog.pkg))
		if err := os.Rename(built, filepath.Join(folder, prog.name)); err != nil {
			return err
		}
	}
	return nil
}

// goInstallName is the file name `go build` gives the program of a package.
func goInstallName(pkg string) string {
	parts := strings.Split(pkg, "/")
	last := parts[len(parts)-1]
	if len(parts) > 1 && len(last) > 1 && last[0] == 'v' && strings.Trim(last[1:], "0123456789") == "" {
		last = parts[len(parts)-2] // a major version is no name
	}
	return last
}

// runCounting runs `go build -v`, telling every 20 s how many packages are
// compiled; an error carries the end of the output.
func runCounting(cmd *exec.Cmd, p *progress, what string) error {
	stderr, err := cmd.StderrPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start the Go compiler: %w", err)
	}
	var mu sync.Mutex
	var count int
	var tail []string
	stop := p.every(20*time.Second, func(elapsed time.Duration) string {
		mu.Lock()
		defer mu.Unlock()
		if count == 0 {
			return fmt.Sprintf("  … %s so far, linking", elapsed.Round(time.Second))
		}
		return fmt.Sprintf("  … %s so far, %d packages compiled, at %s", elapsed.Round(time.Second), count, tail[len(tail)-1])
	})
	defer stop()
	lines := bufio.NewScanner(stderr)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		mu.Lock()
		count++
		tail = append(tail, lines.Text())
		if len(tail) > 15 {
			tail = tail[1:]
		}
		mu.Unlock()
	}
	if err := cmd.Wait(); err != nil {
		return fmt.Errorf("go build (%s): %w\n%s", what, err, strings.Join(tail, "\n"))
	}
	return nil
}

func missing(folder string, names []string) []string {
	var list []string
	for _, n := range names {
		if info, err := os.Stat(filepath.Join(folder, n)); err != nil || info.Size() == 0 {
			list = append(list, n)
		}
	}
	return list
}

// linkPrograms makes BinDir's links point into folder.
func linkPrograms(folder string, names []string) error {
	if err := os.MkdirAll(BinDir(), 0o755); err != nil {
		return err
	}
	for _, n := range names {
		target, link := filepath.Join(folder, n), program(n)
		if old, err := os.Readlink(link); err == nil && old == target {
			continue
		}
		tmp := link + ".tmp"
		_ = os.Remove(tmp) // of an earlier, interrupted run
		if err := os.Symlink(target, tmp); err != nil {
			return err
		}
		if err := os.Rename(tmp, link); err != nil {
			return err
		}
	}
	return nil
}
