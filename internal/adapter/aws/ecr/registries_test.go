package ecr

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/slipway-cd/slipway/internal/adapter/aws/awstest"
	"github.com/slipway-cd/slipway/internal/adapter/aws/session"
	"github.com/slipway-cd/slipway/internal/adapter/silenttest"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
)

const path = "mlops/retail-api"

func newRegistries(t *testing.T) (*awstest.Lab, *Registries) {
	t.Helper()
	l := awstest.Start(t, awstest.Config{})
	awstest.As(t, l.AddUser("ci"))
	return l, NewRegistries(session.Options{Client: l.Client, Backoff: func(int) time.Duration { return 0 }}, nil)
}

func TestRegistries_CheckRepository(t *testing.T) {
	for _, tt := range []struct {
		name  string
		repo  awstest.Repository
		drift []string // begin of each
	}{
		{"as for releases", awstest.Repository{ScanOnPush: true}, nil},
		{"with tags that may move", awstest.Repository{Mutability: "IMMUTABLE_WITH_EXCLUSION", ScanOnPush: true}, nil},
		{"mutable", awstest.Repository{Mutability: "MUTABLE", ScanOnPush: true}, []string{"its tags can be moved to other images: imageTagMutability is MUTABLE"}},
		{"mutable but for some", awstest.Repository{Mutability: "MUTABLE_WITH_EXCLUSION", ScanOnPush: true}, []string{"its tags can be moved"}},
		{"no scan", awstest.Repository{}, []string{"it does not scan what is pushed"}},
		{"as CREATE_ON_PUSH makes them", awstest.Repository{Mutability: "MUTABLE"}, []string{"its tags can be moved to other images: imageTagMutability is MUTABLE, not IMMUTABLE (a creation template with CREATE_ON_PUSH", "it does not scan"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cloud, registries := newRegistries(t)
			tt.repo.Name = path
			cloud.AddRepository(tt.repo)
			drift, err := registries.CheckRepository(t.Context(), cloud.RegistryHost(), path, false)
			if err != nil || len(drift) != len(tt.drift) {
				t.Fatalf("drift %q, %v, want %q", drift, err, tt.drift)
			}
			for i, text := range tt.drift {
				if !strings.HasPrefix(drift[i], text) {
					t.Errorf("drift %q, want %q", drift[i], text)
				}
			}
			if err := cloud.Invalid(); err != nil {
				t.Error(err)
			}
		})
	}
}

// A missing repository is not made by the way, and one that is asked for is as those for
// releases, once, even if the response is lost.
func TestRegistries_Create(t *testing.T) {
	cloud, registries := newRegistries(t)
	check := func(create bool) ([]string, error) {
		return registries.CheckRepository(t.Context(), cloud.RegistryHost(), path, create)
	}
	_, err := check(false)
	if !fault.Is(err, fault.NotFound) || !strings.Contains(fault.HintOf(err), "image.create: true") || !strings.Contains(fault.HintOf(err), "aws ecr create-repository") {
		t.Errorf("a missing one: %v (%s)", err, fault.HintOf(err))
	}
	if n := cloud.Count("ecr", "CreateRepository"); n != 0 {
		t.Errorf("created %d times", n)
	}
	lost := false
	cloud.Inject(func(c *awstest.Call) awstest.Fault {
		if c.Operation.Name == "CreateRepository" && !lost {
			lost = true
			return awstest.ResponseLost
		}
		return awstest.NoFault
	})
	if _, err := check(true); err != nil || !lost {
		t.Errorf("create: %v, a response was lost: %t", err, lost)
	}
	if drift, err := check(false); err != nil || len(drift) > 0 {
		t.Errorf("what was created: %q, %v", drift, err)
	}
	cloud.Inject(func(c *awstest.Call) awstest.Fault {
		if c.Operation.Name == "DescribeRepositories" {
			return awstest.Denied
		}
		return awstest.NoFault
	})
	if drift, err := check(false); err != nil || len(drift) != 1 || !strings.Contains(drift[0], "add ecr:DescribeRepositories") {
		t.Errorf("who may only push: %q, %v", drift, err)
	}
}

// Credentials of another account create nothing.
func TestRegistries_OtherAccount(t *testing.T) {
	cloud, registries := newRegistries(t)
	host := "444455556666.dkr.ecr." + awstest.Region + ".amazonaws.com"
	_, err := registries.CheckRepository(t.Context(), host, path, true)
	if !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), awstest.Account) {
		t.Errorf("%v", err)
	}
	if n := cloud.Count("ecr", "CreateRepository"); n != 0 {
		t.Errorf("created %d times", n)
	}
}

func TestRegistries_SilentServer(t *testing.T) {
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIA0000000000000001")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	t.Setenv("AWS_CA_BUNDLE", "")
	host := awstest.Account + ".dkr.ecr." + awstest.Region + ".amazonaws.com"
	silenttest.TestHTTP(t, func(t *testing.T, url string) silenttest.Calls {
		r := NewRegistries(session.Options{Client: silenttest.Redirect(t, url), Backoff: func(int) time.Duration { return 10 * time.Millisecond }}, nil)
		return silenttest.Calls{
			"Registries.CheckRepository": func(ctx context.Context) error { _, err := r.CheckRepository(ctx, host, path, false); return err },
			"Registries.CheckImage": func(ctx context.Context) error {
				return r.CheckImage(ctx, host, path, delivery.DigestOf([]byte("x")))
			},
		}
	})
}
