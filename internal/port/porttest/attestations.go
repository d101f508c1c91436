package porttest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// TestAttestationStore holds an adapter to port.AttestationStore. fresh gives one with
// two subjects that are there.
func TestAttestationStore(t *testing.T, fresh func(t *testing.T) (port.AttestationStore, [2]port.Subject)) {
	tests := map[string]func(*testing.T, port.AttestationStore, [2]port.Subject){
		"attach and read": attachAndRead, "the same again": attachAgain, "no subject": attachNoSubject,
		"at once": attachAtOnce, "stopped": attachStopped,
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			a, subjects := fresh(t)
			test(t, a, subjects)
		})
	}
}

const somePredicate = "https://slsa.dev/provenance/v1"

func attached(t *testing.T, a port.AttestationStore, s port.Subject) []port.Attachment {
	t.Helper()
	all, err := a.Attachments(t.Context(), s)
	if err != nil {
		t.Fatalf("list the statements about %s: %v", s, err)
	}
	return all
}

func attachAndRead(t *testing.T, a port.AttestationStore, subjects [2]port.Subject) {
	for _, s := range subjects {
		if all := attached(t, a, s); len(all) != 0 {
			t.Errorf("before anything was attached there is %v", all)
		}
	}
	bodies := map[string]string{somePredicate: `{"one":1}`, "https://cyclonedx.org/bom": strings.Repeat("x", 100_000)}
	for kind, body := range bodies {
		if _, err := a.Attach(t.Context(), subjects[0], kind, []byte(body)); err != nil {
			t.Fatal(err)
		}
	}
	all := attached(t, a, subjects[0])
	if len(all) != len(bodies) {
		t.Errorf("%d are listed, %d were attached", len(all), len(bodies))
	}
	for _, at := range all {
		got, err := a.Bundle(t.Context(), subjects[0], at)
		if err != nil || string(got) != bodies[at.Type] {
			t.Errorf("the bundle of type %q has %d bytes, %v", at.Type, len(got), err)
		}
	}
	if all := attached(t, a, subjects[1]); len(all) != 0 {
		t.Errorf("beside the other subject lies %v", all)
	}
}

func attachAgain(t *testing.T, a port.AttestationStore, subjects [2]port.Subject) {
	one, err := a.Attach(t.Context(), subjects[0], somePredicate, []byte("{}"))
	if err != nil {
		t.Fatal(err)
	}
	two, err := a.Attach(t.Context(), subjects[0], somePredicate, []byte("{}"))
	if err != nil || one != two {
		t.Errorf("again: %v, %v; before %v", two, err, one)
	}
	if all := attached(t, a, subjects[0]); len(all) != 1 || all[0].Digest != one.Digest {
		t.Errorf("there are %v", all)
	}
	// The same bundle beside another subject is another attachment.
	if _, err := a.Attach(t.Context(), subjects[1], somePredicate, []byte("{}")); err != nil || len(attached(t, a, subjects[1])) != 1 {
		t.Errorf("beside the other subject: %v", err)
	}
}

func attachNoSubject(t *testing.T, a port.AttestationStore, subjects [2]port.Subject) {
	gone := subjects[0]
	none := delivery.Digest("sha256:" + strings.Repeat("0", 64))
	if gone.Model.Digest != "" {
		gone.Model.Digest = none
	} else {
		gone.Image.Digest = none
	}
	if _, err := a.Attachments(t.Context(), gone); !fault.Is(err, fault.NotFound) {
		t.Errorf("list: %v, want not found", err)
	}
	if _, err := a.Attach(t.Context(), gone, somePredicate, []byte("{}")); !fault.Is(err, fault.NotFound) {
		t.Errorf("attach: %v, want not found", err)
	}
	if _, err := a.Bundle(t.Context(), subjects[0], port.Attachment{Digest: none}); !fault.Is(err, fault.NotFound) {
		t.Errorf("read: %v, want not found", err)
	}
}

func attachAtOnce(t *testing.T, a port.AttestationStore, subjects [2]port.Subject) {
	const writers = 8
	var wg sync.WaitGroup
	failed := make(chan error, writers)
	for i := range writers {
		wg.Go(func() {
			_, err := a.Attach(t.Context(), subjects[0], somePredicate, fmt.Appendf(nil, `{"writer":%d}`, i))
			failed <- err
		})
	}
	wg.Wait()
	close(failed)
	for err := range failed {
		if err != nil {
			t.Error(err)
		}
	}
	if all := attached(t, a, subjects[0]); len(all) != writers {
		t.Errorf("%d writers at once left %d", writers, len(all))
	}
}

