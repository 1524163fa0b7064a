package pipeline

import (
	"errors"
	"slices"
	"sync"
	"testing"
)

// doing records what is done side by side; each hub ends when release says so.
func TestHubsOfAWaveGoSideBySideUpToALimit(t *testing.T) {
	for name, tt := range map[string]struct{ most, want int }{"all": {0, 4}, "two": {2, 2}, "one": {1, 1}, "more than there are": {9, 4}} {
		t.Run(name, func(t *testing.T) {
			var mu sync.Mutex
			now, peak := 0, 0
			full, open := make(chan struct{}), make(chan struct{})
			go func() {
				<-full // as many as may have begun, and none can end before
				close(open)
			}()
			err := sideBySide([]string{"a", "b", "c", "d"}, tt.most, func(string) error {
				mu.Lock()
				if now++; now > peak {
					if peak = now; peak == tt.want {
						close(full)
					}
				}
				mu.Unlock()
				<-open
				mu.Lock()
				now--
				mu.Unlock()
				return nil
			})
			if err != nil || peak != tt.want {
				t.Errorf("%d at a time, %v", peak, err)
			}
		})
	}
}

func TestAfterAFailureNothingMoreIsBegunAndTheOthersEnd(t *testing.T) {
	broken := errors.New("broken")
	var mu sync.Mutex
	var begun, ended []string
	failed, both := make(chan struct{}), make(chan struct{})
	err := sideBySide([]string{"a", "b", "c"}, 2, func(hub string) error {
		mu.Lock()
		if begun = append(begun, hub); len(begun) == 2 {
			close(both)
		}
		mu.Unlock()
		<-both
		if hub == "a" {
			close(failed)
			return broken
		}
		<-failed
		mu.Lock()
		ended = append(ended, hub)
		mu.Unlock()
		return nil
	})
	slices.Sort(begun)
	if !errors.Is(err, broken) || slices.Contains(begun, "c") && len(ended) != 2 || !slices.Contains(ended, "b") {
		t.Errorf("begun %v, ended %v, %v", begun, ended, err)
	}
}

func TestOneAfterAnotherStopsAtTheFirstFailure(t *testing.T) {
	var begun []string
	err := sideBySide([]string{"a", "b", "c"}, 1, func(hub string) error {
		begun = append(begun, hub)
		if hub == "b" {
			return errors.New("broken")
		}
		return nil
	})
	if err == nil || !slices.Equal(begun, []string{"a", "b"}) {
		t.Errorf("begun %v, %v", begun, err)
	}
}

func TestTheGravestErrorIsTold(t *testing.T) {
	one, two := errors.New("one"), errors.New("two")
	pending, denied := error(&PendingError{}), error(&DeniedError{})
	for name, tt := range map[string]struct {
		errs []error
		is   []error
		not  []error
	}{
		"a failure before a wait":    {[]error{pending, one, nil}, []error{one}, []error{pending}},
		"all failures":               {[]error{one, two}, []error{one, two}, nil},
		"a refusal before a wait":    {[]error{pending, denied}, []error{denied}, []error{pending}},
		"a failure before a refusal": {[]error{denied, two}, []error{two}, []error{denied}},
	} {
		t.Run(name, func(t *testing.T) {
			err := gravest(tt.errs)
			for _, want := range tt.is {
				if !errors.Is(err, want) {
					t.Errorf("%v is not %v", err, want)
				}
			}
			for _, no := range tt.not {
				if errors.Is(err, no) {
					t.Errorf("%v is %v", err, no)
				}
			}
		})
	}
	if err := gravest([]error{nil, nil}); err != nil {
		t.Error(err)
	}
}
