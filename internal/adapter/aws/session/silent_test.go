package session_test

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/slipway-cd/slipway/internal/adapter/aws/awstest"
	"github.com/slipway-cd/slipway/internal/adapter/aws/session"
	"github.com/slipway-cd/slipway/internal/adapter/silenttest"
	"github.com/slipway-cd/slipway/internal/extension"
)

func TestSession_SilentServer(t *testing.T) {
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIA0000000000000001")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	t.Setenv("AWS_CA_BUNDLE", "")
	silenttest.TestHTTP(t, func(t *testing.T, url string) silenttest.Calls {
		o := session.Options{Client: silenttest.Redirect(t, url), Backoff: func(int) time.Duration { return 10 * time.Millisecond }}
		s, err := session.Open(t.Context(), extension.AWS{Region: awstest.Region, Role: roleARN}, o)
		if err != nil {
			t.Fatal(err)
		}
		return silenttest.Calls{
			"Session.Check": s.Check,
			"Session.Call":  func(ctx context.Context) error { return s.Call(ctx, logsAPI, "DescribeLogStreams", struct{}{}, nil) },
			"Session.Query": func(ctx context.Context) error { return s.Query(ctx, iamAPI, "GetRole", nil, nil) },
			"Session.REST": func(ctx context.Context) error {
				return s.REST(ctx, session.API{Name: "eks"}, "DescribeCluster", http.MethodGet, "/clusters/c", nil, nil, nil)
			},
			"Session.Do": func(ctx context.Context) error {
				_, err := s.Do(ctx, session.Request{API: iamAPI, Method: http.MethodPost})
				return err
			},
			"Session.Explain": func(ctx context.Context) error { return s.Explain(ctx, "list images", errors.New("why")) },
			"assumer.Retrieve": func(ctx context.Context) error {
				_, err := s.Config.Credentials.Retrieve(ctx)
				return err
			},
		}
	})
}
