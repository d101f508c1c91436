package resources

import (
	"context"
	"testing"
	"time"

	"github.com/slipway-cd/slipway/internal/account"
	"github.com/slipway-cd/slipway/internal/adapter/aws/session"
	"github.com/slipway-cd/slipway/internal/adapter/silenttest"
	"github.com/slipway-cd/slipway/internal/extension"
)

// examples are resources of each kind.
func examples() map[string]account.Resource {
	return map[string]account.Resource{
		"bucket":      {Kind: account.KindBucket, Name: "retail", Spec: account.Bucket{}},
		"provider":    {Kind: account.KindProvider, Name: "gitlab.com", ARN: "arn:p", Spec: account.Provider{URL: "gitlab.com"}},
		"policy":      {Kind: account.KindPolicy, Name: "p", ARN: "arn:p", Spec: account.Policy{}},
		"role":        {Kind: account.KindRole, Name: "r", ARN: "arn:r", Spec: account.Role{}},
		"repository":  {Kind: account.KindRepository, Name: "r", Spec: account.Repository{}},
		"modelGroup":  {Kind: account.KindModelGroup, Name: "g", Spec: account.ModelGroup{}},
		"logGroup":    {Kind: account.KindLogGroup, Name: "g", Spec: account.LogGroup{}},
		"topic":       {Kind: account.KindTopic, Name: "t", ARN: "arn:t", Spec: account.Topic{}},
		"alarm":       {Kind: account.KindAlarm, Name: "slipway/retail/prod/p95"},
		"podIdentity": {Kind: account.KindPodIdentity, Name: "p", Spec: account.PodIdentity{Cluster: "c", Namespace: "n", ServiceAccount: "s"}},
		"accessEntry": {Kind: account.KindAccessEntry, Name: "e", Spec: account.AccessEntry{Cluster: "c", Principal: "arn:r"}},
	}
}

func TestAccount_SilentServer(t *testing.T) {
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIA0000000000000001")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	t.Setenv("AWS_CA_BUNDLE", "")
	silenttest.TestHTTP(t, func(t *testing.T, url string) silenttest.Calls {
		a := New(extension.AWS{Region: "ap-southeast-1"}, session.Options{
			Client: silenttest.Redirect(t, url), Backoff: func(int) time.Duration { return 10 * time.Millisecond },
		})
		of := account.Set{Project: "retail", Resources: []account.Resource{examples()["podIdentity"], examples()["accessEntry"]}}
		read := func(kind string) func(context.Context) error {
			r := examples()[kind]
			return func(ctx context.Context) error { _, err := a.Kinds()[r.Kind].Read(ctx, r); return err }
		}
		create := func(kind string) func(context.Context) error {
			r := examples()[kind]
			return func(ctx context.Context) error { return a.Kinds()[r.Kind].Create(ctx, r, nil) }
		}
		update := func(kind string) func(context.Context) error {
			r := examples()[kind]
			return func(ctx context.Context) error { return a.Kinds()[r.Kind].Update(ctx, r, nil) }
		}
		remove := func(kind string) func(context.Context) error {
			r := examples()[kind]
			return func(ctx context.Context) error { return a.Kinds()[r.Kind].Delete(ctx, r) }
		}
		owned := func(kind string) func(context.Context) error {
			r := examples()[kind]
			return func(ctx context.Context) error { _, err := a.Kinds()[r.Kind].Owned(ctx, of); return err }
		}
		return silenttest.Calls{
			"bucket.Read": read("bucket"), "bucket.Create": create("bucket"), "bucket.Update": update("bucket"), "bucket.Delete": remove("bucket"), "bucket.Owned": owned("bucket"),
			"provider.Read": read("provider"), "provider.Create": create("provider"), "provider.Update": update("provider"), "provider.Delete": remove("provider"), "provider.Owned": owned("provider"),
			"policy.Read": read("policy"), "policy.Create": create("policy"), "policy.Update": update("policy"), "policy.Delete": remove("policy"), "policy.Owned": owned("policy"),
			"role.Read": read("role"), "role.Create": create("role"), "role.Update": update("role"), "role.Delete": remove("role"), "role.Owned": owned("role"),
			"role.Roles":      func(ctx context.Context) error { _, err := role{a}.Roles(ctx); return err },
			"repository.Read": read("repository"), "repository.Create": create("repository"), "repository.Update": update("repository"), "repository.Delete": remove("repository"), "repository.Owned": owned("repository"),
			"modelGroup.Read": read("modelGroup"), "modelGroup.Create": create("modelGroup"), "modelGroup.Update": update("modelGroup"), "modelGroup.Delete": remove("modelGroup"), "modelGroup.Owned": owned("modelGroup"),
			"logGroup.Read": read("logGroup"), "logGroup.Create": create("logGroup"), "logGroup.Update": update("logGroup"), "logGroup.Delete": remove("logGroup"), "logGroup.Owned": owned("logGroup"),
			"topic.Read": read("topic"), "topic.Create": create("topic"), "topic.Update": update("topic"), "topic.Delete": remove("topic"), "topic.Owned": owned("topic"),
			"podIdentity.Read": read("podIdentity"), "podIdentity.Create": create("podIdentity"), "podIdentity.Update": update("podIdentity"), "podIdentity.Delete": remove("podIdentity"), "podIdentity.Owned": owned("podIdentity"),
			"accessEntry.Read": read("accessEntry"), "accessEntry.Create": create("accessEntry"), "accessEntry.Update": update("accessEntry"), "accessEntry.Delete": remove("accessEntry"), "accessEntry.Owned": owned("accessEntry"),
			"alarm.Delete": remove("alarm"), "alarm.Owned": owned("alarm"),
		}
	})
}
