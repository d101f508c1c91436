package metrics

import (
	"context"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/fakeapi"
	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/portforward"
	"github.com/slipway-cd/slipway/internal/adapter/silenttest"
)

var endpoint = Endpoint{Pod: corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "a"}}, Port: 8000}

func TestScrape_ReturnsCauseOfPod(t *testing.T) {
	k := fakeapi.NewKubelet(t)
	k.Refusal = "dial tcp4 127.0.0.1:8000: connect: connection refused"
	start := time.Now()
	_, err := scrape(t.Context(), portforward.NewPool(k.Client()), endpoint)
	if err == nil || !strings.Contains(err.Error(), "connection refused") {
		t.Errorf("error = %v, want that the connection was refused", err)
	}
	if took := time.Since(start); took > 2*time.Second {
		t.Errorf("took %s", took)
	}
}

// TestScrape_EndsWithContext: whatever the other side does.
func TestScrape_EndsWithContext(t *testing.T) {
	const timeout, late = 300 * time.Millisecond, 900 * time.Millisecond
	for how, serve := range fakeapi.Unresponsive() {
		t.Run("server "+how, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), timeout)
			defer cancel()
			start := time.Now()
			_, err := scrape(ctx, portforward.NewPool(fakeapi.ClientAt(t, silenttest.Listen(t, serve).URL("http"))), endpoint)
			if took := time.Since(start); took > late {
				t.Errorf("took %s with a context of %s", took, timeout)
			}
			if err == nil {
				t.Error("no error")
			}
		})
	}
}
