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

// webhookServer answers 500 the first time, and keeps what it got.
type webhookServer struct {
	mu         sync.Mutex
	deliveries []webhookDelivery
}

func (m *webhookServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	var e runEvent
	_ = json.Unmarshal(body, &e) // a letter without an outcome fails the test below
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

// TestNotify_Webhook: the end of a run reaches a webhook, signed; what does not get through
// goes with a later run, under the same name, and blocks nobody.
func TestNotify_Webhook(t *testing.T) {
	t.Parallel()
	box := &webhookServer{}
	server := httptest.NewServer(box)
	defer server.Close()
	p := newTinyProject(t)
	p.env = append(p.env, "HOOK_URL="+server.URL+"/hook")
	p.write("slipway.yaml", p.read(p.dir+"/slipway.yaml")+"\nnotify:\n  - {webhook: \"${HOOK_URL}\", secret: \"${E2E_TOKEN}\", events: [deployed]}\n")
	p.commit("news")
	p.run().wantRun(0, "deployed")
	first := box.received()
	if len(first) == 0 || !first[0].signed || first[0].id == "" || first[0].outcome != "deployed" {
		t.Fatalf("the first letter: %+v", first)
	}
	again := func() bool {
		p.run("--until", "test.hello").wantExit(0)
		got := box.received()
		return len(got) == 2 && got[1] == first[0]
	}
	if !p.eventually(20*time.Second, again) {
		t.Fatalf("the letter that was refused did not come again, once: %+v", box.received())
	}
}
