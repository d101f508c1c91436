package portforward

import (
	"io"
	"strings"
	"testing"

	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/fakeapi"
)

// TestConnRead_LongCause: what a pod says about its refusal is one short line.
func TestConnRead_LongCause(t *testing.T) {
	k := fakeapi.NewKubelet(t)
	k.Refusal = strings.Repeat("no ", 1<<20)
	c, err := NewPool(k.Client()).Dial(t.Context(), "a", 8000)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err = io.ReadAll(c); err == nil || len(err.Error()) > maxErrorLine+10 {
		t.Errorf("error = %.400v, want a short one", err)
	}
}
