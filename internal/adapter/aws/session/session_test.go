package session_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ecr"

	"github.com/slipway-cd/slipway/internal/adapter/aws/awstest"
	"github.com/slipway-cd/slipway/internal/adapter/aws/session"
	"github.com/slipway-cd/slipway/internal/extension"
	"github.com/slipway-cd/slipway/internal/fault"
)

// lab is an AWS and the environment of a process that uses it.
type lab struct {
	*awstest.Lab
	t       *testing.T
	now     time.Time
	options session.Options
	env     map[string]string
	pauses  atomic.Int64
}

func newLab(t *testing.T) *lab {
	t.Helper()
	l := &lab{t: t, now: time.Now(), env: map[string]string{}}
	l.Lab = awstest.Start(t, awstest.Config{Clock: func() time.Time { return l.now }})
	l.options = session.Options{
		Client: l.Client, Backoff: func(int) time.Duration { l.pauses.Add(1); return 0 },
		Lookup: func(name string) (string, bool) { v, ok := l.env[name]; return v, ok },
	}
	l.as(l.AddUser("alice"))
	return l
}

func (l *lab) as(p awstest.Principal) { awstest.As(l.t, p) }

func (l *lab) open(s extension.AWS) *session.Session {
	l.t.Helper()
	if s.Region == "" {
		s.Region = awstest.Region
	}
	opened, err := session.Open(l.t.Context(), s, l.options)
	if err != nil {
		l.t.Fatal(err)
	}
	return opened
}

const roleARN = "arn:aws:iam::" + awstest.Account + ":role/deploy"

func TestOpen_RequiresRegion(t *testing.T) {
	t.Setenv("AWS_REGION", "eu-west-1") // does not count
	if _, err := session.Open(t.Context(), extension.AWS{}, session.Options{}); !fault.Is(err, fault.Invalid) || !strings.Contains(fault.HintOf(err), "region") {
		t.Errorf("%v", err)
	}
}

// Credentials of another account than slipway.yaml names are refused before anything
// is written; whose they are is asked once.
func TestSession_Check(t *testing.T) {
	l := newLab(t)
	s := l.open(extension.AWS{Account: awstest.Account})
	for range 3 {
		if err := s.Check(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if n := l.Count("sts", "GetCallerIdentity"); n != 1 {
		t.Errorf("asked %d times", n)
	}
	err := l.open(extension.AWS{Account: "999988887777"}).Check(t.Context())
	if !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), "account "+awstest.Account) || !strings.Contains(err.Error(), "999988887777") {
		t.Errorf("%v", err)
	}
}

func TestOpen_AssumesRole(t *testing.T) {
	l := newLab(t)
	l.AddRole(awstest.Role{Name: "deploy", Trusted: []string{"arn:aws:iam::" + awstest.Account + ":user/alice"}})
	s := l.open(extension.AWS{Role: roleARN})
	if err := s.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	calls := l.Calls()
	if last := calls[len(calls)-1]; !strings.HasSuffix(last.Principal, ":assumed-role/deploy/slipway") {
		t.Errorf("called as %s", last.Principal)
	}
}

// A job that configured the role before, as many workflows do, does not chain it.
func TestOpen_HasRoleAlready(t *testing.T) {
	l := newLab(t)
	l.AddRole(awstest.Role{Name: "deploy"}) // trusts nobody
	l.as(l.AddSession("deploy", "job", time.Hour))
	if err := l.open(extension.AWS{Role: roleARN}).Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := l.Count("sts", "AssumeRole"); n != 0 {
		t.Errorf("assumed %d times", n)
	}
}

