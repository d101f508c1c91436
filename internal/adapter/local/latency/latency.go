// Package latency records the requests of each release in buckets of one second,
// which are kept for about an hour.
package latency

import (
	"math"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/quantile"
)

// Retention is how long buckets are kept.
const Retention = time.Hour

const (
	minLatency = 100 * time.Microsecond // upper bound of the first bin
	binGrowth  = 1.1                    // each bin is 10 % wider than the previous one: quantiles are accurate to 5 %
	numBins    = 148                    // the last bin begins at about two minutes
	numBuckets = int64(Retention / time.Second)
)

// Recorder records requests by release. The zero value is ready to use. It is
// safe for concurrent use.
type Recorder struct {
	shards [numShards]shard

	mu       sync.Mutex
	releases map[delivery.ReleaseID]*series
}

// numShards is how many requests are recorded at a time.
const numShards = 8

// shard is what a share of the requests adds to the bucket of the current second.
// It is added to the series when the second is over, or figures are wanted.
type shard struct {
	mu      sync.Mutex
	release delivery.ReleaseID
	bucket  bucket
	_       [64]byte // no cache line is shared with the next
}

type series struct {
	buckets    [numBuckets]*bucket
	lastSecond int64
}

type bucket struct {
	second   int64
	requests int64
	errors   int64
	latency  [numBins]uint32
}

// RecordResponse records a response. A status of 500 and above is an error; took
// is the time until the response was complete.
func (r *Recorder) RecordResponse(id delivery.ReleaseID, at time.Time, status int, took time.Duration) {
	s := r.lockShard(id, at.Unix())
	defer s.mu.Unlock()
	s.bucket.requests++
	s.bucket.latency[binOf(took)]++
	if status >= 500 {
		s.bucket.errors++
	}
}

// RecordFailure records a request without a complete response.
func (r *Recorder) RecordFailure(id delivery.ReleaseID, at time.Time) {
	s := r.lockShard(id, at.Unix())
	defer s.mu.Unlock()
	s.bucket.requests++
	s.bucket.errors++
}

// lockShard returns a shard for the second of a release, locked.
func (r *Recorder) lockShard(id delivery.ReleaseID, second int64) *shard {
	s := &r.shards[rand.IntN(numShards)] //nolint:gosec // any share will do
	s.mu.Lock()
	if s.release != id || s.bucket.second != second {
		r.flush(s)
		s.release, s.bucket.second = id, second
	}
	return s
}

// flush adds what a locked shard has collected to the series of its release.
func (r *Recorder) flush(s *shard) {
	if s.bucket.requests > 0 {
		r.mu.Lock()
		r.bucket(s.release, s.bucket.second).add(&s.bucket)
		r.mu.Unlock()
	}
	s.bucket = bucket{}
}

func (b *bucket) add(more *bucket) {
	b.requests += more.requests
	b.errors += more.errors
	for i, n := range more.latency {
		b.latency[i] += n
	}
}

// Traffic returns the sum of the release's buckets from the second of since until
// now.
func (r *Recorder) Traffic(id delivery.ReleaseID, since, now time.Time) port.Traffic {
	for i := range r.shards {
		s := &r.shards[i]
		s.mu.Lock()
		r.flush(s)
		s.mu.Unlock()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.releases[id]
	if s == nil {
		return port.Traffic{}
	}
	oldest := max(since.Unix(), now.Unix()-numBuckets+1)
	var t port.Traffic
	var latency [numBins]int64
	for _, b := range s.buckets {
		if b == nil || b.second < oldest {
			continue
		}
		t.Requests += b.requests
		t.Errors += b.errors
		for i, n := range b.latency {
			latency[i] += int64(n)
		}
	}
	t.P50, t.P95, t.P99 = quantileOf(latency[:], 0.50), quantileOf(latency[:], 0.95), quantileOf(latency[:], 0.99)
	return t
}

// bucket returns the bucket of a second. It evicts releases whose buckets have
// all expired. The caller holds mu.
func (r *Recorder) bucket(id delivery.ReleaseID, second int64) *bucket {
	if r.releases == nil {
		r.releases = map[delivery.ReleaseID]*series{}
	}
	s := r.releases[id]
	if s == nil {
		r.evict(second)
		s = &series{}
		r.releases[id] = s
	}
	s.lastSecond = max(s.lastSecond, second)
	slot := &s.buckets[((second%numBuckets)+numBuckets)%numBuckets]
	switch {
	case *slot == nil || (*slot).second < second:
		*slot = &bucket{second: second}
	case (*slot).second > second: // a shard that collected nothing for an hour
		return &bucket{}
	}
	return *slot
}

func (r *Recorder) evict(now int64) {
	for id, s := range r.releases {
		if now-s.lastSecond > numBuckets {
			delete(r.releases, id)
		}
	}
}

func binOf(d time.Duration) int {
	if d <= minLatency {
		return 0
	}
	i := int(math.Log(float64(d)/float64(minLatency))/math.Log(binGrowth)) + 1
	return min(i, numBins-1)
}

// quantileOf returns the middle of the bin in which the share q of all responses is
// reached, and 0 if there are none.
func quantileOf(latency []int64, q float64) time.Duration {
	i, ok := quantile.Bin(latency, q)
	if !ok {
		return 0
	}
	return time.Duration(float64(minLatency) * math.Pow(binGrowth, float64(i)-0.5)).Round(time.Microsecond)
}
