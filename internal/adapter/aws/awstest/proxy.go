package awstest

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

// Server is a Cloud on loopback, as an HTTPS proxy: with HTTPS_PROXY set to URL and its
// CA trusted, every client reaches it by AWS's real host names, registries included.
type Server struct {
	URL string // http://127.0.0.1:PORT
	CA  []byte // PEM

	http     *http.Server
	inner    *http.Server
	accepted chan net.Conn
	done     chan struct{} // closed by Close
	key      *ecdsa.PrivateKey
	ca       *x509.Certificate

	mu    sync.Mutex
	certs map[string]*tls.Certificate
}

// Serve starts a Server for the cloud.
func (c *Cloud) Serve() (*Server, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	s := &Server{URL: "http://" + l.Addr().String(), accepted: make(chan net.Conn), done: make(chan struct{}), certs: map[string]*tls.Certificate{}}
	if err := s.newAuthority(); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	s.inner = &http.Server{Handler: c, ReadHeaderTimeout: 10 * time.Second}
	s.http = &http.Server{Handler: http.HandlerFunc(s.connect), ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = s.http.Serve(l) }()
	go func() { _ = s.inner.Serve(tunnels{s, l.Addr()}) }()
	return s, nil
}

// Env is the environment of a program that shall reach this AWS and no other network.
func (s *Server) Env(caFile string) []string {
	return []string{"HTTPS_PROXY=" + s.URL, "NO_PROXY=127.0.0.1,localhost", "SSL_CERT_FILE=" + caFile, "AWS_CA_BUNDLE=" + caFile, "AWS_EC2_METADATA_DISABLED=true"}
}

// Close ends the server and its connections. It is called once.
func (s *Server) Close() error {
	close(s.done)
	return errors.Join(s.http.Close(), s.inner.Close())
}

// connect gives the connection behind a CONNECT for a host of AWS to the cloud.
func (s *Server) connect(w http.ResponseWriter, r *http.Request) {
	host, port, err := net.SplitHostPort(r.Host)
	if r.Method != http.MethodConnect || err != nil || port != "443" || !strings.HasSuffix(host, ".amazonaws.com") {
		http.Error(w, "awstest leads to AWS only, not to "+r.Host, http.StatusForbidden)
		return
	}
	conn, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	if _, err := conn.Write([]byte("HTTP/1.1 200 OK\r\n\r\n")); err != nil {
		_ = conn.Close()
		return
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return s.certificate(host) }}
	select {
	case s.accepted <- tls.Server(prefixed{conn, buffered.Reader}, config):
	case <-s.done:
		_ = conn.Close()
	}
}

// prefixed is a connection of which something was read ahead.
type prefixed struct {
	net.Conn
	r *bufio.Reader
}

func (p prefixed) Read(b []byte) (int, error) { return p.r.Read(b) }

// tunnels is the listener of the connections that came by CONNECT.
type tunnels struct {
	s    *Server
	addr net.Addr
}

func (t tunnels) Accept() (net.Conn, error) {
	select {
	case conn := <-t.s.accepted:
		return conn, nil
	case <-t.s.done:
		return nil, net.ErrClosed
	}
}
func (t tunnels) Close() error   { return nil }
func (t tunnels) Addr() net.Addr { return t.addr }

func (s *Server) newAuthority() (err error) {
	if s.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		return fmt.Errorf("generate the key of the CA: %w", err)
	}
	template := certificateTemplate("awstest")
	template.IsCA, template.BasicConstraintsValid, template.KeyUsage = true, true, x509.KeyUsageCertSign|x509.KeyUsageDigitalSignature
	der, err := x509.CreateCertificate(rand.Reader, template, template, &s.key.PublicKey, s.key)
	if err != nil {
		return fmt.Errorf("create the CA: %w", err)
	}
	s.ca, err = x509.ParseCertificate(der)
	s.CA = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	return err
}

// certificate returns one of the host, made at its first use.
func (s *Server) certificate(host string) (*tls.Certificate, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c := s.certs[host]; c != nil {
		return c, nil
	}
	template := certificateTemplate(host)
	template.DNSNames, template.ExtKeyUsage = []string{host}, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	der, err := x509.CreateCertificate(rand.Reader, template, s.ca, &s.key.PublicKey, s.key)
	if err != nil {
		return nil, fmt.Errorf("create the certificate of %s: %w", host, err)
	}
	s.certs[host] = &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: s.key}
	return s.certs[host], nil
}

func certificateTemplate(name string) *x509.Certificate {
	return &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour), KeyUsage: x509.KeyUsageDigitalSignature,
	}
}
