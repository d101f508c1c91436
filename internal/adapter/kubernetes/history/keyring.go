package history

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/client"
	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/labels"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

const (
	secretKey   = "key"
	secretBytes = 32
	macDomain   = "slipway.dev/history/v1\n"
)

// keyDescription is for people who find the key.
const keyDescription = "vouches for the history of this environment; whoever reads it can forge the history"

// Keyring vouches for the records of one environment, and finds out what was vouched
// for. Safe for concurrent use.
type Keyring struct {
	Service     string
	Environment delivery.Environment
	Keys        func() (port.HistoryKeys, error) // nil: only the namespace's own key
	Signers     port.SignerFactory
	Signatures  port.Verifier

	mu     sync.Mutex // never held during a request
	secret []byte
	writer port.Signer
	saved  map[delivery.Digest]bool // what this process has vouched for: it needs no proof
}

func (k *Keyring) keys() (port.HistoryKeys, error) {
	if k.Keys == nil {
		return port.HistoryKeys{}, nil
	}
	return k.Keys()
}

// secretName is that of the Secret with the namespace's own key.
func (k *Keyring) secretName() string {
	return labels.ObjectName(k.Service, k.Environment) + ".history"
}

// namespaceKey returns the key that the namespace keeps in a Secret; nil: it has none, or
// we may not read it. With create it is made.
func (k *Keyring) namespaceKey(ctx context.Context, c *client.Client, create bool) ([]byte, error) {
	k.mu.Lock()
	known := k.secret
	k.mu.Unlock()
	if known != nil {
		return known, nil
	}
	o, err := c.Get(ctx, client.Secrets(), "", k.secretName())
	if err == nil && o == nil && create {
		o, err = k.createSecret(ctx, c)
	}
	if fault.Is(err, fault.Denied) || err == nil && o == nil {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	text, _, _ := unstructured.NestedString(o.Object, "data", secretKey)
	key, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(key) < secretBytes {
		return nil, fault.New(fault.Corrupt, "read the key of the history in Secret %s", o.GetName()).
			Hint("delete that Secret; then accept the history with `slipway history accept --env %s`", k.Environment)
	}
	k.mu.Lock()
	k.secret = key
	k.mu.Unlock()
	return key, nil
}

// createSecret makes the key; another process may be quicker.
func (k *Keyring) createSecret(ctx context.Context, c *client.Client) (*unstructured.Unstructured, error) {
	key := make([]byte, secretBytes)
	if _, err := rand.Read(key); err != nil {
		return nil, fmt.Errorf("make a key for the history: %w", err)
	}
	o := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "Secret", "type": "Opaque", "immutable": true,
		"data": map[string]any{secretKey: base64.StdEncoding.EncodeToString(key)},
		"metadata": map[string]any{
			"name": k.secretName(), "namespace": c.Namespace(), "annotations": map[string]any{"description": keyDescription},
			"labels": map[string]any{labels.ManagedBy: labels.Manager, labels.Service: k.Service, labels.Environment: string(k.Environment)},
		},
	}}
	made, err := c.In(client.Secrets(), "").Create(ctx, o, metav1.CreateOptions{FieldManager: labels.Manager})
	switch {
	case apierrors.IsAlreadyExists(err):
		return c.Get(ctx, client.Secrets(), "", k.secretName())
	case apierrors.IsForbidden(err):
		return nil, nil //nolint:nilnil // documented: there is no key
	}
	return made, client.Explain("create Secret "+k.secretName(), err)
}

// deleteSecret removes the namespace's key. Who may not, could not make it either.
func (k *Keyring) deleteSecret(ctx context.Context, c *client.Client) error {
	k.mu.Lock()
	k.secret = nil
	k.mu.Unlock()
	if err := c.Delete(ctx, client.Secrets(), "", k.secretName()); !fault.Is(err, fault.Denied) {
		return err
	}
	return nil
}

// seal vouches for records: a MAC with the namespace's key, or a
// signature with that of the project.
type seal struct {
	Statement string          `json:"statement,omitempty"` // under MAC
	MAC       string          `json:"mac,omitempty"`
	Bundle    json.RawMessage `json:"bundle,omitempty"` // a Sigstore bundle around the statement
}

// statement lists the digests of the records that its signer vouches for, in the form of
// in-toto.
type statement struct {
	Type          string    `json:"_type"`
	Subject       []subject `json:"subject"`
	PredicateType string    `json:"predicateType"`
	Predicate     predicate `json:"predicate"`
}

type subject struct {
	Name   string            `json:"name"`
	Digest map[string]string `json:"digest"`
}

