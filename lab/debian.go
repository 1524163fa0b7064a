package lab

import (
	"context"
	"debug/elf"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"
)

// needed maps what the lab calls to the Debian package that has it. A path is
// looked up as it is, a name in PATH.
var needed = []struct{ file, pkg string }{
	{"containerd", "containerd"},
	{"runc", "runc"},
	{"iptables", "iptables"},
	{"nft", "nftables"},
	{"ip", "iproute2"},
	{"conntrack", "conntrack"},
	{"ethtool", "ethtool"},
	{"socat", "socat"},
	{cniDir + "/bridge", "containernetworking-plugins"},
	{"mmdebstrap", "mmdebstrap"},
	{"skopeo", "skopeo"},
	{busybox, "busybox-static"},
}

const (
	cniDir  = "/usr/lib/cni"
	busybox = "/bin/busybox"
)

// installPackages installs the Debian packages that are missing.
func installPackages(ctx context.Context, p *progress) error {
	pkgs := missingPackages()
	if len(pkgs) == 0 {
		return nil
	}
	if _, err := exec.LookPath("apt-get"); err != nil {
		return fmt.Errorf("these programs are missing and there is no apt-get to install them with: %s", strings.Join(pkgs, " "))
	}
	p.say("installing Debian packages (about 15 s): %s", strings.Join(pkgs, " "))
	stop := p.every(20*time.Second, func(elapsed time.Duration) string {
		return fmt.Sprintf("  … %s so far", elapsed.Round(time.Second))
	})
	defer stop()
	if err := aptGet(ctx, "update", "-q"); err != nil {
		return err
	}
	args := append([]string{"install", "-q", "-y", "--no-install-recommends"}, pkgs...)
	if err := aptGet(ctx, args...); err != nil {
		return err
	}
	if left := missingPackages(); len(left) > 0 {
		return fmt.Errorf("still missing after apt-get install: %s", strings.Join(left, " "))
	}
	return nil
}

func missingPackages() []string {
	var pkgs []string
	for _, n := range needed {
		if _, err := exec.LookPath(n.file); err != nil || (n.file == busybox && !isStatic(busybox)) {
			pkgs = append(pkgs, n.pkg)
		}
	}
	return pkgs
}

// isStatic tells whether a program runs without any shared library.
func isStatic(path string) bool {
	f, err := elf.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	for _, s := range f.Progs {
		if s.Type == elf.PT_INTERP {
			return false
		}
	}
	return true
}

func aptGet(ctx context.Context, args ...string) error {
	// Somebody else's apt may hold the lock for a moment.
	cmd := exec.CommandContext(ctx, "apt-get", append([]string{"-o", "DPkg::Lock::Timeout=300"}, args...)...)
	cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
	if out, err := cmd.CombinedOutput(); err != nil {
		lines := strings.Split(strings.TrimSpace(string(out)), "\n")
		return fmt.Errorf("apt-get %s: %w\n%s", args[0], err, strings.Join(lines[max(0, len(lines)-10):], "\n"))
	}
	return nil
}
