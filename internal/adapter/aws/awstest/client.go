package awstest

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"net/url"
)

// Client returns a client that reaches this AWS, and nothing else.
func (s *Server) Client() (*http.Client, error) {
	proxy, err := url.Parse(s.URL)
	if err != nil {
		return nil, fmt.Errorf("parse the proxy's address: %w", err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(s.CA)
	return &http.Client{Transport: &http.Transport{
		Proxy: http.ProxyURL(proxy), TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
	}}, nil
}