// A job of GitHub Actions that outlives its session, which `configure-aws-credentials`
// can't renew: a new token is fetched for a new session. Complaint 5 of peers' users.
func TestOpen_GitHubRenews(t *testing.T) {
	l := newLab(t)
	github, err := awstest.NewIssuer("token.actions.githubusercontent.com")
	if err != nil {
		t.Fatal(err)
	}
	l.AddRole(awstest.Role{Name: "deploy", WebIdentity: &awstest.WebIdentity{Issuer: github, Audience: "sts.amazonaws.com", Subjects: []string{"repo:o/r:environment:prod"}}})
	var fetched atomic.Int64
	tokens := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer runner-token" || r.URL.Query().Get("audience") != "sts.amazonaws.com" || r.URL.Query().Get("api-version") != "2.0" {
			t.Errorf("request %s", r.URL)
		}
		fetched.Add(1)
		token, err := github.Token(map[string]any{"sub": "repo:o/r:environment:prod", "aud": "sts.amazonaws.com", "exp": l.now.Add(5 * time.Minute).Unix(), "nbf": l.now.Unix()})
		if err != nil {
			t.Error(err)
		}
		_ = json.NewEncoder(w).Encode(map[string]string{"value": token})
	}))
	t.Cleanup(tokens.Close)
	l.env = map[string]string{"ACTIONS_ID_TOKEN_REQUEST_URL": tokens.URL + "/token?api-version=2.0", "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "runner-token"}
	l.options.Client = both{l.Client, tokens.Client()}
	l.as(awstest.Principal{})
	s := l.open(extension.AWS{Role: roleARN})
	images := ecr.NewFromConfig(s.Config)
	if _, err := images.DescribeRepositories(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	creds, err := s.Config.Credentials.Retrieve(t.Context())
	if err != nil || !creds.CanExpire {
		t.Fatalf("%+v, %v", creds.Expires, err)
	}
	s.Config.Credentials.(interface{ Invalidate() }).Invalidate() // an hour later
	if _, err := images.DescribeRepositories(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	if n := fetched.Load(); n != 2 || l.Count("sts", "AssumeRoleWithWebIdentity") != 2 {
		t.Errorf("%d tokens fetched, %d sessions, want 2 each", n, l.Count("sts", "AssumeRoleWithWebIdentity"))
	}
}

// both sends requests to loopback by one client, and others by another.
type both struct{ cloud, local *http.Client }

func (b both) Do(r *http.Request) (*http.Response, error) {
	if strings.HasPrefix(r.URL.Host, "127.0.0.1") {
		return b.local.Do(r)
	}
	return b.cloud.Do(r)
}

// Most faults pass: a fifth of all calls throttled or 5xx.
func TestSession_Retries(t *testing.T) {
	l := newLab(t)
	n := 0
	l.Inject(func(*awstest.Call) awstest.Fault {
		n++
		return []awstest.Fault{awstest.Throttled, awstest.Unavailable, awstest.Throttled, awstest.ResponseLost, awstest.NoFault}[n%5]
	})
	images := ecr.NewFromConfig(l.open(extension.AWS{}).Config)
	for range 50 {
		if _, err := images.DescribeRepositories(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
	}
	if l.pauses.Load() < 100 {
		t.Errorf("%d pauses", l.pauses.Load())
	}
	l.Inject(func(*awstest.Call) awstest.Fault { return awstest.Throttled })
	_, err := images.DescribeRepositories(t.Context(), nil)
	if err = session.Explain("list repositories", err); !fault.Is(err, fault.Unavailable) || !strings.Contains(fault.HintOf(err), "throttled") {
		t.Errorf("%v (%s)", err, fault.HintOf(err))
	}
}

func TestExplain(t *testing.T) {
	for _, tt := range []struct {
		name  string
		spoil func(*lab)
		kind  fault.Kind
		text  string
		hint  string
	}{
		{"expired variables", func(l *lab) { l.as(l.AddSession("deploy", "job", -time.Minute)) }, fault.Denied, "ExpiredToken", "AWS_SESSION_TOKEN has expired"},
		{"unknown key", func(l *lab) { l.t.Setenv("AWS_ACCESS_KEY_ID", "AKIA000000000000ZZZZ") }, fault.Denied, "UnrecognizedClient", "AWS_PROFILE"},
		{"wrong secret", func(l *lab) { l.t.Setenv("AWS_SECRET_ACCESS_KEY", "x") }, fault.Denied, "SignatureDoesNotMatch", "clock"},
		{"no credentials", func(l *lab) { l.as(awstest.Principal{}) }, fault.Denied, "no credentials of AWS found", "aws login"},
		{"unreachable", func(l *lab) { l.options.Client = refusing{} }, fault.Unavailable, "connection refused", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l := newLab(t)
			l.t = t
			tt.spoil(l)
			err := l.open(extension.AWS{}).Check(t.Context())
			if !fault.Is(err, tt.kind) || !strings.Contains(err.Error(), tt.text) || !strings.Contains(fault.HintOf(err), tt.hint) {
				t.Errorf("%v\nhint: %s", err, fault.HintOf(err))
			}
		})
	}
}

type refusing struct{}

func (refusing) Do(*http.Request) (*http.Response, error) {
	return nil, fmt.Errorf("connection refused")
}

// The statement that is missing is named.
func TestExplain_Denied(t *testing.T) {
	err := session.Explain("push", apiError{"AccessDeniedException", "User: arn:aws:sts::1:assumed-role/r/s is not authorized to perform: ecr:PutImage on resource: arn:aws:ecr:x:1:repository/a because no identity-based policy allows it"})
	if hint := fault.HintOf(err); !fault.Is(err, fault.Denied) || hint != "add ecr:PutImage on arn:aws:ecr:x:1:repository/a to the policy of the role" {
		t.Errorf("%v, hint %q", err, hint)
	}
}
