package suites

import (
	"context"
	"crypto/rand"
	_ "embed"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"gauntlet/internal/check"
	"gauntlet/internal/kernel"
	"gauntlet/internal/kube"
)

// countCode counts in a kernel until it is interrupted.
//
//go:embed count.py
var countCode string

// A heldKernel is a kernel that counts while its hub is changed.
type heldKernel struct {
	kernel *kernel.Kernel
	stream *kernel.Stream
	state  string // that the kernel must keep
	end    context.CancelFunc
}

// holdKernel starts a kernel, gives it something to keep and lets it count. It lives
// until close, whatever becomes of ctx.
func holdKernel(ctx context.Context, srv *kernel.Server) (*heldKernel, error) {
	k, err := srv.Start(ctx, "")
	if err != nil {
		return nil, err
	}
	h := &heldKernel{kernel: k, state: strings.ToLower(rand.Text())}
	if _, err = k.Run(ctx, fmt.Sprintf("gauntlet_state = %q", h.state)); err == nil {
		err = h.count(ctx)
	}
	if err != nil {
		_ = k.Close(context.WithoutCancel(ctx))
		return nil, err
	}
	if _, err = h.counts(ctx, -1); err != nil {
		h.close(ctx)
		return nil, err
	}
	return h, nil
}

// count lets the kernel count from zero.
func (h *heldKernel) count(ctx context.Context) (err error) {
	life, end := context.WithCancel(context.WithoutCancel(ctx))
	if h.stream, err = h.kernel.Stream(life, countCode); err != nil {
		end()
		return err
	}
	h.end = end
	return nil
}

// counts waits until the kernel has counted past a number.
func (h *heldKernel) counts(ctx context.Context, past int) (int, error) {
	for {
		n, _, err := h.counted()
		if err != nil {
			return n, err
		}
		if n > past {
			return n, nil
		}
		select {
		case <-h.stream.Done():
			if err := h.stream.Err(); err != nil {
				return n, err
			}
			return n, errors.New("it does not count any more")
		default:
		}
		if why := kube.Sleep(ctx, 100*time.Millisecond); why != nil {
			_, down := h.stream.Cuts()
			if down != nil {
				return n, fmt.Errorf("the websocket was cut after line %d and cannot be opened again: %w (%w)", n, down, why)
			}
			return n, fmt.Errorf("its websocket is open and nothing comes after line %d: %w", n, why)
		}
	}
}

// answers checks that the kernel still counts, stops it, and asks for what it keeps.
// It returns a line for people.
func (h *heldKernel) answers(ctx context.Context) (string, error) {
	last, _, err := h.counted()
	if err != nil {
		return "", err
	}
	// Two more than were there: one may have been on its way before the change.
	if _, err := h.counts(ctx, last+1); err != nil {
		return "", err
	}
	for {
		if err = h.kernel.Interrupt(ctx); err == nil {
			break
		}
		if kube.Sleep(ctx, time.Second) != nil {
			return "", err
		}
	}
	select {
	case <-h.stream.Done():
	case <-ctx.Done():
		return "", fmt.Errorf("it was interrupted and goes on: %w", context.Cause(ctx))
	}
	if err := h.stream.Err(); err != nil {
		return "", err
	}
	cuts, _ := h.stream.Cuts()
	out, err := h.kernel.Run(ctx, "print(gauntlet_state)")
	if err != nil {
		return "", err
	}
	if strings.TrimSpace(out.Stdout) != h.state {
		return "", errors.New("it is another: what was kept in it is gone")
	}
	return fmt.Sprintf("it keeps what it kept; its websocket was cut %s", times(len(cuts))), nil
}

// whole checks what a kernel that was stopped has put out, and lets it count again.
func (h *heldKernel) whole(ctx context.Context) (string, error) {
	cuts, _ := h.stream.Cuts()
	n, lost, err := wholeCount(h.stream.Output().Stdout, cuts)
	h.end()
	if err := errors.Join(err, h.count(ctx)); err != nil {
		return "", err
	}
	if lost > 0 {
		return "", check.Warning{Message: fmt.Sprintf("%d of %d lines came; the others were in the hands of the proxy when it ended, "+
			"which loses what it holds whatever upgrades it", n-lost, n)}
	}
	return fmt.Sprintf("%d lines, none lost", n), nil
}

// counted is how far the kernel has counted.
func (h *heldKernel) counted() (last, lost int, err error) {
	// In this order: a cut that comes in between is not looked for in the output yet.
	out := h.stream.Output().Stdout
	cuts, _ := h.stream.Cuts()
	return counted(out, cuts)
}

// close ends the kernel.
func (h *heldKernel) close(ctx context.Context) {
	if h.end != nil {
		h.end()
	}
	_ = h.kernel.Close(context.WithoutCancel(ctx)) // it goes with its server
}

// inFlight is how many lines may be lost at a cut: what the proxy has read and not
// passed on when it ends, which takes it a moment. Five lines come in a second.
const inFlight = 10

// counted is how far a kernel has counted, -1 before the first line, and how many lines
// are missing at the places (bytes of out) where its websocket was cut. More than a
// proxy can hold, or any that are missing elsewhere, are an error.
func counted(out string, cuts []int) (last, lost int, err error) {
	last = -1
	at := 0
	for line := range strings.Lines(out) {
		begins := at
		at += len(line)
		if !strings.HasSuffix(line, "\n") || strings.HasPrefix(line, "end ") {
			break // the rest of it is on its way, or it has ended
		}
		n, err := strconv.Atoi(strings.TrimSpace(line))
		if err != nil {
			return last, lost, fmt.Errorf("it says %q after line %d", kube.OneLine(line), last)
		}
		missing := n - last - 1
		if missing != 0 && (missing < 0 || missing > inFlight || !slices.Contains(cuts, begins)) {
			return last, lost, fmt.Errorf("output was lost: line %d came after line %d", n, last)
		}
		last, lost = n, lost+missing
	}
	return last, lost, nil
}

// wholeCount is how many lines a kernel has counted that was stopped, and how many of
// them are missing where that is no fault.
func wholeCount(out string, cuts []int) (n, lost int, err error) {
	last, lost, err := counted(out, cuts)
	if err != nil {
		return 0, 0, err
	}
	_, end, ended := strings.Cut(out, "end ")
	n, err = strconv.Atoi(strings.TrimSpace(end))
	switch {
	case !ended || err != nil:
		return 0, 0, errors.New("output was lost: what it said at its end did not come")
	case n != last+1:
		return 0, 0, fmt.Errorf("output was lost: it printed %d lines and the last that came is %d", n, last)
	}
	return n, lost, nil
}

func times(n int) string {
	switch n {
	case 0:
		return "never"
	case 1:
		return "once"
	}
	return fmt.Sprintf("%d times", n)
}
