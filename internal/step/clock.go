package step

import (
	"time"
)

// Clock is a step's source of time. The zero value is the system's clock.
type Clock struct {
	Time func() time.Time // default time.Now
}

// Now returns the time, in UTC.
func (c Clock) Now() time.Time {
	if c.Time == nil {
		return time.Now().UTC()
	}
	return c.Time().UTC()
}
