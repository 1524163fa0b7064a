package config

import (
	"testing"
	"time"
)

// Whatever the window and the moment, an open window ends later than now, a closed one
// opens later than now, and at that moment it is open.
func FuzzFreezeWindows(f *testing.F) {
	f.Add("Europe/Berlin", "15:00", "24:00", uint8(0b100000), int64(1893456000))
	f.Add("America/St_Johns", "02:30", "03:00", uint8(0b1), int64(1710054000))   // a change of clocks there
	f.Add("Pacific/Apia", "00:00", "24:00", uint8(0b1111111), int64(1325200000)) // a day that never was
	f.Fuzz(func(t *testing.T, name, after, before string, days uint8, unix int64) {
		loc, err := zone(name)
		a, aerr := clock(after, 0)
		b, berr := clock(before, 24*60)
		if err != nil || aerr != nil || berr != nil || b <= a || days&0x7f == 0 || unix < 0 || unix > 1<<34 {
			t.Skip()
		}
		w := Freeze{After: after, Before: before, location: loc}
		for i, d := range weekdays {
			if days&(1<<i) != 0 {
				w.Weekdays = append(w.Weekdays, d)
			}
		}
		now := time.Unix(unix, 0)
		end, open := w.Span(now)
		if open {
			if !end.After(now) {
				t.Errorf("open at %s, and over at %s", now, end)
			}
			return
		}
		next := w.Next(now)
		if next.IsZero() {
			return // the clocks skipped its only time within a week
		}
		if !next.After(now) {
			t.Errorf("closed at %s, and opens before, at %s", now, next)
		}
	})
}
