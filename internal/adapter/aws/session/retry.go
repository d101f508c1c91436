package session

import (
	"math/rand/v2"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
)

const (
	// maxAttempts lets one call in 2.6 million fail where a fifth of them is throttled;
	// the SDK's three let one in 125.
	maxAttempts = 10
	firstPause  = 100 * time.Millisecond
	maxPause    = 10 * time.Second // about 40 s in all
)

// newRetryer tries again what may be tried again, without the SDK's quota for a whole
// process: one that polls jobs for hours would use it up. x-amz-retry-after is honoured
// by the SDK's middleware.
func newRetryer(backoff func(attempt int) time.Duration) aws.Retryer {
	if backoff == nil {
		backoff = exponential
	}
	return retry.NewStandard(func(o *retry.StandardOptions) {
		o.MaxAttempts, o.RateLimiter = maxAttempts, ratelimit.None
		o.Backoff = retry.BackoffDelayerFunc(func(attempt int, _ error) (time.Duration, error) { return backoff(attempt), nil })
	})
}

// exponential doubles the pause, and takes a random part of the second half of it.
func exponential(attempt int) time.Duration {
	pause := min(firstPause<<min(attempt, 16), maxPause)
	return pause/2 + rand.N(pause/2) //nolint:gosec // jitter
}
