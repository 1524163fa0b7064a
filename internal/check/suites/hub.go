// Package suites holds the suites that run on a hub.
package suites

import (
	"context"
	_ "embed"
	"fmt"
	"strings"
	"time"

	"gauntlet/internal/check"
	"gauntlet/internal/kill"
	"gauntlet/internal/kube"
)

// hubForm says what the suite does; it changes when that changes.
const hubForm = "hub v2: answers, reserved, swept, user, server, image, kernel, file, terminal, log, stop, unchanged, nothing left"

// hubCode is what the suite runs in a kernel.
//
//go:embed hub.py
var hubCode string

// Hub is the suite "hub": a user made for the purpose starts a server, runs code in
// it and leaves, and nothing of them stays behind.
func Hub(t HubTarget) check.Suite {
	p := newProbe(t)
	return p.suite("hub", hubForm+"\x00"+hubCode,
		check.Check{Name: "code runs in a kernel", Timeout: 2 * time.Minute, Run: p.code},
		check.Check{Name: "a file is saved and read", Timeout: time.Minute, Run: p.file},
		check.Check{Name: "a terminal answers", Timeout: time.Minute, Run: p.terminal},
		check.Check{Name: "the server's log has no error", Timeout: 30 * time.Second, Run: p.log},
	)
}

func (p *probe) start(ctx context.Context) (string, error) {
	begun := time.Now()
	if err := p.held.Check(); err != nil {
		return "", err
	}
	if err := p.hub.StartServer(ctx, p.name, nil); err != nil {
		return "", err
	}
	server, pod, err := p.waitServer(ctx)
	if err != nil {
		return "", err
	}
	p.server, p.pod = server, pod
	kill.At("hub:server")
	return slower(pod, time.Since(begun), p.t.SpawnBefore)
}

// slower warns of a server that takes much longer to start than it did: users wait for
// it. Below half a minute more, or twice the time, a busy cluster explains it.
func slower(pod string, took, before time.Duration) (string, error) {
	said := fmt.Sprintf("pod %s, ready after %s", pod, took.Round(100*time.Millisecond))
	if before == 0 {
		return said, nil
	}
	said += fmt.Sprintf(", with the release before %s", before.Round(100*time.Millisecond))
	if took > 2*before && took > before+30*time.Second {
		return "", check.Warning{Message: said}
	}
	return said, nil
}

func (p *probe) file(ctx context.Context) (string, error) {
	srv, err := p.dial()
	if err != nil {
		return "", err
	}
	const text = "Grüße\nfrom the probe\n"
	if err := srv.RoundTrip(ctx, "gauntlet-probe.txt", text); err != nil {
		return "", err
	}
	return fmt.Sprintf("%d bytes, and it is removed again", len(text)), nil
}

func (p *probe) terminal(ctx context.Context) (string, error) {
	srv, err := p.dial()
	if err != nil {
		return "", err
	}
	t, err := srv.Terminal(ctx)
	if err != nil {
		return "", err
	}
	_, err = t.Line(ctx, "")
	if cerr := t.Close(context.WithoutCancel(ctx)); cerr != nil {
		p.tell("%v", cerr)
	}
	if err != nil {
		return "", err
	}
	return "its shell computes", nil
}

// log looks for errors in what the user's server says. They warn: an extension that
// complains is no reason to go back.
func (p *probe) log(ctx context.Context) (string, error) {
	text, err := p.t.Client.Logs(ctx, p.t.Namespace, p.pod, "", logLines)
	if err != nil {
		return "", err
	}
	errs, lines := faultsOf(text)
	if len(errs) > 0 {
		more := ""
		if len(errs) > 1 {
			more = fmt.Sprintf(" (and %d more)", len(errs)-1)
		}
		return "", check.Warning{Message: kube.OneLine(errs[0]) + more}
	}
	if lines == 0 {
		return "", check.Warning{Message: "the server says nothing, so nothing is known of errors"}
	}
	return fmt.Sprintf("%d lines", lines), nil
}

// logLines is how much of a server's log is read, in lines.
const logLines = 2000

// faultsOf are the lines of a log in which Jupyter or Python say that something failed,
// and how many lines there are.
func faultsOf(log string) (errs []string, lines int) {
	for line := range strings.Lines(log) {
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		lines++
		for _, mark := range []string{"[E ", "[C ", "Traceback (most recent call last)", "ERROR", "CRITICAL"} {
			if strings.HasPrefix(line, mark) {
				errs = append(errs, line)
				break
			}
		}
	}
	return errs, lines
}

func (p *probe) code(ctx context.Context) (string, error) {
	srv, err := p.dial()
	if err != nil {
		return "", err
	}
	k, err := srv.Start(ctx, "")
	if err != nil {
		return "", err
	}
	out, err := k.Run(ctx, hubCode)
	if cerr := k.Close(context.WithoutCancel(ctx)); cerr != nil {
		p.tell("%v", cerr)
	}
	if err != nil {
		return "", err
	}
	answer, versions, _ := strings.Cut(out.Stdout, "\n")
	if answer != "42" {
		return "", fmt.Errorf("6*7 is %q", kube.OneLine(answer))
	}
	return "6*7 is 42, " + kube.OneLine(versions), nil
}
