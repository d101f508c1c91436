//go:build e2e

package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/slipway-cd/slipway/e2e/cluster"
)

// replaceModelImage makes new pods get another model image than their release has, by
// an admission webhook: admission policies that change objects are new in 1.36.
func (h *clusterProject) replaceModelImage(image string) func() {
	h.t.Helper()
	if h.cluster.NodeIP == "" {
		h.t.Skip("the cluster can't reach an admission webhook on this machine")
	}
	patch, err := json.Marshal([]map[string]string{{"op": "replace", "path": "/spec/initContainers/0/image", "value": image}})
	h.must(err)
	url, ca, stop := h.servePatches(patch)
	h.apply(fmt.Sprintf(`apiVersion: admissionregistration.k8s.io/v1
kind: MutatingWebhookConfiguration
metadata: {name: %[1]s}
webhooks:
  - name: model.slipway.dev
    admissionReviewVersions: [v1]
    sideEffects: None
    failurePolicy: Fail
    namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: %[1]s}}
    rules: [{apiGroups: [""], apiVersions: [v1], operations: [CREATE], resources: [pods]}]
    clientConfig: {url: %[2]q, caBundle: %[3]s}
`, h.namespace, url, base64.StdEncoding.EncodeToString(ca)))
	probe := `apiVersion: v1
kind: Pod
metadata: {name: probe}
spec: {initContainers: [{name: slipway-model, image: right}], containers: [{name: api, image: api}]}
`
	if !h.eventually(20*time.Second, func() bool {
		out, err := h.cluster.KubectlInput(h.t.Context(), probe, "-n", h.namespace, "create", "-f", "-", "--dry-run=server", "-o", "yaml")
		return err == nil && strings.Contains(out, image)
	}) {
		h.t.Error("the admission webhook is not effective")
	}
	return func() {
		h.kubectl("delete", "mutatingwebhookconfiguration", h.namespace)
		stop()
	}
}

// servePatches serves an admission webhook that admits everything with the patch. It
// returns its address for the API server and its certificate as PEM.
func (h *clusterProject) servePatches(patch []byte) (url string, ca []byte, stop func()) {
	h.t.Helper()
	listener, err := net.Listen("tcp", net.JoinHostPort(cluster.HostIP, "0"))
	h.must(err)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var review struct {
			Request struct{ UID string }
		}
		if err := json.NewDecoder(r.Body).Decode(&review); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]any{
			"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
			"response": map[string]any{"uid": review.Request.UID, "allowed": true, "patchType": "JSONPatch", "patch": patch},
		})
	}))
	h.must(server.Listener.Close())
	server.Listener = listener
	certificate, ca, err := selfSigned(net.ParseIP(cluster.HostIP))
	h.must(err)
	server.TLS = &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12}
	server.StartTLS()
	h.t.Cleanup(server.Close)
	return server.URL, ca, server.Close
}

// selfSigned returns a certificate of a server at ip, and the same as PEM.
func selfSigned(ip net.IP) (tls.Certificate, []byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, nil, fmt.Errorf("generate a key: %w", err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), IPAddresses: []net.IP{ip}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return tls.Certificate{}, nil, fmt.Errorf("create a certificate: %w", err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), nil
}