func attachStopped(t *testing.T, a port.AttestationStore, subjects [2]port.Subject) {
	why := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(why)
	if _, err := a.Attachments(ctx, subjects[0]); !errors.Is(err, why) {
		t.Errorf("list: %v, want the context's cause", err)
	}
}

// SigningFixture is a signer, another one, and a verifier with whom each is trusted
// by.
type SigningFixture struct {
	Signer, Other         port.Signer
	Verifier              port.Verifier
	Trusted, OtherTrusted port.TrustPolicy
}

// TestSigning holds adapters to port.Signer and port.Verifier.
func TestSigning(t *testing.T, fresh func(t *testing.T) SigningFixture) {
	statement := []byte(`{"_type":"https://in-toto.io/Statement/v1","subject":[{"digest":{"sha256":"` + strings.Repeat("1", 64) +
		`"}}],"predicateType":"https://sigstore.dev/cosign/sign/v1","predicate":{}}`)
	s := fresh(t)
	bundle, err := s.Signer.Sign(t.Context(), statement)
	if err != nil {
		t.Fatal(err)
	}
	t.Run("verify", func(t *testing.T) { verifySigned(t, s, bundle, statement) })
	t.Run("own", func(t *testing.T) { ownSigned(t, s, bundle, statement) })
	t.Run("empty trust policy", func(t *testing.T) {
		if _, err := s.Verifier.Verify(t.Context(), bundle, port.TrustPolicy{}); !fault.Is(err, fault.Denied) {
			t.Errorf("%v, want denied", err)
		}
	})
	t.Run("no bundle", func(t *testing.T) {
		for _, text := range []string{"", "{}", "null", "[]", "\x00", `{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json"}`} {
			if _, err := s.Verifier.Verify(t.Context(), []byte(text), s.Trusted); !fault.Is(err, fault.Corrupt) {
				t.Errorf("%q: %v, want corrupt", text, err)
			}
			if _, ok := s.Signer.OwnStatement(t.Context(), []byte(text)); ok {
				t.Errorf("OwnStatement(%q) = true, want false", text)
			}
		}
	})
	t.Run("every byte", func(t *testing.T) { tamperSigned(t, s, bundle, statement) })
}

func verifySigned(t *testing.T, s SigningFixture, bundle, statement []byte) {
	who, err := s.Signer.Identity(t.Context())
	if err != nil || who.String() == "an unknown signer" {
		t.Fatalf("the signer is %s, %v", who, err)
	}
	got, err := s.Verifier.Verify(t.Context(), bundle, s.Trusted)
	if err != nil || !bytes.Equal(got.Statement, statement) {
		t.Fatalf("statement = %s, error = %v, want %s", got.Statement, err, statement)
	}
	if got.Signer.Key != who.Key || got.Signer.Subject != who.Subject || got.Signer.Issuer != who.Issuer {
		t.Errorf("signer of the verified statement = %s, want %s", got.Signer, who)
	}
	if _, err := s.Verifier.Verify(t.Context(), bundle, s.OtherTrusted); !fault.Is(err, fault.Denied) {
		t.Errorf("error with another trust policy = %v, want kind denied", err)
	}
}

func ownSigned(t *testing.T, s SigningFixture, bundle, statement []byte) {
	if got, ok := s.Signer.OwnStatement(t.Context(), bundle); !ok || !bytes.Equal(got, statement) {
		t.Errorf("own statement = %s, %v, want %s, true", got, ok, statement)
	}
	if _, ok := s.Other.OwnStatement(t.Context(), bundle); ok {
		t.Error("OwnStatement accepts the bundle of another signer")
	}
}

// tamperSigned changes one byte after the other, or of a long bundle every few:
// nothing but the statement that was signed is ever accepted.
func tamperSigned(t *testing.T, s SigningFixture, bundle, statement []byte) {
	const most = 1500
	tried, refused := 0, 0
	for i := 0; i < len(bundle); i += 1 + len(bundle)/most {
		tried++
		changed := bytes.Clone(bundle)
		changed[i] ^= 1
		got, err := s.Verifier.Verify(t.Context(), changed, s.Trusted)
		switch {
		case err != nil && !fault.Is(err, fault.Denied) && !fault.Is(err, fault.Corrupt):
			t.Errorf("byte %d (%q): %v", i, bundle[i], err)
		case err != nil:
			refused++
		case !bytes.Equal(got.Statement, statement):
			t.Errorf("byte %d (%q): another statement is accepted: %s", i, bundle[i], got.Statement)
		}
	}
	if refused < tried/2 {
		t.Errorf("of %d changes only %d were refused", tried, refused)
	}
}
