package sqlite_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port/porttest/fake"
	"github.com/slipway-cd/slipway/internal/record/sqlite"
	"github.com/slipway-cd/slipway/internal/record/statelog"
	"github.com/slipway-cd/slipway/internal/step"
)

// TestOpenView_LogRolledBack: a machine that has seen more than the log has does not take
// that for a log with nothing new.
func TestOpenView_LogRolledBack(t *testing.T) {
	const last = 5
	for _, c := range []struct {
		name   string
		damage func(t *testing.T, s *fake.ObjectStore)
	}{
		{"rolled back", func(t *testing.T, s *fake.ObjectStore) {
			for n := 3; n <= last; n++ {
				if err := s.Delete(t.Context(), fmt.Sprintf("log/%012d.json", n)); err != nil {
					t.Fatal(err)
				}
			}
		}},
		{"replaced", func(t *testing.T, s *fake.ObjectStore) {
			if err := s.Put(t.Context(), fmt.Sprintf("log/%012d.json", last), bytes.NewReader([]byte("{}"))); err != nil {
				t.Fatal(err)
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, dir := &fake.ObjectStore{}, t.TempDir()
			seen := openView(t, dir, s, "retail", 0)
			for n := range last {
				if err := seen.Cache().Put(t.Context(), fake.Digest(n+1), "20260101-000000-aaaa", step.Result{Outcome: delivery.OutcomeSucceeded}); err != nil {
					t.Fatal(err)
				}
			}
			c.damage(t, s)
			log, err := statelog.Open(t.Context(), s, time.Now())
			if err != nil {
				t.Fatal(err)
			}
			_, err = sqlite.OpenView(t.Context(), dir, "retail", time.Now, log, 0)
			if !fault.Is(err, fault.Corrupt) || !strings.Contains(err.Error(), "entry 5 of the shared state was lost or changed") || !strings.Contains(fault.HintOf(err), dir) {
				t.Errorf("error = %v (hint %q), want %s", err, fault.HintOf(err), fault.Corrupt)
			}
		})
	}
}
