//go:build linux

package local_test

import (
	"fmt"
	"net"
	"sync"
	"testing"
)

// maxLanes is how many processes of these tests can run at once. The stable ports of
// that many services are 19 or more apart.
const maxLanes = 16

// claimLane returns a number that no other process of these tests on this machine has,
// as long as this one runs. Two that deployed the same service would take its stable
// port from each other while a supervisor is away, and send it each other's requests.
var claimLane = sync.OnceValues(func() (int, error) {
	for n := range maxLanes {
		claim, err := net.Listen("unix", fmt.Sprintf("@slipway-local-test-%d", n))
		if err == nil {
			lane = claim
			return n, nil
		}
	}
	return 0, fmt.Errorf("%d processes of these tests are running", maxLanes)
})

var lane net.Listener // open until this process ends

// testService is a service that only this process deploys.
func testService(t testing.TB) string {
	t.Helper()
	n, err := claimLane()
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("sample-%d", n)
}

// hostPorts returns two ports in this machine's network, below those that Slipway
// chooses, on which only this process lets services listen.
func hostPorts(t testing.TB) (one, two int) {
	t.Helper()
	n, err := claimLane()
	if err != nil {
		t.Fatal(err)
	}
	return 17471 + 2*n, 17472 + 2*n
}
