package doctor_test

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/slipway-cd/slipway/internal/adapter/aws/doctor"
	"github.com/slipway-cd/slipway/internal/adapter/aws/session"
	"github.com/slipway-cd/slipway/internal/extension"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

var update = flag.Bool("update", false, "write the golden files")

const (
	account = "111122223333"
	host    = account + ".dkr.ecr.ap-southeast-1.amazonaws.com"
)

// answers are what AWS answers: by the operation.
type answers struct {
	skew time.Duration                   // of this machine's clock
	of   map[string]func() (int, string) // "GetCallerIdentity", "ListAddons"...
}

func xmlError(status int, code, message string) func() (int, string) {
	return func() (int, string) {
		return status, fmt.Sprintf("<ErrorResponse><Error><Code>%s</Code><Message>%s</Message></Error></ErrorResponse>", code, message)
	}
}

func jsonError(status int, code, message string) func() (int, string) {
	return func() (int, string) { return status, fmt.Sprintf(`{"__type": %q, "message": %q}`, code, message) }
}

func good(body string) func() (int, string) {
	return func() (int, string) { return http.StatusOK, body }
}

// all is an account where everything is right.
func all() *answers {
	return &answers{of: map[string]func() (int, string){
		"GetCallerIdentity":         good(`<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>arn:aws:iam::111122223333:user/ann</Arn><Account>111122223333</Account><UserId>AIDA</UserId></GetCallerIdentityResult></GetCallerIdentityResponse>`),
		"DescribeModelPackageGroup": good(`{"ModelPackageGroupName": "retail-models", "ModelPackageGroupArn": "arn:x", "ModelPackageGroupStatus": "Completed", "CreationTime": 1, "CreatedBy": {}}`),
		"ListServiceQuotas":         good(`{"Quotas": [{"QuotaCode": "L-1", "QuotaName": "ml.m5.xlarge for training job usage", "Value": 4}, {"QuotaCode": "L-2", "QuotaName": "ml.m5.large for processing job usage", "Value": 1}]}`),
		"/clusters/mlops":           good(`{"cluster": {"name": "mlops", "status": "ACTIVE", "version": "1.34", "accessConfig": {"authenticationMode": "API"}}}`),
		"/clusters/mlops/addons":    good(`{"addons": ["vpc-cni", "eks-pod-identity-agent", "amazon-cloudwatch-observability"]}`),
	}}
}

// Do implements aws.HTTPClient.
func (a *answers) Do(r *http.Request) (*http.Response, error) {
	body := []byte{}
	if r.Body != nil {
		body, _ = io.ReadAll(r.Body)
	}
	operation := r.URL.Path
	if target := r.Header.Get("X-Amz-Target"); target != "" {
		_, operation, _ = strings.Cut(target, ".")
	} else if _, rest, ok := strings.Cut(string(body), "Action="); ok {
		operation, _, _ = strings.Cut(rest, "&")
	}
	answer := a.of[operation]
	if answer == nil {
		return nil, &net.OpError{Op: "dial", Err: &net.DNSError{Err: "no such host", Name: r.URL.Host, IsNotFound: true}}
	}
	status, text := answer()
	kind := "application/x-amz-json-1.1"
	if strings.HasPrefix(text, "<") {
		kind = "text/xml"
	}
	return &http.Response{StatusCode: status, Body: io.NopCloser(strings.NewReader(text)), Request: r, Header: http.Header{
		"Content-Type": {kind}, "Date": {time.Now().Add(-a.skew).UTC().Format(http.TimeFormat)},
	}}, nil
}

func place() extension.AWSChecks {
	return extension.AWSChecks{
		AWS: extension.AWS{Account: account, Region: "ap-southeast-1"}, RepositoryHost: host, RepositoryPath: "mlops/retail-api", Group: "retail-models", Cluster: "mlops",
		Quotas: []extension.Quota{{Service: "sagemaker", Name: "ml.m5.xlarge for training job usage", Needs: 2}, {Service: "sagemaker", Name: "ml.m5.large for processing job usage", Needs: 1}},
	}
}

func table(t *testing.T, at extension.AWSChecks, a *answers, repository doctor.CheckRepository) string {
	t.Helper()
	var b strings.Builder
	for _, c := range doctor.Checks(at, repository, session.Options{Client: a, Backoff: func(int) time.Duration { return time.Microsecond }}) {
		r := c.Run(t.Context())
		fmt.Fprintf(&b, "%s: %s: %s\n", c.Name, r.State, r.Seen)
		if r.Mend != "" {
			fmt.Fprintf(&b, "  -> %s\n", r.Mend)
		}
		if (r.State == port.CheckOK) != (r.Mend == "") {
			t.Errorf("%s is %s, and to mend it is %q", c.Name, r.State, r.Mend)
		}
	}
	return b.String()
}

