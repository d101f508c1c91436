package wait_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/slipway-cd/slipway/internal/wait"
)

func TestMoment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		if !(wait.Moment{}).IsZero() || wait.Now().IsZero() {
			t.Error("IsZero is true of the present, or false of the zero Moment")
		}
		begun := wait.Now()
		time.Sleep(time.Hour)
		if passed := begun.Since(); passed != time.Hour {
			t.Errorf("Since() = %s, want 1h", passed)
		}
	})
}
