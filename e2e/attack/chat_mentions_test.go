//go:build linux

package attack

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// TestChatMentions: what a test printed last is in the message about a failed run. A pull
// request so notified everybody in a chat, and put a link with a text of its choice under
// the name of Slipway's account.
func TestChatMentions(t *testing.T) {
	var mu sync.Mutex
	var got []string
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		mu.Lock()
		defer mu.Unlock()
		got = append(got, string(body))
	}))
	t.Cleanup(server.Close)
	l := newLab(t)
	l.write("slipway.yaml", `version: 1
service: tiny
test: [{name: unit, run: "echo '<!channel> <https://evil.test|approve prod> [approve](https://evil.test) @everyone'; exit 1"}]
image: {build: {go: .}, repository: tiny}
environments: {prod: {on: {push: main}, until: test}}
notify: [{chat: "${CHAT_URL}"}]
`)
	l.commit("a test that calls everybody")
	r := l.with("CHAT_URL=generic://"+strings.TrimPrefix(server.URL, "http://")+"/?disabletls=yes").slipway("run", "--env", "prod").wantExit(1)
	mu.Lock()
	defer mu.Unlock()
	all := strings.Join(got, "\n")
	if !strings.Contains(all, "approve prod") {
		t.Fatalf("the message lacks the last line of the test: %q\n%s", all, r)
	}
	for _, text := range []string{"<!channel>", "<https:", "](https", "@everyone"} {
		if strings.Contains(all, text) {
			t.Errorf("the message contains %q: %s", text, all)
		}
	}
}
