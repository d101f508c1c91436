package porttest

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
)

// minute is a time on the day of the suites' records.
func minute(n int) time.Time { return time.Date(2026, 11, 24, 10, n, 0, 123456789, time.UTC) }

// numberedRun is the name of the n-th run.
func numberedRun(n int) delivery.RunID {
	return delivery.RunID(fmt.Sprintf("20261124-101502-%04d", n))
}

// repeatedDigest is the digest that consists of one hexadecimal digit.
func repeatedDigest(digit string) delivery.Digest {
	return delivery.Digest("sha256:" + strings.Repeat(digit, 64))
}

// must returns v, or ends the test on an error.
func must[T any](t *testing.T, v T, err error) T {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// wantEqual reports a difference; nil and empty lists and maps are the same.
func wantEqual[T any](t *testing.T, what string, got, want T) {
	t.Helper()
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// wantFault reports an error that is not of the kind.
func wantFault(t *testing.T, what string, err error, kind fault.Kind) {
	t.Helper()
	if !fault.Is(err, kind) {
		t.Errorf("%s: got %v (%s), want a fault of kind %q", what, err, fault.KindOf(err), kind)
	}
}

// concurrently calls do for 0..n-1 at the same time, alternating between the handles.
func concurrently[H any](t *testing.T, n int, handles []H, do func(handle H, i int) error) {
	t.Helper()
	var wg sync.WaitGroup
	errs := make([]error, n)
	start := make(chan struct{})
	for i := range n {
		wg.Go(func() {
			<-start
			errs[i] = do(handles[i%len(handles)], i)
		})
	}
	close(start)
	wg.Wait()
	for i, err := range errs {
		if err != nil {
			t.Errorf("call %d: %v", i, err)
		}
	}
}

// unknownFields are what a newer program wrote, and this one has to keep.
const unknownFields delivery.Unknown = `"newer":{"a":[1,2]}`
