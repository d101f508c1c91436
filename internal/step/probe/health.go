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

// saying is what one answer to the health question amounts to.
type saying struct {
	answered bool
	trouble  string // empty: healthy, and the release that is wanted
	fatal    bool   // asking again will not help
	latency  time.Duration
}

// health is the body of a service's answer.
type health struct {
	Status  string             `json:"status"`
	Release delivery.ReleaseID `json:"release"`
	Model   any                `json:"model_version"` // "7" or 7
}

// well are the words for a healthy service.
func well() []string { return []string{"ok", "healthy", "pass", "up", "ready", "serving"} }

// read judges one answer. An answer that does not name the release may come from
// anybody, an old replica for one: it is none.
func read(reply port.ProbeResponse, w Expectation) saying {
	if reply.Status < 200 || reply.Status > 299 {
		missing := reply.Status == http.StatusNotFound || reply.Status == http.StatusMethodNotAllowed
		return saying{fatal: w.Exclusive && missing, trouble: fmt.Sprintf("%s answers %d%s", w.HealthPath, reply.Status, quoted(reply.Body))}
	}
	var h health
	if err := json.Unmarshal(reply.Body, &h); err != nil {
		return saying{fatal: w.Exclusive, trouble: fmt.Sprintf("%s answers no JSON object%s", w.HealthPath, quoted(reply.Body))}
	}
	switch {
	case h.Release == "":
		return saying{fatal: w.Exclusive, trouble: "the answer does not name the release (SLIPWAY_RELEASE)"}
	case h.Release != w.Release:
		return saying{fatal: w.Exclusive, trouble: fmt.Sprintf("release %s answers, not %s", short(h.Release), w.Release)}
	case !sameModel(h.Model, w.Model):
		return saying{fatal: true, trouble: fmt.Sprintf("it serves model version %s, not %d", modelWord(h.Model), w.Model.Version)}
	case !slices.Contains(well(), strings.ToLower(h.Status)):
		return saying{trouble: fmt.Sprintf("its status is %q, not \"ok\"", short(h.Status))}
	}
	return saying{}
}

// sameModel takes 7, "7", "v7" and "group:7". A release without a model may say
// what it likes.
func sameModel(said any, want *delivery.ModelRef) bool {
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

func modelWord(said any) string {
	if said == nil {
		return "(not named)"
	}
	return fmt.Sprintf("%q", short(fmt.Sprint(said)))
}

func quoted(body []byte) string {
	text := strings.Join(strings.Fields(strings.ToValidUTF8(string(body[:min(len(body), 200)]), "")), " ")
	if text == "" {
		return ""
	}
	return fmt.Sprintf(": %q", text)
}

// short keeps what a stranger says from filling the screen.
func short[S ~string](s S) S {
	if len(s) > 40 {
		return s[:40] + "..."
	}
	return s
}
