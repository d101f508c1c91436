package probe

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/port"
)

// healthCheck is the evaluation of one response of the health endpoint.
type healthCheck struct {
	responded bool
	problem   string // empty: healthy, and the expected release
	fatal     bool   // another request will not help
	latency   time.Duration
}

// health is the body of a response.
type health struct {
	Status  string             `json:"status"`
	Release delivery.ReleaseID `json:"release"`
	Model   any                `json:"model_version"` // "7" or 7
}

// healthyStatuses are the values of status that mean healthy.
func healthyStatuses() []string { return []string{"ok", "healthy", "pass", "up", "ready", "serving"} }

// evaluateHealth evaluates one response. A response that does not name the
// release may come from any process, such as an old replica, and counts as wrong.
func evaluateHealth(reply port.ProbeResponse, w Expectation) healthCheck {
	if reply.Status < 200 || reply.Status > 299 {
		missing := reply.Status == http.StatusNotFound || reply.Status == http.StatusMethodNotAllowed
		return healthCheck{fatal: w.Exclusive && missing, problem: fmt.Sprintf("%s returned %d%s", w.HealthPath, reply.Status, quoted(reply.Body))}
	}
	var h health
	if err := json.Unmarshal(reply.Body, &h); err != nil {
		return healthCheck{fatal: w.Exclusive, problem: fmt.Sprintf("%s did not return a JSON object%s", w.HealthPath, quoted(reply.Body))}
	}
	switch {
	case h.Release == "":
		return healthCheck{fatal: w.Exclusive, problem: "the response does not name the release (SLIPWAY_RELEASE)"}
	case h.Release != w.Release:
		return healthCheck{fatal: w.Exclusive, problem: fmt.Sprintf("release %s responded, not %s", truncate(h.Release), w.Release)}
	case !modelMatches(h.Model, w.Model):
		return healthCheck{fatal: true, problem: fmt.Sprintf("it serves model version %s, not %d", formatModel(h.Model), w.Model.Version)}
	case !slices.Contains(healthyStatuses(), strings.ToLower(h.Status)):
		return healthCheck{problem: fmt.Sprintf("its status is %q, not \"ok\"", truncate(h.Status))}
	}
	return healthCheck{}
}

// modelMatches accepts 7, "7", "v7" and "group:7". A release without a model may
// report anything.
func modelMatches(said any, want *delivery.ModelRef) bool {
	if want == nil {
		return true
	}
	switch v := said.(type) {
	case float64:
		return v == float64(want.Version)
	case string:
		n := strconv.Itoa(want.Version)
		return v == n || v == "v"+n || v == want.String()
	}
	return false
}

func formatModel(said any) string {
	if said == nil {
		return "(missing)"
	}
	return fmt.Sprintf("%q", truncate(fmt.Sprint(said)))
}

func quoted(body []byte) string {
	text := strings.Join(strings.Fields(strings.ToValidUTF8(string(body[:min(len(body), 200)]), "")), " ")
	if text == "" {
		return ""
	}
	return fmt.Sprintf(": %q", text)
}

// truncate keeps a foreign service's response from filling the screen.
func truncate[S ~string](s S) S {
	if len(s) > 40 {
		return s[:40] + "..."
	}
	return s
}
