package catalog

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/slipway-cd/slipway/internal/account"
	"github.com/slipway-cd/slipway/internal/adapter/aws/awstest"
	"github.com/slipway-cd/slipway/internal/adapter/aws/resources"
	"github.com/slipway-cd/slipway/internal/adapter/aws/session"
	"github.com/slipway-cd/slipway/internal/app"
	"github.com/slipway-cd/slipway/internal/extension"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

const accountFile = `version: 1
service: retail
state: s3://retail-state/slipway
aws:
  account: "111122223333"
  region: ap-southeast-1
  logs: /slipway/retail
  github: {repository: acme/retail, id: "123", owner_id: "456"}
image: {build: {dockerfile: Dockerfile}, registry: ecr, repository: mlops/retail}
notify: [{sns: "arn:aws:sns:ap-southeast-1:111122223333:releases"}]
deploy: {manifests: [k8s/], health: /health}
environments:
  prod: {on: {push: main}, target: {eks: {cluster: mlops, namespace: retail}}, aws: {role: "arn:aws:iam::111122223333:role/retail-prod"}}
`

// accountLab is a project, its account, and a process that can be killed.
type accountLab struct {
	*awstest.Lab
	t       *testing.T
	app     *app.App
	cluster *cluster
	admin   awstest.Principal

	mu         sync.Mutex
	sent, last int
}

// Do implements aws.HTTPClient: after the last request, nothing is sent any more.
func (l *accountLab) Do(r *http.Request) (*http.Response, error) {
	l.mu.Lock()
	l.sent++
	killed := l.last > 0 && l.sent > l.last
	l.mu.Unlock()
	if killed {
		return nil, errors.New("the process was killed")
	}
	return l.Client.Do(r)
}

func (l *accountLab) kill(after int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sent, l.last = 0, after
}

// cluster keeps what namespaces allow in memory.
type cluster struct{ there map[string]account.Observed }

func (k *cluster) Read(_ context.Context, want account.Resource) (*account.Observed, error) {
	if o, ok := k.there[want.Key()]; ok {
		return &o, nil
	}
	return nil, nil
}

func (k *cluster) Create(_ context.Context, want account.Resource, tags map[string]string) error {
	k.there[want.Key()] = account.Observed{Resource: want, Tags: tags}
	return nil
}

func (k *cluster) Update(ctx context.Context, want account.Resource, tags map[string]string) error {
	return k.Create(ctx, want, tags)
}

func (k *cluster) Delete(_ context.Context, r account.Resource) error {
	delete(k.there, r.Key())
	return nil
}

func (k *cluster) Owned(_ context.Context, of account.Set) (all []account.Observed, err error) {
	for _, o := range k.there {
		if o.Owner() == of.Project {
			all = append(all, o)
		}
	}
	return all, nil
}

func newAccountLab(t *testing.T) *accountLab {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{"slipway.yaml": accountFile, "Dockerfile": "FROM scratch\n", "k8s/api.yaml": "{}\n"} {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	l := &accountLab{Lab: awstest.Start(t, awstest.Config{}), t: t, cluster: &cluster{map[string]account.Observed{}}}
	l.AddCluster(awstest.Cluster{Name: "mlops", Endpoint: "https://k"})
	l.admin = l.AddUser("admin")
	awstest.As(t, l.admin)
	l.app = &app.App{
		Dir: dir, Kinds: Default(), Clock: time.Now,
		Accounts: func(at extension.AWS) map[account.Kind]port.Account {
			kinds := resources.New(at, session.Options{Client: l, Backoff: func(int) time.Duration { return 0 }}).Kinds()
			kinds[account.KindNamespace] = l.cluster
			return kinds
		},
	}
	t.Cleanup(func() {
		if err := l.Invalid(); err != nil {
			t.Error(err)
		}
	})
	return l
}

func (l *accountLab) plan() app.AccountPlan {
	l.t.Helper()
	p, err := l.app.PlanAccount(l.t.Context(), app.AccountOptions{})
	if err != nil {
		l.t.Fatalf("%v (%s)", err, fault.HintOf(err))
	}
	return p
}

func (l *accountLab) apply(o app.AccountOptions) app.AccountPlan {
	l.t.Helper()
	p, err := l.app.ApplyAccount(l.t.Context(), o)
	if err != nil {
		l.t.Fatalf("%v (%s)", err, fault.HintOf(err))
	}
	return p
}

func describe(p app.AccountPlan) string {
	var b strings.Builder
	for _, at := range p.Places {
		for _, c := range at.Changes {
			fmt.Fprintf(&b, "%s %s %s %s %s\n", c.Action, c.Kind, c.Name, c.Why, c.Differences)
		}
	}
	return b.String()
}

// The bucket of the state comes first, and needs no state; everything else follows, once.
func TestAccount_Apply(t *testing.T) {
	l := newAccountLab(t)
	if p := l.apply(app.AccountOptions{Only: app.OnlyState}); p.Count() != 1 || p.Places[0].Changes[0].Name != "retail-state" {
		t.Errorf("%s", describe(p))
	}
	first := l.apply(app.AccountOptions{})
	t.Logf("made\n%s", describe(first))
	if again := l.apply(app.AccountOptions{}); again.Differs() || again.Places[0].Unchanged != first.Count()+1 {
		t.Errorf("applied again:\n%s", describe(again))
	}
	_, err := l.app.PlanAccount(t.Context(), app.AccountOptions{Only: "role/none"})
	if !fault.Is(err, fault.NotFound) {
		t.Errorf("error %v", err)
	}
}

// A role that somebody made for the repository, as tutorials show it, is named with its
// faults; that of another repository is not. Neither is changed, and the project's own
// roles have no faults.
func TestAccount_Findings(t *testing.T) {
	l := newAccountLab(t)
	const github = "arn:aws:iam::111122223333:oidc-provider/token.actions.githubusercontent.com"
	for name, repository := range map[string]string{"tutorial": "acme/retail", "billing": "acme/billing"} {
		trust := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Federated":"` + github + `"},"Action":"sts:AssumeRoleWithWebIdentity","Condition":{"StringLike":{"token.actions.githubusercontent.com:sub":"repo:` + repository + `:*"}}}]}`
		if err := l.AddTrustedRole(name, trust, nil); err != nil {
			t.Fatal(err)
		}
		if err := l.SetPolicies("role/"+name, "", `{"Version":"2012-10-17","Statement":[{"Sid":"Push","Effect":"Allow","Action":"ecr:*","Resource":"*"}]}`); err != nil {
			t.Fatal(err)
		}
	}
	l.apply(app.AccountOptions{})
	p := l.plan()
	if p.Differs() {
		t.Errorf("the roles of others are no difference:\n%s", describe(p))
	}
	var text strings.Builder
	for _, f := range p.Places[0].Findings {
		if f.Role != "tutorial" {
			t.Errorf("not the project's: %s", f)
		}
		text.WriteString(f.String() + "\n")
	}
	for _, want := range []string{"repo:acme/retail:*", ":aud", ":repository_id", "ecr:*"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("%s is not among the findings:\n%s", want, text.String())
		}
	}
}