// TestChecks_Golden: what is said of each trouble, and what mends it.
func TestChecks_Golden(t *testing.T) {
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIA0000000000000001")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	t.Setenv("AWS_CA_BUNDLE", "")
	t.Setenv("AWS_CONFIG_FILE", os.DevNull)
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", os.DevNull)
	for _, c := range []struct {
		name       string
		change     func(*answers, *extension.AWSChecks)
		repository func() ([]string, error)
	}{
		{name: "good"},
		{name: "access-denied", change: func(a *answers, _ *extension.AWSChecks) {
			denied := func(action, on string) func() (int, string) {
				return jsonError(400, "AccessDeniedException", "User: arn:aws:iam::111122223333:user/ann is not authorized to perform: "+action+" on resource: "+on+" because no identity-based policy allows it")
			}
			a.of["DescribeModelPackageGroup"] = denied("sagemaker:DescribeModelPackageGroup", "arn:aws:sagemaker:ap-southeast-1:111122223333:model-package-group/retail-models")
			a.of["ListServiceQuotas"] = denied("servicequotas:ListServiceQuotas", "*")
			a.of["/clusters/mlops"] = denied("eks:DescribeCluster", "arn:aws:eks:ap-southeast-1:111122223333:cluster/mlops")
			a.of["/clusters/mlops/addons"] = denied("eks:ListAddons", "arn:aws:eks:ap-southeast-1:111122223333:cluster/mlops")
		}},
		{name: "expired-token", change: func(a *answers, _ *extension.AWSChecks) {
			a.of["GetCallerIdentity"] = xmlError(403, "ExpiredToken", "The security token included in the request is expired")
		}},
		{name: "wrong-region", change: func(a *answers, _ *extension.AWSChecks) {
			a.of["/clusters/mlops"] = jsonError(404, "ResourceNotFoundException", "No cluster found for name: mlops.")
			a.of["/clusters/mlops/addons"] = a.of["/clusters/mlops"]
			a.of["DescribeModelPackageGroup"] = jsonError(400, "ValidationException", "ModelPackageGroup arn:x does not exist.")
		}, repository: func() ([]string, error) {
			return nil, fault.New(fault.NotFound, "it does not exist").Hint("create it (aws ecr create-repository --region ap-southeast-1 --repository-name mlops/retail-api), or set image.create: true")
		}},
		{name: "no-such-region", change: func(a *answers, at *extension.AWSChecks) { at.Region = "ap-southeast-77"; a.of = nil }},
		{name: "other-account", change: func(_ *answers, at *extension.AWSChecks) { at.Account = "444455556666" }},
		{name: "quota", change: func(a *answers, _ *extension.AWSChecks) {
			a.of["ListServiceQuotas"] = good(`{"Quotas": [{"QuotaCode": "L-611FA074", "QuotaName": "ml.m5.xlarge for training job usage", "Value": 0}]}`)
		}},
		{name: "clock", change: func(a *answers, _ *extension.AWSChecks) { a.skew = 10*time.Minute + 20*time.Second }},
		{name: "settings", change: func(a *answers, at *extension.AWSChecks) {
			at.Account = ""
			a.skew = -2*time.Minute - 20*time.Second
			a.of["/clusters/mlops"] = good(`{"cluster": {"name": "mlops", "status": "ACTIVE", "version": "1.34", "accessConfig": {"authenticationMode": "CONFIG_MAP"}}}`)
			a.of["/clusters/mlops/addons"] = good(`{"addons": []}`)
		}, repository: func() ([]string, error) {
			return []string{"its tags can be moved to other images: imageTagMutability is MUTABLE, not IMMUTABLE"}, nil
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			a, at := all(), place()
			if c.change != nil {
				c.change(a, &at)
			}
			got := table(t, at, a, func(context.Context, string, string) ([]string, error) {
				if c.repository != nil {
					return c.repository()
				}
				return nil, nil
			})
			got = regexp.MustCompile(`(\d+m)\d+s from AWS`).ReplaceAllString(got, "$1 from AWS") // a response takes some of them
			golden := filepath.Join("testdata", c.name+".txt")
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("(-want +got), renew it with -update:\n%s", diff)
			}
		})
	}
}

// TestChecks_Selects: nothing is asked of what the project does not use.
func TestChecks_Selects(t *testing.T) {
	at := extension.AWSChecks{AWS: extension.AWS{Region: "ap-southeast-1"}}
	var names []string
	for _, c := range doctor.Checks(at, nil, session.Options{}) {
		names = append(names, c.Name)
	}
	if diff := cmp.Diff([]string{"credentials", "account", "region", "clock"}, names); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	at.Known = true
	if got := doctor.Checks(at, nil, session.Options{}); len(got) != 0 {
		t.Errorf("%d checks of what another place shows", len(got))
	}
}

// TestChecks_EndlessLists: pages without an end are no answer.
func TestChecks_EndlessLists(t *testing.T) {
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIA0000000000000001")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	t.Setenv("AWS_CA_BUNDLE", "")
	a := all()
	pages := map[string]int{}
	count := func(name, body string) {
		a.of[name] = func() (int, string) { pages[name]++; return http.StatusOK, body }
	}
	count("ListServiceQuotas", `{"Quotas": [], "NextToken": "more"}`)
	count("/clusters/mlops/addons", `{"addons": [], "nextToken": "more"}`)
	got := table(t, place(), a, func(context.Context, string, string) ([]string, error) { return nil, nil })
	if n := strings.Count(got, "unknown: the list of"); n != 4 {
		t.Errorf("%d checks say that a list has no end, want 4:\n%s", n, got)
	}
	if diff := cmp.Diff(map[string]int{"ListServiceQuotas": 60, "/clusters/mlops/addons": 10}, pages); diff != "" {
		t.Errorf("pages (-want +got):\n%s", diff)
	}
}

// TestChecks_EndWithTheirTime: a server that is silent holds no check.
func TestChecks_EndWithTheirTime(t *testing.T) {
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIA0000000000000001")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	t.Setenv("AWS_CA_BUNDLE", "")
	o := session.Options{Client: silent{}, Backoff: func(int) time.Duration { return time.Millisecond }}
	for _, c := range doctor.Checks(place(), func(ctx context.Context, _, _ string) ([]string, error) { <-ctx.Done(); return nil, ctx.Err() }, o) {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		begun := time.Now()
		r := c.Run(ctx)
		cancel()
		if took := time.Since(begun); took > 5*time.Second || r.State == port.CheckOK || r.Mend == "" {
			t.Errorf("%s: %+v after %s", c.Name, r, took)
		}
	}
}

// silent is a server that answers nothing.
type silent struct{}

func (silent) Do(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}
