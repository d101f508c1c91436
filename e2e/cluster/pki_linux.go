package cluster

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// lifetime is the validity of the certificates: clusters are short-lived.
const lifetime = 30 * 24 * time.Hour

// certAuthority signs certificates.
type certAuthority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pem  []byte
}

// keyPair is a certificate and its key as PEM.
type keyPair struct{ cert, key []byte }

// writePKI writes all certificates and kubeconfigs of the components to dir.
func writePKI(dir string) error {
	ca, err := newAuthority("slipway-cluster")
	if err != nil {
		return err
	}
	front, err := newAuthority("slipway-cluster-front-proxy")
	if err != nil {
		return err
	}
	account, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return fmt.Errorf("generate the service accounts' key: %w", err)
	}
	accountKey, err := keyPEM(account)
	if err != nil {
		return err
	}
	public, err := x509.MarshalPKIXPublicKey(&account.PublicKey)
	if err != nil {
		return fmt.Errorf("encode the service accounts' key: %w", err)
	}
	files := map[string][]byte{
		"ca.crt": ca.pem, "front-proxy-ca.crt": front.pem,
		"sa.key": accountKey, "sa.pub": pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public}),
	}
	if err := issueCertificates(files, ca, front); err != nil {
		return err
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			return fmt.Errorf("write %s: %w", name, err)
		}
	}
	return nil
}

// issueCertificates adds a certificate for every server and client to files, and a
// kubeconfig for each client of the API server.
func issueCertificates(files map[string][]byte, ca, frontCA *certAuthority) error {
	names := []string{"localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local", nodeName, "metrics-server.kube-system.svc"}
	for _, identity := range []struct {
		file, name, group string
		by                *certAuthority
		asks              bool
	}{
		{"apiserver", "kube-apiserver", "", ca, false},
		{"apiserver-kubelet-client", "kube-apiserver-kubelet-client", "system:masters", ca, false},
		{"front-proxy-client", "front-proxy-client", "", frontCA, false},
		{"admin", "admin", "system:masters", ca, true},
		{"controller-manager", "system:kube-controller-manager", "", ca, true},
		{"scheduler", "system:kube-scheduler", "", ca, true},
		{"proxy", "system:kube-proxy", "", ca, true},
		{"kubelet", "system:node:" + nodeName, "system:nodes", ca, true},
		{"metrics-server", "metrics-server", "system:masters", ca, true},
	} {
		p, err := identity.by.issue(identity.name, identity.group, names)
		if err != nil {
			return err
		}
		files[identity.file+".crt"], files[identity.file+".key"] = p.cert, p.key
		if identity.asks {
			files[identity.file+".kubeconfig"] = kubeconfig(ca.pem, p)
		}
	}
	return nil
}

func newAuthority(name string) (*certAuthority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("generate the key of %s: %w", name, err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(lifetime),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, fmt.Errorf("create the certificate of %s: %w", name, err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("read the certificate of %s: %w", name, err)
	}
	return &certAuthority{cert, key, certPEM(der)}, nil
}

// issue creates a certificate that is valid for a server with the names and the
// node's addresses, and for a client in the group.
func (a *certAuthority) issue(name, group string, names []string) (keyPair, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return keyPair{}, fmt.Errorf("generate the key of %s: %w", name, err)
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return keyPair{}, fmt.Errorf("create the certificate of %s: %w", name, err)
	}
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(lifetime),
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		DNSNames:    names, IPAddresses: []net.IP{net.ParseIP("127.0.0.1"), net.ParseIP(nodeIP), net.ParseIP(apiServiceIP)},
	}
	if group != "" {
		template.Subject.Organization = []string{group}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, &key.PublicKey, a.key)
	if err != nil {
		return keyPair{}, fmt.Errorf("create the certificate of %s: %w", name, err)
	}
	encoded, err := keyPEM(key)
	return keyPair{certPEM(der), encoded}, err
}

func certPEM(der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

func keyPEM(key *ecdsa.PrivateKey) ([]byte, error) {
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("encode a key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der}), nil
}

func kubeconfig(ca []byte, p keyPair) []byte {
	b64 := base64.StdEncoding.EncodeToString
	return fmt.Appendf(nil, `apiVersion: v1
kind: Config
clusters:
- name: slipway
  cluster: {server: %q, certificate-authority-data: %s}
users:
- name: slipway
  user: {client-certificate-data: %s, client-key-data: %s}
contexts:
- name: slipway
  context: {cluster: slipway, user: slipway}
current-context: slipway
`, apiServer, b64(ca), b64(p.cert), b64(p.key))
}
