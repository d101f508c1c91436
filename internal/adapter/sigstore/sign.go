package sigstore

import (
	"context"
	"crypto/ecdsa"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"

	bundles "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"
	"github.com/sigstore/sigstore-go/pkg/bundle"
	"github.com/sigstore/sigstore-go/pkg/sign"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/slipway-cd/slipway/internal/port"
)

// payloadType is the media type of the payload of envelopes.
const payloadType = "application/vnd.in-toto+json"

// keySigner signs with a key and makes no network requests.
type keySigner struct{ key key }

// Sign returns the bundle.
func (s keySigner) Sign(ctx context.Context, statement []byte) ([]byte, error) {
	b, err := sign.Bundle(envelope(statement), s.key, sign.BundleOptions{Context: ctx})
	if err != nil {
		return nil, fmt.Errorf("sign a statement: %w", err)
	}
	return marshalBundle(b)
}

// OwnStatement opens a bundle that this key signed.
func (s keySigner) OwnStatement(_ context.Context, raw []byte) ([]byte, bool) {
	b, err := parseBundle(raw)
	if err != nil {
		return nil, false
	}
	return signedBy(b, &s.key.private.PublicKey)
}

// Identity is the key.
func (s keySigner) Identity(context.Context) (port.SignerIdentity, error) {
	return port.SignerIdentity{Key: fingerprint(s.key.der)}, nil
}

func envelope(statement []byte) *sign.DSSEData {
	return &sign.DSSEData{Data: statement, PayloadType: payloadType}
}

func marshalBundle(b *bundles.Bundle) ([]byte, error) {
	raw, err := protojson.Marshal(b)
	if err != nil {
		return nil, fmt.Errorf("encode a bundle: %w", err)
	}
	// The library adds random spaces; the same bundle must have the same bytes.
	var plain json.RawMessage
	if err := json.Unmarshal(raw, &plain); err != nil {
		return nil, fmt.Errorf("encode a bundle: %w", err)
	}
	return json.Marshal(plain)
}

// parseBundle parses a bundle with a statement, without verifying it.
func parseBundle(raw []byte) (*bundle.Bundle, error) {
	if len(raw) > maxBundle {
		return nil, fmt.Errorf("the bundle has %d bytes, which is too large", len(raw))
	}
	b := new(bundle.Bundle)
	if err := b.UnmarshalJSON(raw); err != nil {
		return nil, err
	}
	e := b.GetDsseEnvelope()
	if e == nil || e.GetPayloadType() != payloadType || len(e.GetSignatures()) != 1 {
		return nil, errors.New("the bundle has no signed statement")
	}
	return b, nil
}

// signedBy reports whether the key made the only signature of the bundle. It does
// not check who owns the key.
func signedBy(b *bundle.Bundle, public *ecdsa.PublicKey) ([]byte, bool) {
	e := b.GetDsseEnvelope()
	sum := sha256.Sum256(envelope(e.GetPayload()).PreAuthEncoding())
	return e.GetPayload(), ecdsa.VerifyASN1(public, sum[:], e.GetSignatures()[0].GetSig())
}
