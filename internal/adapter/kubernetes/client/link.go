package client

import (
	"net/http"
	"sync/atomic"
	"time"
)

// link is what is known about the connection to the API server.
type link struct {
	skew        atomic.Int64 // nanoseconds that the cluster's clock is ahead of ours
	interrupted atomic.Int64 // when it last broke, in nanoseconds since 1970
}

// minClockSkew is how much the clocks must differ before it counts: the Date header
// has whole seconds.
const minClockSkew = 2 * time.Second

// warmUpTime is how long an API server that has just started may refuse what it will
// allow: it still has to load its authorization rules.
const warmUpTime = 10 * time.Second

func (l *link) markInterrupted() { l.interrupted.Store(time.Now().UnixNano()) }

// warmingUp reports whether the API server may have started a moment ago.
func (l *link) warmingUp() bool {
	return time.Since(time.Unix(0, l.interrupted.Load())) < warmUpTime
}

// observeClock reads the cluster's time from a response.
func (l *link) observeClock(resp *http.Response) {
	if resp == nil {
		return
	}
	date, err := http.ParseTime(resp.Header.Get("Date"))
	if err != nil {
		return
	}
	skew := time.Until(date)
	if skew.Abs() < minClockSkew {
		skew = 0
	}
	l.skew.Store(int64(skew))
}

func (l *link) clockSkew() time.Duration { return time.Duration(l.skew.Load()) }