// Nothing is changed without a confirmation.
func TestAccount_NotConfirmed(t *testing.T) {
	l := newAccountLab(t)
	refused := errors.New("no")
	before := l.plan().Count()
	for _, change := range []func(context.Context, app.AccountOptions) (app.AccountPlan, error){l.app.ApplyAccount, l.app.DestroyAccount} {
		if p, err := change(t.Context(), app.AccountOptions{Confirm: func(app.AccountPlan) error { return refused }}); p.Changes() && !errors.Is(err, refused) {
			t.Errorf("%v", err)
		}
	}
	if after := l.plan().Count(); after != before || before == 0 {
		t.Errorf("%d changes before, %d after", before, after)
	}
}

// Killed after any request, the next one goes on, and there is one of everything.
func TestAccount_Killed(t *testing.T) {
	l := newAccountLab(t)
	l.kill(0)
	l.apply(app.AccountOptions{})
	requests := l.sent
	want := l.plan().Places[0].Unchanged
	for after := 1; after < requests; after += 7 {
		l := newAccountLab(t)
		l.kill(after)
		_, err := l.app.ApplyAccount(t.Context(), app.AccountOptions{})
		if err == nil {
			t.Fatalf("not killed after %d of %d requests", after, requests)
		}
		l.kill(0)
		l.apply(app.AccountOptions{})
		if p := l.plan(); p.Differs() || p.Places[0].Unchanged != want {
			t.Errorf("killed after %d requests:\n%s", after, describe(p))
		}
	}
}

// What others have is neither changed nor removed, and data stays.
func TestAccount_Destroy(t *testing.T) {
	l := newAccountLab(t)
	l.AddRole(awstest.Role{Name: "billing"})
	l.AddTopic("billing")
	l.AddTopic("releases") // the project's topic, made by others
	l.apply(app.AccountOptions{})
	p, err := l.app.DestroyAccount(t.Context(), app.AccountOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("destroyed\n%s", describe(p))
	l.plan()
	left, err := l.app.DestroyAccount(t.Context(), app.AccountOptions{})
	if err != nil || left.Changes() {
		t.Errorf("destroyed again: %v\n%s", err, describe(left))
	}
	for _, c := range left.Places[0].Changes {
		if c.Kind != account.KindBucket && c.Kind != account.KindRepository {
			t.Errorf("left %s %s", c.Kind, c.Name)
		}
	}
	if _, err := l.app.DestroyAccount(t.Context(), app.AccountOptions{Data: true}); err != nil {
		t.Error(err)
	}
	if left, err = l.app.DestroyAccount(t.Context(), app.AccountOptions{Data: true}); err != nil || len(left.Places[0].Changes) > 0 {
		t.Errorf("%v\n%s", err, describe(left))
	}
	if len(l.Messages("arn:aws:sns:ap-southeast-1:111122223333:billing")) != 0 {
		t.Error("published")
	}
}

// With half of the rights missing, all that can be done is done, and every statement that
// is missing is named.
func TestAccount_Denied(t *testing.T) {
	l := newAccountLab(t)
	refused := map[string]bool{}
	l.Inject(func(c *awstest.Call) awstest.Fault {
		switch c.Operation.Name {
		case "CreateRole", "CreateTopic", "PutLifecyclePolicy", "CreateAccessEntry":
			refused[c.Service.SigningName()+":"+c.Operation.Name] = true
			return awstest.Denied
		}
		return awstest.NoFault
	})
	_, err := l.app.ApplyAccount(t.Context(), app.AccountOptions{})
	if !fault.Is(err, fault.Denied) || len(refused) != 4 {
		t.Fatalf("%v, refused %v", err, refused)
	}
	for action := range refused {
		if !strings.Contains(fault.HintOf(err), `"`+action+`"`) {
			t.Errorf("the hint does not name %s: %s", action, fault.HintOf(err))
		}
	}
	l.Inject(nil)
	l.apply(app.AccountOptions{})
	if p := l.plan(); p.Differs() {
		t.Errorf("%s", describe(p))
	}
}
