package probe

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/port"
)

// healthCheck is the evaluation of one response of the health endpoint.
type healthCheck struct {
	responded    bool
	namesRelease bool   // the right one
	namesModel   bool   // the right one
	problem      string // empty: healthy, and nothing that it names is wrong
	hint         string // what to do about the problem, where that is not in the logs
	fatal        bool   // another request will not help
	latency      time.Duration
}

// health is the body of a response, of which nothing is required.
type health struct {
	Status  json.RawMessage `json:"status"`
	Release json.RawMessage `json:"release"`
	Model   json.RawMessage `json:"model_version"` // "7" or 7
}

// healthyStatuses are the values of status that mean healthy.
func healthyStatuses() []string {
	return []string{"ok", "healthy", "pass", "up", "ready", "serving", "alive", "running", "true"}
}

// evaluateHealth evaluates one response. Any 2xx is healthy whose body does not say
// otherwise; which release it comes from is known only if it names the right one.
func evaluateHealth(reply port.ProbeResponse, w Expectation) healthCheck {
	if reply.Status < 200 || reply.Status > 299 {
		missing := reply.Status == http.StatusNotFound || reply.Status == http.StatusMethodNotAllowed
		return healthCheck{fatal: w.Exclusive && missing, problem: fmt.Sprintf("%s returned %d%s", w.HealthPath, reply.Status, quoted(reply.Body))}
	}
	if reply.Truncated && bytes.HasPrefix(bytes.TrimSpace(reply.Body), []byte("{")) {
		return healthCheck{problem: fmt.Sprintf("%s returned more than %d bytes: which release it names is unknown", w.HealthPath, len(reply.Body))}
	}
	var h health
	_ = json.Unmarshal(reply.Body, &h) // what is not a JSON object names nothing
	release, model, status := scalar(h.Release), scalar(h.Model), scalar(h.Status)
	switch {
	case release != "" && release != string(w.Release):
		return healthCheck{
			fatal: w.Exclusive, problem: fmt.Sprintf("release %s responded, not %s", truncate(release), w.Release),
			hint: w.HealthPath + " must return $SLIPWAY_RELEASE as release; leave the key out if it means something else there",
		}
	case model != "" && !modelMatches(model, w.Model):
		return healthCheck{
			fatal: true, problem: fmt.Sprintf("it serves model version %q, not %d", shortModel(model), w.Model.Version),
			hint: w.modelHint(),
		}
	case status != "" && !slices.Contains(healthyStatuses(), strings.ToLower(status)):
		return healthCheck{problem: fmt.Sprintf("its status is %q, not \"ok\"", truncate(status))}
	case model == "" && w.NamesModel && w.Model != nil:
		return healthCheck{problem: fmt.Sprintf("it does not say which model it serves, and has to load %s itself", w.Model), hint: w.modelHint()}
	}
	return healthCheck{namesRelease: release != "", namesModel: model != "" && w.Model != nil}
}

// scalar is a JSON value as text, "" if it is missing or null.
func scalar(raw json.RawMessage) string {
	text := string(raw)
	if text == "null" {
		return ""
	}
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return s
	}
	return text
}

// modelMatches accepts 7, "7", "v7", "group:7" and the ARN of a model package. A release
// without a model may report anything.
func modelMatches(named string, want *delivery.ModelRef) bool {
	if want == nil {
		return true
	}
	n := strconv.Itoa(want.Version)
	if version, ok := modelPackage(named); ok {
		return strings.EqualFold(version, want.Group+"/"+n) // AWS writes groups in lower case there
	}
	return named == n || named == "v"+n || named == want.String()
}

// modelPackage returns GROUP/N of the ARN of a version in SageMaker's Model Registry.
func modelPackage(arn string) (version string, ok bool) {
	if !strings.HasPrefix(arn, "arn:") {
		return "", false
	}
	_, version, ok = strings.Cut(arn, ":model-package/")
	return version, ok
}

// shortModel is what a service named, without what all ARNs begin with.
func shortModel(named string) string {
	if version, ok := modelPackage(named); ok {
		named = version
	}
	return truncate(named)
}

// modelHint is what to do about a service with another model, or that names none.
func (w Expectation) modelHint() string {
	if w.NamesModel {
		return "the service must load the version that " + delivery.ModelPackageVariable + " names, not the newest one, and return its number or ARN as model_version at " + w.HealthPath
	}
	return w.HealthPath + " must return $MODEL_VERSION as model_version; leave the key out if it means something else there"
}

func quoted(body []byte) string {
	text := strings.Join(strings.Fields(strings.ToValidUTF8(string(body[:min(len(body), 200)]), "")), " ")
	if text == "" {
		return ""
	}
	if text[0] == '{' || text[0] == '[' { // JSON reads worse in quotes
		return ": " + strings.ToValidUTF8(strings.Map(printable, text), "")
	}
	return fmt.Sprintf(": %q", text)
}

func printable(r rune) rune {
	if unicode.IsPrint(r) {
		return r
	}
	return -1
}

// truncate keeps a foreign service's response from filling the screen.
func truncate[S ~string](s S) S {
	if len(s) > 40 {
		return s[:40] + "..."
	}
	return s
}
