package kubernetes

import (
	"testing"

	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/fakeapi"
	"github.com/slipway-cd/slipway/internal/port"
)

// newTarget returns a target of the server's namespace.
func newTarget(t *testing.T, server *fakeapi.Server) *Target {
	t.Helper()
	target := New(Config{})
	target.conn = server.Client()
	return target
}

// TestTarget_TakesLeaseOfEarlierRun: a later run of the same process does not wait for the
// lease of the one before, which has lost it then.
func TestTarget_TakesLeaseOfEarlierRun(t *testing.T) {
	target := newTarget(t, fakeapi.New(t))
	defer target.Close()
	request := port.DeployRequest{Service: "api", Environment: "prod", Run: "a"}
	first, err := target.acquire(t.Context(), target.conn, request, func(string) {})
	if err != nil {
		t.Fatal(err)
	}
	request.Run = "b"
	second, err := target.acquire(t.Context(), target.conn, request, func(text string) { t.Errorf("reported %q, want nothing", text) })
	if err != nil {
		t.Fatal(err)
	}
	if first.Check() == nil || second.Check() != nil {
		t.Errorf("Check of the first = %v, of the second = %v; want only the first to be lost", first.Check(), second.Check())
	}
	if again, err := target.acquire(t.Context(), target.conn, request, func(string) {}); again != second || err != nil {
		t.Errorf("the same run gets another lease, error = %v", err)
	}
}

// TestTarget_Unlock: another process gets the environment at once.
func TestTarget_Unlock(t *testing.T) {
	server := fakeapi.New(t)
	target, other := newTarget(t, server), newTarget(t, server)
	defer target.Close()
	defer other.Close()
	request := port.DeployRequest{Service: "api", Environment: "prod", Run: "a"}
	if err := target.Lock(t.Context(), request, func(string) {}); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := target.Unlock(t.Context(), request); err != nil {
			t.Fatal(err)
		}
	}
	request.Run = "b"
	if err := other.Lock(t.Context(), request, func(text string) { t.Errorf("reported %q, want nothing", text) }); err != nil {
		t.Error(err)
	}
}
