package proxy

import (
	"net/http"
	"slices"
	"strings"
)

// isForReplicas reports whether a request may go to a replica. CONNECT asks the proxy
// itself for a tunnel, and PRI begins HTTP/2 on a connection: a replica that understands
// either would be reached by requests that nothing counts or rewrites.
func isForReplicas(r *http.Request) bool {
	return r.Method != http.MethodConnect && r.Method != "PRI"
}

// dropUpgrade removes what would make the connection to a replica speak HTTP/2 or TLS:
// the requests in it would pass the proxy unseen, with whatever headers their sender
// likes. Who wants an upgrade has to do without it if the server stays silent about it.
// Others, such as to a WebSocket, stay.
func dropUpgrade(h http.Header) {
	protocols := strings.FieldsFunc(strings.ToLower(strings.Join(h.Values("Upgrade"), ",")), func(r rune) bool { return r == ',' || r == ' ' || r == '\t' })
	h.Del("HTTP2-Settings")
	if !slices.ContainsFunc(protocols, func(name string) bool {
		return name == "h2c" || name == "h2" || strings.HasPrefix(name, "http/") || strings.HasPrefix(name, "tls")
	}) {
		return
	}
	h.Del("Upgrade")
	h.Del("Connection")
}
