package ecr

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/slipway-cd/slipway/internal/adapter/aws/awstest"
	"github.com/slipway-cd/slipway/internal/adapter/aws/session"
	"github.com/slipway-cd/slipway/internal/adapter/silenttest"
	"github.com/slipway-cd/slipway/internal/fault"
)

func newCloud(t *testing.T, clock func() time.Time) (*awstest.Lab, *Logins) {
	t.Helper()
	l := awstest.Start(t, awstest.Config{})
	return l, New(session.Options{Client: l.Client, Backoff: func(int) time.Duration { return 0 }}, nil, clock)
}

// A password is fetched once, and again half an hour before its twelve hours end.
func TestLogins_Renews(t *testing.T) {
	now := time.Now()
	cloud, logins := newCloud(t, func() time.Time { return now })
	awstest.As(t, cloud.AddUser("alice"))
	host := cloud.RegistryHost()
	var passwords []string
	for _, passed := range []time.Duration{0, time.Hour, 10 * time.Hour, 40 * time.Minute} {
		now = now.Add(passed)
		user, password, ok, err := logins.Login(t.Context(), host)
		if err != nil || !ok || user != "AWS" || password == "" {
			t.Fatalf("after %s: %q, %t, %v", passed, user, ok, err)
		}
		passwords = append(passwords, password)
	}
	if passwords[0] != passwords[1] || passwords[1] != passwords[2] || passwords[2] == passwords[3] {
		t.Errorf("passwords %q", passwords)
	}
	if n := cloud.Count("ecr", "GetAuthorizationToken"); n != 2 {
		t.Errorf("fetched %d times, want 2", n)
	}
}

// No password leaves for a host that only looks like one of ECR's, and none is fetched.
func TestLogins_OtherHosts(t *testing.T) {
	cloud, logins := newCloud(t, nil)
	awstest.As(t, cloud.AddUser("alice"))
	for _, host := range []string{
		"registry.example.com", "127.0.0.1:5000", "111122223333.dkr.ecr.ap-southeast-1.amazonaws.com.evil.example", "x111122223333.dkr.ecr.ap-southeast-1.amazonaws.com",
		"111122223333.dkr.ecr.ap-southeast-1.amazonaws.com:443", "111122223333.dkr.ecr.evil.example/.amazonaws.com", "dkr.ecr.ap-southeast-1.amazonaws.com", "public.ecr.aws",
	} {
		if _, password, ok, err := logins.Login(t.Context(), host); ok || password != "" || err != nil {
			t.Errorf("%s: %t, %v", host, ok, err)
		}
	}
	if calls := cloud.Calls(); len(calls) != 0 {
		t.Errorf("calls %+v", calls)
	}
}

func TestLogins_Errors(t *testing.T) {
	now := time.Now()
	cloud, logins := newCloud(t, func() time.Time { return now })
	if _, _, ok, err := logins.Login(t.Context(), cloud.RegistryHost()); ok || err != nil {
		t.Errorf("without credentials of AWS: %t, %v, want Docker's configuration to be asked", ok, err)
	}
	awstest.As(t, cloud.AddUser("alice"))
	if _, _, ok, err := logins.Login(t.Context(), cloud.RegistryHost()); ok || err != nil {
		t.Errorf("a moment later: %t, %v, want the credentials not to be looked for again", ok, err)
	}
	now = now.Add(6 * time.Minute)
	cloud.Inject(func(*awstest.Call) awstest.Fault { return awstest.Denied })
	_, _, _, err := logins.Login(t.Context(), cloud.RegistryHost())
	if !fault.Is(err, fault.Denied) || !strings.Contains(err.Error(), "log in to "+cloud.RegistryHost()) || !strings.Contains(fault.HintOf(err), "ecr:GetAuthorizationToken") {
		t.Errorf("%v (%s)", err, fault.HintOf(err))
	}
}

func TestLogins_SilentServer(t *testing.T) {
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIA0000000000000001")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	t.Setenv("AWS_CA_BUNDLE", "")
	silenttest.TestHTTP(t, func(t *testing.T, url string) silenttest.Calls {
		l := New(session.Options{Client: silenttest.Redirect(t, url), Backoff: func(int) time.Duration { return 10 * time.Millisecond }}, nil, nil)
		return silenttest.Calls{"Logins.Login": func(ctx context.Context) error {
			_, _, _, err := l.Login(ctx, awstest.Account+".dkr.ecr."+awstest.Region+".amazonaws.com")
			return err
		}}
	})
}

// Where a registry has a role, the role logs in, and asks the control plane: who runs may
// do nothing there but assume it.
func TestLogins_Role(t *testing.T) {
	l := awstest.Start(t, awstest.Config{})
	awstest.As(t, l.AddUser("alice"))
	l.AddRepository(awstest.Repository{Name: "mlops/retail-api", ScanOnPush: true})
	const role = "arn:aws:iam::" + awstest.Account + ":role/deploy"
	err := errors.Join(
		l.AddTrustedRole("deploy", `{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::`+awstest.Account+`:user/alice"}, "Action": "sts:AssumeRole"}]}`, nil),
		l.SetPolicies("user/alice", "", `{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "`+role+`"}]}`),
		l.SetPolicies("role/deploy", "", `{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": ["ecr:GetAuthorizationToken", "ecr:DescribeRepositories"], "Resource": "*"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	options, host := session.Options{Client: l.Client, Backoff: func(int) time.Duration { return 0 }}, l.RegistryHost()
	for name, roles := range map[string]Roles{"role": {host: role}, "none": nil} {
		user, _, ok, err := New(options, roles, nil).Login(t.Context(), host)
		_, controlErr := NewRegistries(options, roles).CheckRepository(t.Context(), host, "mlops/retail-api", false)
		switch {
		case roles == nil && !fault.Is(err, fault.Denied):
			t.Errorf("%s: %q, error = %v, want it refused", name, user, err)
		case roles != nil && (err != nil || controlErr != nil || !ok || user != "AWS"):
			t.Errorf("%s: %q, errors %v, %v", name, user, err, controlErr)
		}
	}
}
