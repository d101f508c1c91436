package wait

import "time"

// Moment is a time by both of the machine's clocks: the monotonic one stands still while
// the machine sleeps, and the other one may be set. The zero Moment never was.
type Moment struct{ monotonic, wall time.Time }

// Now returns the present moment.
func Now() Moment {
	t := time.Now()
	return Moment{t, t.Round(0)}
}

// IsZero reports whether m is the zero Moment.
func (m Moment) IsZero() bool { return m.wall.IsZero() }

// Since returns the time that has passed, by the clock that saw more of it.
func (m Moment) Since() time.Duration {
	t := time.Now()
	return max(t.Sub(m.monotonic), t.Round(0).Sub(m.wall))
}
