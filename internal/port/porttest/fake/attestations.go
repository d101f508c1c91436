package fake

import (
	"context"
	"encoding/json"
	"slices"
	"sync"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// AttestationStore keeps bundles in memory.
type AttestationStore struct {
	Fail    error // of every call
	Missing func(port.Subject) bool
	Fuse    *Fuse
	Calls   []string // in order; read it when nothing runs

	mu   sync.Mutex
	held map[delivery.Digest][]bundle
}

type bundle struct {
	at   port.Attachment
	body []byte
}

var _ port.AttestationStore = (*AttestationStore)(nil)

func (a *AttestationStore) enter(ctx context.Context, call string, s port.Subject) (func(), error) {
	leave := a.Fuse.call()
	a.mu.Lock()
	a.Calls = append(a.Calls, call)
	out := func() { a.mu.Unlock(); leave() }
	switch {
	case ctx.Err() != nil:
		return out, context.Cause(ctx)
	case a.Fail != nil:
		return out, a.Fail
	case a.Missing != nil && a.Missing(s):
		return out, fault.New(fault.NotFound, "%s not found", s)
	}
	return out, nil
}

// Attach keeps a bundle.
func (a *AttestationStore) Attach(ctx context.Context, s port.Subject, kind string, body []byte) (port.Attachment, error) {
	leave, err := a.enter(ctx, "Attach "+kind, s)
	defer leave()
	if err != nil {
		return port.Attachment{}, err
	}
	at := port.Attachment{Digest: delivery.DigestOf(append([]byte(s.Digest()), body...)), Type: kind}
	if a.held == nil {
		a.held = map[delivery.Digest][]bundle{}
	}
	same := func(b bundle) bool { return b.at == at }
	if !slices.ContainsFunc(a.held[s.Digest()], same) {
		a.held[s.Digest()] = append(a.held[s.Digest()], bundle{at, slices.Clone(body)})
	}
	return at, nil
}

// Attachments lists them.
func (a *AttestationStore) Attachments(ctx context.Context, s port.Subject) ([]port.Attachment, error) {
	leave, err := a.enter(ctx, "Attachments", s)
	defer leave()
	if err != nil {
		return nil, err
	}
	out := []port.Attachment{}
	for _, b := range a.held[s.Digest()] {
		out = append(out, b.at)
	}
	return out, nil
}

// Bundle reads one.
func (a *AttestationStore) Bundle(ctx context.Context, s port.Subject, at port.Attachment) ([]byte, error) {
	leave, err := a.enter(ctx, "Bundle", s)
	defer leave()
	if err != nil {
		return nil, err
	}
	for _, b := range a.held[s.Digest()] {
		if b.at.Digest == at.Digest {
			return slices.Clone(b.body), nil
		}
	}
	return nil, fault.New(fault.NotFound, "bundle %s not found", at.Digest.Short())
}

// Signer signs with its name: a policy that trusts a key of that name accepts it.
type Signer struct{ Name string }

// signed is a bundle. Its seal is a digest: enough against changes in a test.
type signed struct {
	By        string          `json:"by"`
	Statement []byte          `json:"statement"`
	Seal      delivery.Digest `json:"seal"`
}

func (s signed) seal() delivery.Digest {
	return delivery.DigestOf(append([]byte(s.By+"|"), s.Statement...))
}

func opened(raw []byte) (signed, bool) {
	var s signed
	return s, json.Unmarshal(raw, &s) == nil && s.By != "" && s.Seal == s.seal()
}

// Sign makes a bundle.
func (s Signer) Sign(_ context.Context, statement []byte) ([]byte, error) {
	out := signed{By: s.Name, Statement: statement}
	out.Seal = out.seal()
	return json.Marshal(out)
}

// OwnStatement opens a bundle of the same name.
func (s Signer) OwnStatement(_ context.Context, raw []byte) ([]byte, bool) {
	b, ok := opened(raw)
	return b.Statement, ok && b.By == s.Name
}

// Identity is the name.
func (s Signer) Identity(context.Context) (port.SignerIdentity, error) {
	return port.SignerIdentity{Key: "key of " + s.Name}, nil
}

// TrustPolicy returns a policy that trusts keys of these names.
func TrustPolicy(names ...string) port.TrustPolicy {
	var t port.TrustPolicy
	for _, n := range names {
		t.Keys = append(t.Keys, port.TrustedKey{Name: n})
	}
	return t
}

// Verifier trusts the names of keys.
type Verifier struct{ Fail error }

// Verify returns the statement of a bundle that a trusted key signed.
func (v Verifier) Verify(_ context.Context, raw []byte, t port.TrustPolicy) (port.VerifiedStatement, error) {
	b, ok := opened(raw)
	switch {
	case v.Fail != nil:
		return port.VerifiedStatement{}, v.Fail
	case !ok:
		return port.VerifiedStatement{}, fault.New(fault.Corrupt, "read a signature")
	case !slices.ContainsFunc(t.Keys, func(k port.TrustedKey) bool { return k.Name == b.By }):
		return port.VerifiedStatement{}, fault.New(fault.Denied, "signed by a key that the policy does not trust")
	}
	return port.VerifiedStatement{Statement: b.Statement, Signer: port.SignerIdentity{Key: "key of " + b.By, Name: b.By}}, nil
}

// SignerFactory makes signers named by the text of their keys.
type SignerFactory struct {
	Fail     error
	Requests []port.SignRequest
}

// NewSigner makes one.
func (s *SignerFactory) NewSigner(o port.SignRequest) (port.Signer, error) {
	s.Requests = append(s.Requests, o)
	name := string(o.Key)
	if name == "" {
		name = "ci"
	}
	return Signer{Name: name}, s.Fail
}
