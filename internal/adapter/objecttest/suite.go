package objecttest

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/port/porttest"
)

// TestBucket holds a driver whose objects are in a bucket to the port, and to what it
// says of prefixes and of a bucket that is missing.
func TestBucket(t *testing.T, driver string) {
	t.Run("port", func(t *testing.T) {
		server := Start(t, driver)
		var stores atomic.Int64
		porttest.TestObjectStore(t, func(t *testing.T) func() port.ObjectStore {
			prefix := fmt.Sprintf("teams/retail-%d", stores.Add(1))
			return func() port.ObjectStore { return server.Open(t, prefix) }
		})
	})
	t.Run("prefixes do not see each other", func(t *testing.T) { testPrefixes(t, Start(t, driver)) })
	t.Run("bucket missing", func(t *testing.T) { testBucketMissing(t, Start(t, driver)) })
}

func testPrefixes(t *testing.T, server *Server) {
	for _, prefix := range []string{"a", "b/"} {
		if err := server.Open(t, prefix).Create(t.Context(), "log/1", nil); err != nil {
			t.Fatal(err)
		}
	}
	found, err := server.Open(t, "").List(t.Context(), "", "", 10)
	if err != nil || len(found) != 2 || found[0].Key != "a/log/1" || found[1].Key != "b/log/1" {
		t.Errorf("objects = %v (error = %v), want a/log/1 and b/log/1", found, err)
	}
}

// testBucketMissing: a bucket that is missing is not taken for one without objects, in
// which a log could begin.
func testBucketMissing(t *testing.T, server *Server) {
	s := server.OpenBucket(t, "nowhere")
	_, _, openErr := s.Open(t.Context(), "log.json")
	_, listErr := s.List(t.Context(), "log/", "", 1)
	for name, err := range map[string]error{
		"open": openErr, "list": listErr, "create": s.Create(t.Context(), "a", []byte("x")), "put": s.Put(t.Context(), "a", strings.NewReader("x")),
	} {
		if !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), "is missing") || fault.HintOf(err) == "" {
			t.Errorf("%s: error = %v (%s), want that the bucket is missing, and what to do", name, err, fault.KindOf(err))
		}
	}
}
