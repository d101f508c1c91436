//go:build e2e

package e2e

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// webhookDelivery is one delivery of a webhook.
type webhookDelivery struct {
	id      string
	outcome string
	signed  bool
}

// webhookServer responds 500 to the first delivery, and records all of them.
type webhookServer struct {
	mu         sync.Mutex
	deliveries []webhookDelivery
}

func (m *webhookServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	var e runEvent
	_ = json.Unmarshal(body, &e) // a delivery without an outcome fails the test below
	m.mu.Lock()
	defer m.mu.Unlock()
	m.deliveries = append(m.deliveries, webhookDelivery{r.Header.Get("Slipway-Delivery"), e.Outcome, validSignature(r.Header.Get("Slipway-Signature"), body)})
	if len(m.deliveries) == 1 {
		w.WriteHeader(http.StatusInternalServerError)
	}
}

// validSignature checks the signature as a receiver does: "t=SECONDS,v1=HMAC".
func validSignature(signature string, body []byte) bool {
	at, sum, ok := strings.Cut(strings.TrimPrefix(signature, "t="), ",v1=")
	mac := hmac.New(sha256.New, []byte(envSecret))
	mac.Write([]byte(at + "."))
	mac.Write(body)
	return ok && hmac.Equal([]byte(sum), []byte(hex.EncodeToString(mac.Sum(nil))))
}

func (m *webhookServer) received() []webhookDelivery {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]webhookDelivery(nil), m.deliveries...)
}

// The end of a run is delivered to a webhook, signed. A failed delivery blocks no run,
// and is repeated by a later one with the same ID.
func TestNotify_Webhook(t *testing.T) {
	t.Parallel()
	hook := &webhookServer{}
	server := httptest.NewServer(hook)
	defer server.Close()
	p := newTinyProject(t)
	p.env = append(p.env, "HOOK_URL="+server.URL+"/hook")
	p.write("slipway.yaml", p.read(p.dir+"/slipway.yaml")+"\nnotify:\n  - {webhook: \"${HOOK_URL}\", secret: \"${E2E_TOKEN}\", events: [deployed]}\n")
	p.commit("notify")
	p.run().wantRun(0, "deployed")
	first := hook.received()
	if len(first) == 0 || !first[0].signed || first[0].id == "" || first[0].outcome != "deployed" {
		t.Fatalf("deliveries = %+v, want a signed one with an id and outcome deployed", first)
	}
	again := func() bool {
		p.run("--until", "test.hello").wantExit(0)
		got := hook.received()
		return len(got) == 2 && got[1] == first[0]
	}
	if !p.eventually(20*time.Second, again) {
		t.Fatalf("deliveries = %+v, want %+v twice", hook.received(), first[0])
	}
}
