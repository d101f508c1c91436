//go:build linux

package supervisor

import "testing"

// TestPorts_DifferBetweenSupervisors: neither has opened the ports it acquired.
func TestPorts_DifferBetweenSupervisors(t *testing.T) {
	var a, b ports
	seen := map[int]bool{}
	for range 20 {
		for _, p := range []*ports{&a, &b} {
			n, err := p.acquire()
			if err != nil {
				t.Fatal(err)
			}
			if seen[n] {
				t.Fatalf("port %d was handed out twice", n)
			}
			seen[n] = true
		}
	}
	for n := range seen {
		a.release(n)
		b.release(n)
	}
	c := ports{next: a.next - 39, taken: a.taken}
	if n, err := c.acquire(); err != nil || !seen[n] {
		t.Errorf("a port that was given back is not taken again: %d, %v", n, err)
	}
}
