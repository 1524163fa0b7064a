package lab

import (
	"archive/tar"
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestLayoutSharesNothing(t *testing.T) {
	var nets []*net.IPNet
	seen := map[string]bool{}
	once := func(what, v string) {
		t.Helper()
		if seen[what+v] {
			t.Errorf("%s %s is used twice", what, v)
		}
		seen[what+v] = true
	}
	_, nodes, err := net.ParseCIDR(subnet)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range Clusters() {
		once("loopback", c.Loopback)
		once("server", c.Server())
		for _, cidr := range []string{c.PodCIDR, c.ServiceCIDR} {
			_, n, err := net.ParseCIDR(cidr)
			if err != nil {
				t.Fatal(err)
			}
			nets = append(nets, n)
		}
		if _, services, _ := net.ParseCIDR(c.ServiceCIDR); !services.Contains(net.ParseIP(c.serviceIP(10))) {
			t.Errorf("%s: %s is not in %s", c.Name, c.serviceIP(10), c.ServiceCIDR)
		}
		for _, n := range c.Nodes {
			once("unit", n.Name)
			once("ip", n.IP)
			once("link", n.link())
			once("pods", n.PodCIDR)
			if len(n.link()) > 15 {
				t.Errorf("link name %s is longer than the kernel allows", n.link())
			}
			if !nodes.Contains(net.ParseIP(n.IP)) {
				t.Errorf("%s: %s is not in %s", n.Name, n.IP, subnet)
			}
			_, all, _ := net.ParseCIDR(c.PodCIDR)
			if ip, _, err := net.ParseCIDR(n.PodCIDR); err != nil || !all.Contains(ip) {
				t.Errorf("%s: %s is not in %s", n.Name, n.PodCIDR, c.PodCIDR)
			}
		}
	}
	for _, c := range Clusters() {
		for number := firstSpare; number <= lastSpare; number++ {
			n := c.node(number, fmt.Sprintf("spare-%d", number), nil)
			once("ip", n.IP)
			once("link", n.link())
			once("pods", n.PodCIDR)
		}
		_, simulated, err := net.ParseCIDR(c.simulatedPods())
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range append(c.Nodes, c.node(lastSpare, "spare", nil)) {
			if ip, _, _ := net.ParseCIDR(n.PodCIDR); simulated.Contains(ip) {
				t.Errorf("%s: simulated pods in %s may have addresses of %s", c.Name, simulated, n.PodCIDR)
			}
		}
	}
	for i, a := range nets {
		for _, b := range nets[i+1:] {
			if a.Contains(b.IP) || b.Contains(a.IP) {
				t.Errorf("%s and %s overlap", a, b)
			}
		}
	}
}

func TestCertificatesVerify(t *testing.T) {
	t.Setenv(DirEnv, t.TempDir())
	c := Clusters()[0]
	for _, n := range c.Nodes {
		if err := os.MkdirAll(n.dir(), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.writeCredentials(); err != nil {
		t.Fatal(err)
	}
	caPEM, err := os.ReadFile(filepath.Join(c.pki(), "ca.crt"))
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(caPEM)
	for file, want := range map[string]struct {
		host, user string
		usage      x509.ExtKeyUsage
	}{
		"apiserver":       {HostIP, "kube-apiserver", x509.ExtKeyUsageServerAuth},
		"admin":           {"", "admin", x509.ExtKeyUsageClientAuth},
		"bleeding-edge-2": {"172.29.0.12", "system:node:bleeding-edge-2", x509.ExtKeyUsageServerAuth},
	} {
		pair, err := tls.LoadX509KeyPair(filepath.Join(c.pki(), file+".crt"), filepath.Join(c.pki(), file+".key"))
		if err != nil {
			t.Fatal(err)
		}
		if pair.Leaf.Subject.CommonName != want.user {
			t.Errorf("%s is for %q, want %q", file, pair.Leaf.Subject.CommonName, want.user)
		}
		if _, err := pair.Leaf.Verify(x509.VerifyOptions{Roots: pool, DNSName: want.host, KeyUsages: []x509.ExtKeyUsage{want.usage}}); err != nil {
			t.Errorf("%s: %v", file, err)
		}
	}
	if err := writeUserKubeconfig(); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(Kubeconfig())
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), "current-context: "+BleedingEdge) || strings.Contains(string(text), Canary) {
		t.Errorf("the kubeconfig must have the one cluster that has certificates:\n%s", text)
	}
	if info, err := os.Stat(Kubeconfig()); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the kubeconfig holds a key: mode %v, want 0600 (%v)", info.Mode(), err)
	}
}

