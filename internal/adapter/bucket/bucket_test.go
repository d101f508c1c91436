package bucket_test

import (
	"net/url"
	"testing"

	"github.com/slipway-cd/slipway/internal/adapter/bucket"
	"github.com/slipway-cd/slipway/internal/adapter/objecttest"
	"github.com/slipway-cd/slipway/internal/fault"
)

func TestStore(t *testing.T) {
	for _, driver := range []string{"azure", "gcs"} {
		t.Run(driver, func(t *testing.T) {
			t.Parallel()
			objecttest.TestBucket(t, driver)
		})
	}
}

func TestOpen_Errors(t *testing.T) {
	for _, at := range []string{"gs://", "ftp://x", "gs://b?nonsense=1"} {
		u, _ := url.Parse(at)
		if _, err := bucket.Open(t.Context(), u); !fault.Is(err, fault.Invalid) {
			t.Errorf("open %s: error = %v, want %s", at, err, fault.Invalid)
		}
	}
}
