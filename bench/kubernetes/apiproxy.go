package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
)

// apiProxy is a proxy for the API server that counts requests. It is safe for
// concurrent use.
type apiProxy struct {
	server *httptest.Server
	caFile string // its certificate

	mu    sync.Mutex
	calls callCounts
}

// callCounts are the counted requests.
type callCounts struct {
	byVerb   map[string]int // without watches
	watches  int
	byTarget map[string]int // by verb and resource path
}

// startProxy starts a proxy that forwards all requests with their tokens.
func (b *bench) startProxy(ctx context.Context) (*apiProxy, error) {
	to, transport, err := b.upstream(ctx)
	if err != nil {
		return nil, err
	}
	s := &apiProxy{caFile: filepath.Join(b.work, "proxy.crt")}
	s.reset()
	proxy := &httputil.ReverseProxy{
		Rewrite:       func(r *httputil.ProxyRequest) { r.SetURL(to) },
		Transport:     transport,
		FlushInterval: -1,                         // watches
		ErrorLog:      log.New(io.Discard, "", 0), // about clients that disconnect
	}
	s.server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.count(r)
		proxy.ServeHTTP(w, r)
	}))
	s.server.EnableHTTP2 = true
	s.server.Config.ErrorLog = proxy.ErrorLog
	s.server.StartTLS()
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.server.Certificate().Raw})
	if err := os.WriteFile(s.caFile, certificate, 0o644); err != nil {
		s.close()
		return nil, fmt.Errorf("write a certificate: %w", err)
	}
	return s, nil
}

// close stops the proxy and the remaining watches.
func (s *apiProxy) close() {
	s.server.CloseClientConnections()
	s.server.Close()
}

func (s *apiProxy) reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls = callCounts{byVerb: map[string]int{}, byTarget: map[string]int{}}
}

// snapshot returns the calls since the last reset.
func (s *apiProxy) snapshot() callCounts {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls
}

func (s *apiProxy) count(r *http.Request) {
	verb := requestVerb(r)
	rest, _ := resourcePath(r.URL.Path)
	s.mu.Lock()
	defer s.mu.Unlock()
	if verb == "watch" {
		s.calls.watches++
		return
	}
	s.calls.byVerb[verb]++
	s.calls.byTarget[strings.TrimSpace(verb+" "+strings.Join(rest, "/"))]++
}

// upstream returns the URL of the API server and its transport: HTTP/2, except
// HTTP/1.1 for connections to be upgraded.
func (b *bench) upstream(ctx context.Context) (*url.URL, http.RoundTripper, error) {
	text, err := b.cluster.Kubectl(ctx, "config", "view", "--raw", "--minify", "--flatten", "-o", "json")
	if err != nil {
		return nil, nil, err
	}
	var c struct {
		Clusters []struct {
			Cluster struct {
				Server string
				CA     []byte `json:"certificate-authority-data"`
			}
		}
	}
	if err := json.Unmarshal([]byte(text), &c); err != nil || len(c.Clusters) != 1 {
		return nil, nil, fmt.Errorf("read the kubeconfig: %d clusters: %w", len(c.Clusters), err)
	}
	to, err := url.Parse(c.Clusters[0].Cluster.Server)
	if err != nil {
		return nil, nil, fmt.Errorf("read the kubeconfig: %w", err)
	}
	trust := &tls.Config{RootCAs: x509.NewCertPool(), MinVersion: tls.VersionTLS12}
	trust.RootCAs.AppendCertsFromPEM(c.Clusters[0].Cluster.CA)
	one := &http.Transport{TLSClientConfig: trust.Clone(), TLSNextProto: map[string]func(string, *tls.Conn) http.RoundTripper{}}
	return to, protocolTransport{http1: one, http2: &http.Transport{TLSClientConfig: trust, ForceAttemptHTTP2: true, MaxIdleConnsPerHost: 32}}, nil
}

type protocolTransport struct{ http1, http2 http.RoundTripper }

func (t protocolTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Header.Get("Upgrade") != "" {
		return t.http1.RoundTrip(r)
	}
	return t.http2.RoundTrip(r)
}
