package sigstore

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/sigstore/sigstore-go/pkg/root"

	"github.com/slipway-cd/slipway/internal/adapter/silenttest"
	"github.com/slipway-cd/slipway/internal/port"
)

// TestIdentitySigner_SilentServers: each of the services in turn.
func TestIdentitySigner_SilentServers(t *testing.T) {
	p := newFakeSigstore(t)
	signed, err := p.signer().Sign(t.Context(), []byte(statement))
	p.must(err)
	for name, configure := range map[string]func(url string) (Config, port.SignRequest){
		"CI": func(url string) (Config, port.SignRequest) {
			env := map[string]string{tokenURL: url + "/token", tokenSecret: ciSecret}
			return Config{Environ: func(name string) (string, bool) { v, ok := env[name]; return v, ok }}, port.SignRequest{Fulcio: p.url + "/fulcio", Timestamps: p.url + "/clock"}
		},
		"Fulcio": func(url string) (Config, port.SignRequest) {
			return p.config(), port.SignRequest{Fulcio: url, Timestamps: p.url + "/clock"}
		},
		"timestamps": func(url string) (Config, port.SignRequest) {
			return p.config(), port.SignRequest{Fulcio: p.url + "/fulcio", Timestamps: url}
		},
		"Rekor": func(url string) (Config, port.SignRequest) {
			return p.config(), port.SignRequest{Fulcio: p.url + "/fulcio", Timestamps: p.url + "/clock", Rekor: url}
		},
	} {
		t.Run(name, func(t *testing.T) {
			silenttest.TestHTTP(t, func(t *testing.T, url string) silenttest.Calls {
				config, request := configure(url)
				config.Transport = &http.Transport{}
				s, err := New(config).NewSigner(request)
				if err != nil {
					t.Fatal(err)
				}
				calls := silenttest.Calls{
					"identitySigner.Sign": func(ctx context.Context) error { _, err := s.Sign(ctx, []byte(statement)); return err },
					"identitySigner.OwnStatement": func(ctx context.Context) error {
						s.OwnStatement(ctx, signed)
						return silenttest.MaySucceed(nil)
					},
					"identitySigner.Identity": func(ctx context.Context) error { _, err := s.Identity(ctx); return silenttest.MaySucceed(err) },
				}
				return calls
			})
		})
	}
}

// TestVerify_SilentServer: a download of the trust root that can't be interrupted.
func TestVerify_SilentServer(t *testing.T) {
	p := newFakeSigstore(t)
	signed, err := p.signer().Sign(t.Context(), []byte(statement))
	p.must(err)
	s, never := New(Config{}), make(chan struct{})
	defer close(never)
	s.public.fetch = func() (root.TrustedMaterial, error) { <-never; return nil, errors.New("late") }
	silenttest.Check(t, silenttest.Calls{
		"Sigstore.Verify": func(ctx context.Context) error {
			_, err := s.Verify(ctx, signed, port.TrustPolicy{Identities: p.trust(p.subject).Identities})
			return err
		},
	})
}

func TestIdentitySigner_SilentServerThenHealthy(t *testing.T) {
	p := newFakeSigstore(t)
	gate := silenttest.NewGate(t, "tcp", strings.TrimPrefix(p.url, "http://"))
	s, err := New(p.config()).NewSigner(port.SignRequest{Fulcio: gate.URL("http") + "/fulcio", Timestamps: p.url + "/clock"})
	p.must(err)
	gate.CheckHealthy(t, func(ctx context.Context) error { _, err := s.Sign(ctx, []byte(statement)); return err })
}
