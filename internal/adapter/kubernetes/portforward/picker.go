package portforward

import (
	"context"
	"sync"
	"time"
)

// pickLifetime is how long a choice is good.
const pickLifetime = time.Second

// Cached returns a Picker that repeats a choice for a moment. Callers do not wait for
// each other.
func Cached(pick Picker) Picker {
	var (
		mu      sync.Mutex
		expires time.Time
		pod     string
		port    int
	)
	return func(ctx context.Context) (string, int, error) {
		mu.Lock()
		cachedPod, cachedPort, valid := pod, port, time.Now().Before(expires)
		mu.Unlock()
		if valid {
			return cachedPod, cachedPort, nil
		}
		newPod, newPort, err := pick(ctx)
		if err == nil {
			mu.Lock()
			pod, port, expires = newPod, newPort, time.Now().Add(pickLifetime)
			mu.Unlock()
		}
		return newPod, newPort, err
	}
}
