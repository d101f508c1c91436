package objects_test

import (
	"context"
	"io"
	"net/url"
	"strings"
	"testing"

	"github.com/slipway-cd/slipway/internal/adapter/aws/objects"
	"github.com/slipway-cd/slipway/internal/adapter/objecttest"
	"github.com/slipway-cd/slipway/internal/adapter/silenttest"
	"github.com/slipway-cd/slipway/internal/port"
)

func setCredentials(t *testing.T) {
	t.Helper()
	for name, value := range map[string]string{"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_EC2_METADATA_DISABLED": "true"} {
		t.Setenv(name, value)
	}
}

func TestStore_SilentServer(t *testing.T) {
	setCredentials(t)
	at := func(server string) string {
		return "s3://state/p?region=us-east-1&use_path_style=true&endpoint=" + url.QueryEscape(server)
	}
	for name, serve := range silenttest.HTTP() {
		t.Run("server "+name, func(t *testing.T) {
			silenttest.Check(t, storeCalls(t, at(silenttest.Listen(t, serve).URL("http"))))
		})
	}
	for name, serve := range silenttest.Raw() {
		t.Run("TLS server "+name, func(t *testing.T) {
			silenttest.Check(t, storeCalls(t, at(silenttest.Listen(t, serve).URL("https"))))
		})
	}
}

func storeCalls(t *testing.T, at string) silenttest.Calls {
	t.Helper()
	u, err := url.Parse(at)
	if err != nil {
		t.Fatal(err)
	}
	s, err := objects.Open(t.Context(), u)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return silenttest.Calls{
		"Open": func(ctx context.Context) error {
			opened, err := objects.Open(ctx, u)
			if err == nil {
				err = opened.Close()
			}
			return silenttest.MaySucceed(err) // it sends nothing yet
		},
		"Store.Create":       func(ctx context.Context) error { return s.Create(ctx, "a", []byte("x")) },
		"Store.Put":          func(ctx context.Context) error { return s.Put(ctx, "a", strings.NewReader("x")) },
		"Store.Put in parts": func(ctx context.Context) error { return s.Put(ctx, "a", io.LimitReader(zeros{}, 20<<20)) },
		"Store.Open":         func(ctx context.Context) error { return readObject(ctx, s) },
		"Store.List":         func(ctx context.Context) error { _, err := s.List(ctx, "", "", 1); return err },
		"Store.Delete":       func(ctx context.Context) error { return silenttest.MaySucceed(s.Delete(ctx, "a")) }, // the status is the answer
	}
}

func readObject(ctx context.Context, s port.ObjectStore) error {
	r, _, err := s.Open(ctx, "a")
	if err != nil {
		return err
	}
	defer r.Close()
	_, err = io.ReadAll(r)
	return err
}

func TestStore_SilentServerThenHealthy(t *testing.T) {
	server := objecttest.Start(t, "s3")
	at, err := url.Parse(server.Location("p"))
	if err != nil {
		t.Fatal(err)
	}
	query := at.Query()
	healthy, err := url.Parse(query.Get("endpoint"))
	if err != nil {
		t.Fatal(err)
	}
	gate := silenttest.NewGate(t, "tcp", healthy.Host)
	setCredentials(t)
	query.Set("endpoint", gate.URL("http"))
	at.RawQuery = query.Encode()
	s, err := objects.Open(t.Context(), at)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	gate.CheckHealthy(t, func(ctx context.Context) error { return s.Put(ctx, "a", strings.NewReader("x")) })
}