func TestConfigHashChangesWithWhatDecides(t *testing.T) {
	t.Setenv(DirEnv, t.TempDir())
	base := servicesUnit()
	programs := map[string]string{"tools": "/cache/tools-1"}
	hash := base.configHash(programs)
	if again := servicesUnit(); again.configHash(programs) != hash {
		t.Error("the same unit has two hashes")
	}
	if base.configHash(map[string]string{"tools": "/cache/tools-2"}) == hash {
		t.Error("other programs, same hash")
	}
	other := servicesUnit()
	for path := range other.files {
		other.files[path] += "#"
	}
	if other.configHash(programs) == hash {
		t.Error("other files, same hash")
	}
}

func TestProgramFolderChangesWithPinsOnly(t *testing.T) {
	root := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		if err := writeFileAtomic(filepath.Join(root, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("m/go.mod", "module m\n\nrequire k8s.io/kubernetes v1.37.2\n")
	write("m/go.sum", "")
	write("m/main/main.go", "package main")
	set := programSet{name: "x", module: "m", sources: []string{"main"}, list: []goProgram{{"./main", "main"}}}
	folder := func() string {
		t.Helper()
		f, err := set.folder(root)
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	first := folder()
	write("m/main/main_test.go", "package main")
	write("m/other.go", "package other")
	if folder() != first {
		t.Error("a test or an unrelated file changed the folder: everything would be built again")
	}
	write("m/main/main.go", "package main // changed")
	second := folder()
	write("m/go.mod", "module m\n\nrequire k8s.io/kubernetes v1.37.3\n")
	if second == first || folder() == second {
		t.Error("a changed source or version must change the folder")
	}
	if v, err := requiredVersion(filepath.Join(root, "m/go.mod"), "k8s.io/kubernetes"); err != nil || v != "v1.37.3" {
		t.Errorf("requiredVersion = %q, %v", v, err)
	}
	if _, err := requiredVersion(filepath.Join(root, "m/go.mod"), "k8s.io/kube"); err == nil {
		t.Error("a module that is not required has no version")
	}
}

func TestGoInstallName(t *testing.T) {
	for pkg, want := range map[string]string{
		"go.etcd.io/etcd/server/v3":        "server",
		"k8s.io/kubernetes/cmd/kubelet":    "kubelet",
		"./coredns":                        "coredns",
		"example.org/very":                 "very",
		"github.com/rancher/some-thing/v2": "some-thing",
	} {
		if got := goInstallName(pkg); got != want {
			t.Errorf("goInstallName(%q) = %q, want %q", pkg, got, want)
		}
	}
}

func TestImageArchiveIsWhole(t *testing.T) {
	t.Setenv(DirEnv, t.TempDir())
	prog := filepath.Join(t.TempDir(), "prog")
	if err := os.WriteFile(prog, []byte("ELF"), 0o755); err != nil {
		t.Fatal(err)
	}
	img, err := makeImage("tool", prog, []string{"sh", "tool"}, []string{"/bin/tool"})
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(img.tar)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	files := map[string][]byte{}
	for r := tar.NewReader(f); ; {
		h, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if files[h.Name], err = io.ReadAll(r); err != nil {
			t.Fatal(err)
		}
	}
	var manifest []struct {
		Config   string
		RepoTags []string
		Layers   []string
	}
	if err := json.Unmarshal(files["manifest.json"], &manifest); err != nil {
		t.Fatal(err)
	}
	if len(manifest) != 1 || files[manifest[0].Config] == nil || files[manifest[0].Layers[0]] == nil || manifest[0].RepoTags[0] != img.ref {
		t.Errorf("manifest %+v does not fit the archive", manifest)
	}
	names := map[string]string{}
	for r := tar.NewReader(strings.NewReader(string(files["layer.tar"]))); ; {
		h, err := r.Next()
		if err != nil {
			break
		}
		names[h.Name] = h.Linkname
	}
	if link, ok := names["bin/sh"]; !ok || link != "tool" {
		t.Errorf("bin/sh links to %q (%v), want tool", link, ok)
	}
	if link := names["bin/tool"]; link != "" {
		t.Errorf("bin/tool is a link to %q, want the program", link)
	}
}

func TestParseUnitEnviron(t *testing.T) {
	u, ok := parseUnitEnviron("PATH=/bin\x00LAB_UNIT=canary-1 abc\x00LAB_MEMBER=/var/lib/x\x00")
	if !ok || u.name != "canary-1" || u.config != "abc" || u.dir != "/var/lib/x" {
		t.Errorf("got %+v, %v", u, ok)
	}
	for _, other := range []string{"", "PATH=/bin\x00", "LAB_MEMBER=/var/lib/x\x00" /* a daemon */, "LAB_UNIT=\x00LAB_MEMBER=/x\x00"} {
		if _, ok := parseUnitEnviron(other); ok {
			t.Errorf("%q is no unit", other)
		}
	}
}

func TestListeningInodes(t *testing.T) {
	table := `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 01001DAC:1388 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1
   1: 01001DAC:1388 0B001DAC:C001 01 00000000:00000000 00:00000000 00000000     0        0 4712 1
   2: 0100007F:1389 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4713 1
`
	got := listeningInodes(bufio.NewScanner(strings.NewReader(table)), 5000)
	if len(got) != 1 || got[0] != "4711" {
		t.Errorf("got %v, want the one that listens on 5000", got)
	}
}

func TestTakenPortNamesItsProcess(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	err = checkPortFree(t.Context(), l.Addr().String())
	if err == nil || !strings.Contains(err.Error(), port) || !strings.Contains(err.Error(), "process ") {
		t.Errorf("got %v, want the port and the process", err)
	}
}

func TestUntilEndsAtOnceForPermanentErrors(t *testing.T) {
	cause := errors.New("never")
	tries := 0
	err := until(t.Context(), time.Minute, func() error { tries++; return permanent{cause} })
	if !errors.Is(err, cause) || tries != 1 {
		t.Errorf("got %v after %d tries", err, tries)
	}
	ctx, cancel := context.WithCancel(t.Context())
	err = until(ctx, time.Minute, func() error { cancel(); return cause })
	if !errors.Is(err, context.Canceled) || !errors.Is(err, cause) {
		t.Errorf("got %v, want both why it ended and what was tried", err)
	}
}

func TestLockWaitsForItsHolder(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	unlock, err := lockFile(t.Context(), path, func() { t.Error("nobody holds it") })
	if err != nil {
		t.Fatal(err)
	}
	said := 0
	second, err := lockFile(t.Context(), path, func() { said++; unlock() })
	if err != nil || said != 1 {
		t.Fatalf("got %v, waited %d times", err, said)
	}
	second()
}

func TestChooseClusters(t *testing.T) {
	for _, tt := range []struct {
		names []string
		want  int
		ok    bool
	}{{nil, 3, true}, {[]string{Services}, 0, true}, {[]string{Canary, Services}, 1, true}, {[]string{"staging"}, 0, false}} {
		got, err := chooseClusters(tt.names)
		if len(got) != tt.want || (err == nil) != tt.ok {
			t.Errorf("chooseClusters(%q) = %d clusters, %v", tt.names, len(got), err)
		}
	}
}

func TestDownKeepsWhatTheNextStartCanUse(t *testing.T) {
	t.Setenv(DirEnv, t.TempDir())
	t.Setenv(CacheEnv, t.TempDir())
	node := filepath.Join(Clusters()[0].Nodes[0].dir())
	spare, err := Clusters()[0].newSpare(Spare{Name: "extra"})
	if err != nil {
		t.Fatal(err)
	}
	data, err := json.Marshal(spare)
	if err != nil {
		t.Fatal(err)
	}
	if err := writeFileAtomic(spare.spareFile(), data, 0o600); err != nil {
		t.Fatal(err)
	}
	kept := []string{filepath.Join(RegistryDir(), "x"), filepath.Join(buildkitDir(), "x"), filepath.Join(node, "containerd", "x"), filepath.Join(CacheDir(), "x")}
	gone := []string{Kubeconfig(), buildkitSocket(), filepath.Join(node, "kubelet", "x"), filepath.Join(Clusters()[0].pki(), "ca.key"), filepath.Join(Dir(), "log", "x"), filepath.Join(spare.dir(), "containerd", "x"), spare.spareFile()}
	for _, f := range append(append([]string{}, kept...), gone...) {
		if f == spare.spareFile() {
			continue
		}
		if err := writeFileAtomic(f, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	exists := func(f string) bool { _, err := os.Stat(f); return err == nil }
	if err := removeState(false); err != nil {
		t.Fatal(err)
	}
	for _, f := range kept {
		if !exists(f) {
			t.Errorf("down removed %s", f)
		}
	}
	for _, f := range gone {
		if exists(f) {
			t.Errorf("down left %s", f)
		}
	}
	if err := removeState(true); err != nil {
		t.Fatal(err)
	}
	for _, f := range kept {
		if exists(f) {
			t.Errorf("down --all left %s", f)
		}
	}
}
