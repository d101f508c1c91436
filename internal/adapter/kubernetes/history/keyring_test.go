package history

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/fakeapi"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// signs is a signer whose signatures only its verifier accepts.
type signs struct{ name string }

func (s signs) Sign(_ context.Context, statement []byte) ([]byte, error) {
	return json.Marshal(map[string]string{"by": s.name, "of": string(statement)})
}
func (s signs) OwnStatement(context.Context, []byte) ([]byte, bool) { return nil, false }
func (s signs) Identity(context.Context) (port.SignerIdentity, error) {
	return port.SignerIdentity{}, nil
}
func (s signs) NewSigner(req port.SignRequest) (port.Signer, error) {
	return signs{string(req.Key)}, nil
}
func (s signs) Verify(_ context.Context, bundle []byte, t port.TrustPolicy) (port.VerifiedStatement, error) {
	var b map[string]string
	if err := json.Unmarshal(bundle, &b); err != nil {
		return port.VerifiedStatement{}, fault.New(fault.Corrupt, "read a bundle")
	}
	for _, k := range t.Keys {
		if k.PEM == b["by"] {
			return port.VerifiedStatement{Statement: []byte(b["of"])}, nil
		}
	}
	return port.VerifiedStatement{}, fault.New(fault.Denied, "signed by another key")
}

// TestKeyring_ProjectKey: where the environment trusts keys, the namespace's own key is
// not enough.
func TestKeyring_ProjectKey(t *testing.T) {
	with := func(key string, trusted ...string) *Keyring {
		k := machine()
		k.Signers, k.Signatures = signs{}, signs{}
		k.Keys = func() (keys port.HistoryKeys, err error) {
			if key != "" {
				keys.Sign = &port.SignRequest{Key: []byte(key)}
			}
			for _, pem := range trusted {
				keys.Trust.Keys = append(keys.Trust.Keys, port.TrustedKey{PEM: pem})
			}
			return keys, nil
		}
		return k
	}
	for name, c := range map[string]struct {
		writer, reader *Keyring
		pending        int
	}{
		"the project's key":                {with("a", "a"), with("", "a"), 0},
		"one of two":                       {with("b", "b"), with("", "a", "b"), 0},
		"another key":                      {with("b", "b"), with("", "a"), all},
		"only that of the namespace":       {with("", "a"), with("", "a"), all},
		"nothing is trusted":               {with("a"), with(""), 0},
		"the writer itself needs no proof": {nil, nil, 0},
	} {
		t.Run(name, func(t *testing.T) {
			server := fakeapi.New(t)
			if c.writer == nil {
				c.writer = with("", "a")
				c.reader = c.writer
			}
			if err := Save(t.Context(), server.Client(), c.writer, story()); err != nil {
				t.Fatal(err)
			}
			if got := unsignedOf(t, server, c.reader); len(got) != c.pending {
				t.Errorf("pending %q, want %d", got, c.pending)
			}
		})
	}
	broken := machine()
	broken.Keys = func() (port.HistoryKeys, error) { return port.HistoryKeys{}, errors.New("cosign.pub not found") }
	server := fakeapi.New(t)
	if err := Save(t.Context(), server.Client(), machine(), story()); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(t.Context(), server.Client(), broken); err == nil {
		t.Error("Load without the trusted keys: no error")
	}
}

// TestKeyring_NoRights: who may not use Secrets can still deploy; for others the history
// stays pending.
func TestKeyring_NoRights(t *testing.T) {
	server := fakeapi.New(t)
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		code, content := http.StatusForbidden, any(metav1.Status{
			TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}, Status: metav1.StatusFailure, Code: http.StatusForbidden, Reason: metav1.StatusReasonForbidden,
		})
		if !strings.Contains(req.URL.Path, "/secrets") {
			code, content = server.Respond(req)
		}
		raw, err := json.Marshal(content)
		if err != nil {
			t.Error(err)
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(code)
		_, _ = w.Write(raw)
	}))
	defer api.Close()
	c, k := fakeapi.ClientAt(t, api.URL), machine()
	if err := Save(t.Context(), c, k, story()); err != nil {
		t.Fatal(err)
	}
	h, err := Load(t.Context(), c, k)
	if err != nil || h.Deployments[0].Unsigned || h.Releases[0].Unsigned {
		t.Errorf("what this process saved: %+v, %v", h.Deployments, err)
	}
	if got := unsignedOf(t, server, machine()); len(got) != all {
		t.Errorf("pending %q, want all %d records", got, all)
	}
	if err := Delete(t.Context(), c, k); err != nil {
		t.Error(err)
	}
}
