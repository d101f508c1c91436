package lease

import "time"

// Timing of a lease. Zero fields have the defaults beside them.
type Timing struct {
	LeaseDuration time.Duration // 20 s: without a renewal for this long it is free
	RenewInterval time.Duration // a quarter of LeaseDuration
	RetryPeriod   time.Duration // 500 ms: the pause between two attempts to acquire it
	WaitTimeout   time.Duration // 10 min: how long Acquire waits for another holder
}

func (t Timing) withDefaults() Timing {
	if t.LeaseDuration <= 0 {
		t.LeaseDuration = 20 * time.Second
	}
	if t.RenewInterval <= 0 {
		t.RenewInterval = t.LeaseDuration / 4
	}
	if t.RetryPeriod <= 0 {
		t.RetryPeriod = 500 * time.Millisecond
	}
	if t.WaitTimeout <= 0 {
		t.WaitTimeout = 10 * time.Minute
	}
	return t
}