type predicate struct {
	Service     string               `json:"service"`
	Environment delivery.Environment `json:"environment"`
	Records     []delivery.Digest    `json:"records"`
}

const (
	statementType = "https://in-toto.io/Statement/v1"
	predicateType = "https://slipway.dev/history/v1"
)

// statement encodes what is vouched for.
func (k *Keyring) statement(records []delivery.Digest) ([]byte, error) {
	p := predicate{Service: k.Service, Environment: k.Environment, Records: records}
	content, err := json.Marshal(p)
	if err != nil {
		return nil, fmt.Errorf("encode the seal of the history: %w", err)
	}
	return json.Marshal(statement{
		Type: statementType, PredicateType: predicateType, Predicate: p,
		Subject: []subject{{Name: k.Service + "/" + string(k.Environment), Digest: map[string]string{"sha256": delivery.DigestOf(content).Hex()}}},
	})
}

// records returns what a statement vouches for; nothing if it is about something else.
func (k *Keyring) records(raw []byte) []delivery.Digest {
	var s statement
	if err := json.Unmarshal(raw, &s); err != nil || s.PredicateType != predicateType ||
		s.Predicate.Service != k.Service || s.Predicate.Environment != k.Environment {
		return nil
	}
	return s.Predicate.Records
}

// seal vouches for the records, with every key that this process has.
func (k *Keyring) seal(ctx context.Context, c *client.Client, records []delivery.Digest) ([]seal, error) {
	raw, err := k.statement(records)
	if err != nil {
		return nil, err
	}
	var seals []seal
	key, err := k.namespaceKey(ctx, c, true)
	if err != nil {
		return nil, err
	}
	if key != nil {
		seals = append(seals, seal{Statement: string(raw), MAC: mac(key, raw)})
	}
	if signer := k.signer(); signer != nil {
		bundle, err := signer.Sign(ctx, raw)
		if err != nil {
			return nil, fmt.Errorf("sign the history of %s: %w", k.Environment, err)
		}
		seals = append(seals, seal{Bundle: bundle})
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.saved == nil {
		k.saved = map[delivery.Digest]bool{}
	}
	for _, d := range records {
		k.saved[d] = true
	}
	return seals, nil
}

// signer returns the project's key, or nil. One that can't be used is none: a rollback
// must not fail for it.
func (k *Keyring) signer() port.Signer {
	k.mu.Lock()
	known := k.writer
	k.mu.Unlock()
	if known != nil {
		return known
	}
	keys, err := k.keys()
	if err != nil || keys.Sign == nil || k.Signers == nil {
		return nil
	}
	signer, err := k.Signers.NewSigner(*keys.Sign)
	if err != nil {
		return nil
	}
	k.mu.Lock()
	k.writer = signer
	k.mu.Unlock()
	return signer
}

// trusted returns the digests of the records that a trusted key vouches for, and those
// that this process itself has saved.
func (k *Keyring) trusted(ctx context.Context, c *client.Client, seals []seal) (map[delivery.Digest]bool, error) {
	k.mu.Lock()
	found := maps.Clone(k.saved)
	k.mu.Unlock()
	if found == nil {
		found = map[delivery.Digest]bool{}
	}
	keys, err := k.keys()
	if err != nil {
		return nil, err
	}
	for _, s := range seals {
		raw, err := k.open(ctx, c, s, keys.Trust)
		if err != nil {
			return nil, err
		}
		for _, d := range k.records(raw) {
			found[d] = true
		}
	}
	return found, nil
}

// open returns the statement of a seal by a key that counts; nil: it does not. Where keys
// of the project are trusted, that of the namespace is not enough.
func (k *Keyring) open(ctx context.Context, c *client.Client, s seal, trust port.TrustPolicy) ([]byte, error) {
	if len(trust.Keys) > 0 {
		if len(s.Bundle) == 0 || k.Signatures == nil {
			return nil, nil
		}
		v, err := k.Signatures.Verify(ctx, s.Bundle, port.TrustPolicy{Keys: trust.Keys})
		if fault.Is(err, fault.Denied) || fault.Is(err, fault.Corrupt) {
			return nil, nil
		}
		return v.Statement, err
	}
	if s.MAC == "" {
		return nil, nil
	}
	key, err := k.namespaceKey(ctx, c, false)
	if err != nil || key == nil || !hmac.Equal([]byte(mac(key, []byte(s.Statement))), []byte(s.MAC)) {
		return nil, err
	}
	return []byte(s.Statement), nil
}

func mac(key, statement []byte) string {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(macDomain))
	h.Write(statement)
	return hex.EncodeToString(h.Sum(nil))
}
