package lab

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// checkPortFree tells, when an address is taken, by which process. What was just
// killed gets a moment to end.
func checkPortFree(ctx context.Context, addr string) error {
	err := until(ctx, 3*time.Second, func() error {
		l, err := net.Listen("tcp", addr)
		if err != nil {
			return err
		}
		return l.Close()
	})
	if err == nil {
		return nil
	}
	if !errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("the lab needs %s: %w", addr, err)
	}
	_, port, _ := net.SplitHostPort(addr)
	n, _ := strconv.Atoi(port)
	return fmt.Errorf("the lab needs %s, which %s uses; stop it and repeat", addr, listenerOf(n))
}

// listenerOf names the process that listens on a TCP port.
func listenerOf(port int) string {
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		f, err := os.Open(table)
		if err != nil {
			continue
		}
		inodes := listeningInodes(bufio.NewScanner(f), port)
		f.Close()
		for _, inode := range inodes {
			if who := socketOwner(inode); who != "" {
				return who
			}
		}
	}
	return "another process"
}

// listeningInodes reads a table of /proc/net/tcp: the fields are number, local
// and remote address (hex IP:PORT), state (0A listens), …, inode as the tenth.
func listeningInodes(lines *bufio.Scanner, port int) []string {
	var inodes []string
	suffix := fmt.Sprintf(":%04X", port)
	for lines.Scan() {
		f := strings.Fields(lines.Text())
		if len(f) > 9 && strings.HasSuffix(f[1], suffix) && f[3] == "0A" {
			inodes = append(inodes, f[9])
		}
	}
	return inodes
}

func socketOwner(inode string) string {
	fds, _ := filepath.Glob("/proc/[0-9]*/fd/*") // best effort: others' processes may be closed to us
	for _, fd := range fds {
		if target, err := os.Readlink(fd); err != nil || target != "socket:["+inode+"]" {
			continue
		}
		pid := strings.Split(fd, "/")[2]
		name, err := os.ReadFile("/proc/" + pid + "/comm")
		if err != nil {
			return "process " + pid
		}
		return fmt.Sprintf("process %s (%s)", pid, strings.TrimSpace(string(name)))
	}
	return ""
}
