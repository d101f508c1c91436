package sigstore

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"

	"github.com/secure-systems-lab/go-securesystemslib/encrypted"
	common "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"

	"github.com/slipway-cd/slipway/internal/fault"
)

// The PEM types of keys. cosign writes the encrypted ones.
const (
	sealedPEM = "ENCRYPTED SIGSTORE PRIVATE KEY"
	cosignPEM = "ENCRYPTED COSIGN PRIVATE KEY"
	plainPEM  = "PRIVATE KEY"
	ecPEM     = "EC PRIVATE KEY"
	publicPEM = "PUBLIC KEY"
)

// key is a private ECDSA P-256 key that implements sign.Keypair.
type key struct {
	private *ecdsa.PrivateKey
	der     []byte // of the public key
}

// readKey parses a private key. Its errors contain no part of the key.
func readKey(text, passphrase []byte) (key, error) {
	bad := func(format string, args ...any) *fault.Error {
		return fault.New(fault.Invalid, "read the signing key: "+format, args...)
	}
	block, _ := pem.Decode(bytes.TrimSpace(text))
	if block == nil {
		return key{}, bad("not in PEM format").Hint("generate one with `slipway keys generate` or `cosign generate-key-pair`")
	}
	der := block.Bytes
	switch block.Type {
	case sealedPEM, cosignPEM:
		open, err := encrypted.Decrypt(der, passphrase)
		if err != nil {
			return key{}, bad("wrong passphrase").Hint("set the environment variable in sign.passphrase")
		}
		der = open
	case plainPEM, ecPEM:
	default:
		return key{}, bad("%q is not a private key", block.Type).Hint("use the private key, cosign.key")
	}
	var parsed any
	var err error
	if block.Type == ecPEM {
		parsed, err = x509.ParseECPrivateKey(der)
	} else {
		parsed, err = x509.ParsePKCS8PrivateKey(der)
	}
	private, ok := parsed.(*ecdsa.PrivateKey)
	if err != nil || !ok || private.Curve != elliptic.P256() {
		return key{}, bad("not an ECDSA P-256 key").Hint("generate one with `slipway keys generate`")
	}
	return newKey(private)
}

func newKey(private *ecdsa.PrivateKey) (key, error) {
	der, err := x509.MarshalPKIXPublicKey(private.Public())
	if err != nil {
		return key{}, fmt.Errorf("encode the public key: %w", err)
	}
	return key{private, der}, nil
}

// fingerprint returns the SHA-256 of a public key (PKIX, DER).
func fingerprint(der []byte) string {
	sum := sha256.Sum256(der)
	return hex.EncodeToString(sum[:])
}

// SignData and the methods below implement sign.Keypair.
func (k key) SignData(_ context.Context, data []byte) (signature, digest []byte, err error) {
	sum := sha256.Sum256(data)
	signature, err = k.private.Sign(rand.Reader, sum[:], crypto.SHA256)
	return signature, sum[:], err
}

// GetHint returns the key hint in the form of cosign.
func (k key) GetHint() []byte {
	sum := sha256.Sum256(k.der)
	return []byte(base64.StdEncoding.EncodeToString(sum[:]))
}

// GetPublicKeyPem returns the public key.
func (k key) GetPublicKeyPem() (string, error) { return encodePublicKey(k.der), nil }

func encodePublicKey(der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: publicPEM, Bytes: der}))
}

func (k key) GetHashAlgorithm() common.HashAlgorithm { return common.HashAlgorithm_SHA2_256 }
func (k key) GetKeyAlgorithm() string                { return "ECDSA" }
func (k key) GetPublicKey() crypto.PublicKey         { return k.private.Public() }
func (k key) GetSigningAlgorithm() common.PublicKeyDetails {
	return common.PublicKeyDetails_PKIX_ECDSA_P256_SHA_256
}

// Generate returns a new key pair in PEM format. The private key is encrypted
// with the passphrase, which may be empty, in the form of cosign.
func Generate(passphrase []byte) (private, public []byte, err error) {
	fresh, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, fmt.Errorf("generate a key: %w", err)
	}
	k, err := newKey(fresh)
	if err != nil {
		return nil, nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(fresh)
	if err != nil {
		return nil, nil, fmt.Errorf("encode the key: %w", err)
	}
	sealed, err := encrypted.Encrypt(der, passphrase)
	if err != nil {
		return nil, nil, fmt.Errorf("encrypt the key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: sealedPEM, Bytes: sealed}), []byte(encodePublicKey(k.der)), nil
}

// readPublic parses a trusted key.
func readPublic(text string) (*ecdsa.PublicKey, []byte, error) {
	block, _ := pem.Decode([]byte(text))
	if block == nil || block.Type != publicPEM {
		return nil, nil, errors.New("not a public key in PEM format")
	}
	parsed, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return nil, nil, err
	}
	public, ok := parsed.(*ecdsa.PublicKey)
	if !ok || public.Curve != elliptic.P256() {
		return nil, nil, errors.New("not an ECDSA P-256 key")
	}
	return public, block.Bytes, nil
}
