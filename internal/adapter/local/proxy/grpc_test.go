package proxy_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"github.com/slipway-cd/slipway/internal/adapter/local/proxy"
)

// newGRPCReplica serves health checks, an echo of streams, and an error.
func newGRPCReplica(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := grpc.NewServer(grpc.UnknownServiceHandler(func(_ any, stream grpc.ServerStream) error {
		for {
			var m healthpb.HealthCheckRequest
			switch err := stream.RecvMsg(&m); {
			case errors.Is(err, io.EOF):
				return nil
			case err != nil:
				return err
			case m.Service == "fail":
				return status.Error(codes.Internal, "no idea")
			}
			if err := stream.SendMsg(&m); err != nil {
				return err
			}
		}
	}))
	healthpb.RegisterHealthServer(s, health.NewServer())
	go func() { _ = s.Serve(l) }()
	t.Cleanup(s.Stop)
	return l.Addr().String()
}

func newGRPCClient(t *testing.T, url string) *grpc.ClientConn {
	c, err := grpc.NewClient("passthrough:///"+strings.TrimPrefix(url, "http://"), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// TestTargets_L31_GRPC: calls and streams in both directions pass, a switch loses
// none, and errors of the service are recorded as such.
func TestTargets_L31_GRPC(t *testing.T) {
	r := startPlain(t, proxy.Config{})
	r.Switch(newPool(a, newGRPCReplica(t)))
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	client := newGRPCClient(t, r.url)
	check := func() error {
		_, err := healthpb.NewHealthClient(client).Check(ctx, &healthpb.HealthCheckRequest{})
		return err
	}
	if err := check(); err != nil {
		t.Fatal(err)
	}
	for range 50 { // the response is a header only, and must not be seen to go on
		_, err := healthpb.NewHealthClient(client).Check(ctx, &healthpb.HealthCheckRequest{Service: "none"})
		if status.Code(err) != codes.NotFound {
			t.Fatalf("unknown service: %v, want NotFound", err)
		}
	}
	r.wantTraffic(t, a, 51, 0)

	stream, err := client.NewStream(ctx, &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, "/test/Echo")
	if err != nil {
		t.Fatal(err)
	}
	echo := func(text string) error {
		if err := stream.SendMsg(&healthpb.HealthCheckRequest{Service: text}); err != nil {
			return err
		}
		var m healthpb.HealthCheckRequest
		if err := stream.RecvMsg(&m); err != nil || m.Service != text {
			return fmt.Errorf("echo %q, %w", m.Service, err)
		}
		return nil
	}
	if err := echo("one"); err != nil {
		t.Fatal(err)
	}
	old := r.Switch(newPool(b, newGRPCReplica(t)))
	for range 50 {
		if err := check(); err != nil {
			t.Fatalf("after the switch: %v", err)
		}
	}
	r.wantTraffic(t, b, 50, 0)
	if err := echo("two"); err != nil { // it ends where it began
		t.Error(err)
	}
	if old.InFlight() != 1 {
		t.Errorf("%d requests hold the old pool, want the stream", old.InFlight())
	}
	if err := echo("fail"); status.Code(errors.Unwrap(err)) != codes.Internal {
		t.Errorf("an error of the service: %v", err)
	}
	r.wantTraffic(t, a, 52, 1)
}

// TestProxy_PoisonCall: a call that kills its replica is not passed on to others; one
// that a replica refuses to connect for is.
func TestProxy_PoisonCall(t *testing.T) {
	var took atomic.Int64
	poisoned := func() string {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close() })
		s := &http.Server{Protocols: &http.Protocols{}, Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
			took.Add(1)
			panic(http.ErrAbortHandler)
		})}
		s.Protocols.SetUnencryptedHTTP2(true)
		go func() { _ = s.Serve(l) }()
		t.Cleanup(func() { s.Close() })
		return l.Addr().String()
	}
	gone, dead := newReplica(t, respond(""))
	gone.Close()
	r := startPlain(t, proxy.Config{})
	r.Switch(newPool(a, dead, poisoned(), poisoned(), poisoned()))
	client := healthpb.NewHealthClient(newGRPCClient(t, r.url))
	for range 4 {
		took.Store(0)
		if _, err := client.Check(t.Context(), &healthpb.HealthCheckRequest{}); err == nil || took.Load() != 1 {
			t.Errorf("%v after %d attempts, want an error after 1", err, took.Load())
		}
	}
}

// TestProxy_HTTP2: other requests in HTTP/2 reach replicas as HTTP/1.1.
func TestProxy_HTTP2(t *testing.T) {
	var version atomic.Value
	_, at := newReplica(t, func(w http.ResponseWriter, r *http.Request) {
		version.Store(r.Proto)
		_, _ = io.Copy(w, r.Body)
	})
	r := startPlain(t, proxy.Config{})
	r.Switch(newPool(a, at))
	transport := &http.Transport{Protocols: &http.Protocols{}}
	transport.Protocols.SetUnencryptedHTTP2(true)
	defer transport.CloseIdleConnections()
	resp, err := (&http.Client{Transport: transport}).Post(r.url, "text/plain", strings.NewReader("hello"))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if body, err := io.ReadAll(resp.Body); string(body) != "hello" || resp.ProtoMajor != 2 || version.Load() != "HTTP/1.1" {
		t.Errorf("got %q, %v by %s, the replica %s", body, err, resp.Proto, version.Load())
	}
}
