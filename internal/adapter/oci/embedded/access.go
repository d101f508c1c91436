package embedded

import (
	"crypto/subtle"
	"encoding/json"
	"net/http"
	"regexp"
	"strings"

	"github.com/slipway-cd/slipway/internal/fault"
)

// MinToken is the length of the shortest token that permits writing.
const MinToken = 16

// ValidateToken refuses a token that can be guessed.
func ValidateToken(token string) error {
	if len(token) >= MinToken {
		return nil
	}
	return fault.New(fault.Invalid, "the registry's token has %d characters, fewer than %d", len(token), MinToken).
		Hint("generate one with `openssl rand -hex 16`")
}

// guard is what stands before the registry where other programs reach it: loopback
// belongs to every user of the machine and to the replicas in its network. All may
// read; whoever has the token may push. Nothing can be deleted.
type guard struct {
	next  http.Handler
	token string // empty: it is read-only
}

func (g guard) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	isRead := req.Method == http.MethodGet || req.Method == http.MethodHead
	switch {
	case isRead && (g.token == "" || !isPing(req)):
	case g.token == "":
		refuse(w, http.StatusMethodNotAllowed, "UNSUPPORTED", "this registry is read-only: push to one that `slipway registry --writable` serves")
		return
	case !g.isAuthorized(req):
		w.Header().Set("WWW-Authenticate", `Basic realm="slipway registry"`)
		refuse(w, http.StatusUnauthorized, "UNAUTHORIZED", "pushing takes the token of `slipway registry --writable` as the password, with any user name")
		return
	case req.Method == http.MethodDelete && !uploadPath.MatchString(req.URL.Path):
		refuse(w, http.StatusMethodNotAllowed, "UNSUPPORTED", "nothing can be deleted over the network: see `slipway cleanup`")
		return
	}
	g.next.ServeHTTP(w, req)
}

var pingPath = regexp.MustCompile(`^/v2/?$`)

// isPing reports whether a client asks what the registry wants: those that push send
// credentials only if the response to this demands some.
func isPing(req *http.Request) bool { return pingPath.MatchString(req.URL.Path) }

func (g guard) isAuthorized(req *http.Request) bool {
	_, given, ok := req.BasicAuth()
	if !ok {
		given, ok = strings.CutPrefix(req.Header.Get("Authorization"), "Bearer ")
	}
	return ok && subtle.ConstantTimeCompare([]byte(given), []byte(g.token)) == 1
}

// refuse responds with an error in the form of the distribution specification.
func refuse(w http.ResponseWriter, status int, code, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{"errors": []map[string]string{{"code": code, "message": message}}}) // the client is gone
}
