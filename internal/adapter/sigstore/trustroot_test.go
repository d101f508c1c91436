package sigstore

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/sigstore/sigstore-go/pkg/root"

	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// TestPublicRoot_Cache: the trust root is cached for an hour, and nothing is
// trusted while it is unreachable.
func TestPublicRoot_Cache(t *testing.T) {
	p := newFakeSigstore(t)
	b, err := p.signer().Sign(t.Context(), []byte(statement))
	p.must(err)
	trusted := p.trust(p.subject)
	given := trusted.Root
	trusted.Root = ""
	now, asked := time.Now(), 0
	var trouble error
	s := New(Config{})
	s.public.clock = func() time.Time { return now }
	s.public.fetch = func() (root.TrustedMaterial, error) {
		asked++
		if trouble != nil {
			return nil, trouble
		}
		return root.NewTrustedRootFromJSON([]byte(given))
	}
	verify := func() error { _, err := s.Verify(t.Context(), b, trusted); return err }
	trouble = errors.New("no such host")
	if err := verify(); !fault.Is(err, fault.Unavailable) || fault.HintOf(err) == "" {
		t.Errorf("out of reach: %v", err)
	}
	trouble = nil
	for range 3 {
		if err := verify(); err != nil {
			t.Error(err)
		}
	}
	if asked != 2 {
		t.Errorf("it was asked for %d times, want once more after the trouble", asked)
	}
	now = now.Add(2 * rootTTL)
	if err := verify(); err != nil || asked != 3 {
		t.Errorf("much later: %v, asked %d times", err, asked)
	}
}

func TestPublicRoot_Canceled(t *testing.T) {
	p := newFakeSigstore(t)
	b, err := p.signer().Sign(t.Context(), []byte(statement))
	p.must(err)
	s, never := New(Config{}), make(chan struct{})
	defer close(never)
	s.public.fetch = func() (root.TrustedMaterial, error) { <-never; return nil, errors.New("late") }
	why := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(why)
	if _, err := s.Verify(ctx, b, port.TrustPolicy{Identities: p.trust(p.subject).Identities}); !errors.Is(err, why) {
		t.Errorf("%v, want the context's cause", err)
	}
}
