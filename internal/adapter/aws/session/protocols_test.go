package session_test

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/slipway-cd/slipway/internal/adapter/aws/awstest"
	"github.com/slipway-cd/slipway/internal/adapter/aws/session"
	"github.com/slipway-cd/slipway/internal/extension"
	"github.com/slipway-cd/slipway/internal/fault"
)

var (
	iamAPI = session.API{Name: "iam", Version: "2010-05-08", Global: true}
	snsAPI = session.API{Name: "sns", Version: "2010-03-31"}
	eksAPI = session.API{Name: "eks"}
)

// The Query protocol and paths, with retries and errors as the SDK has them.
func TestSession_QueryAndREST(t *testing.T) {
	l := newLab(t)
	topic := l.AddTopic("releases")
	l.AddCluster(awstest.Cluster{Name: "mlops", Endpoint: "https://k"})
	s := l.open(extension.AWS{})
	calls := 0
	l.Inject(func(*awstest.Call) awstest.Fault {
		if calls++; calls%3 != 0 {
			return []awstest.Fault{awstest.Throttled, awstest.Unavailable}[calls%2]
		}
		return awstest.NoFault
	})
	var published struct{ MessageId string }
	in := url.Values{"TopicArn": {topic}, "Message": {"a & b"}}
	if err := s.Query(t.Context(), snsAPI, "Publish", in, &published); err != nil || published.MessageId == "" {
		t.Errorf("%+v, %v", published, err)
	}
	var found struct{ Cluster struct{ Endpoint string } }
	if err := s.REST(t.Context(), eksAPI, "DescribeCluster", http.MethodGet, "/clusters/mlops", nil, nil, &found); err != nil || found.Cluster.Endpoint != "https://k" {
		t.Errorf("%+v, %v", found, err)
	}
	if calls != 6 || len(l.Messages(topic)) != 1 || l.Messages(topic)[0].Text != "a & b" {
		t.Errorf("%d calls, messages %+v", calls, l.Messages(topic))
	}
	l.Inject(nil)
	err := s.REST(t.Context(), eksAPI, "DescribeCluster", http.MethodGet, "/clusters/other", nil, nil, nil)
	if session.Code(err) != "ResourceNotFoundException" {
		t.Errorf("error %v", err)
	}
	in.Set("TopicArn", topic+"x")
	if err := s.Query(t.Context(), snsAPI, "Publish", in, nil); session.Code(err) != "NotFound" {
		t.Errorf("error %v", err)
	}
	l.Inject(func(*awstest.Call) awstest.Fault { return awstest.Denied })
	for name, err := range map[string]error{
		"sns:Publish":         s.Query(t.Context(), snsAPI, "Publish", in, nil),
		"eks:DescribeCluster": s.REST(t.Context(), eksAPI, "DescribeCluster", http.MethodGet, "/clusters/mlops", nil, nil, nil),
	} {
		if err = s.Explain(t.Context(), "call", err); !fault.Is(err, fault.Denied) || !strings.HasPrefix(fault.HintOf(err), "add "+name) {
			t.Errorf("error %v, hint %q", err, fault.HintOf(err))
		}
	}
	if err := l.Invalid(); err != nil {
		t.Error(err)
	}
}

// Where services are, and which region signatures have.
func TestSession_Endpoints(t *testing.T) {
	awstest.Start(t, awstest.Config{})
	awstest.As(t, awstest.Principal{AccessKey: "AKIA", SecretKey: "secret"})
	for _, c := range []struct {
		region        string
		request       session.Request
		address, sign string
	}{
		{"eu-west-1", session.Request{API: snsAPI}, "https://sns.eu-west-1.amazonaws.com/", "eu-west-1/sns"},
		{"eu-west-1", session.Request{API: iamAPI}, "https://iam.amazonaws.com/", "us-east-1/iam"},
		{"cn-north-1", session.Request{API: snsAPI}, "https://sns.cn-north-1.amazonaws.com.cn/", "cn-north-1/sns"},
		{"cn-northwest-1", session.Request{API: iamAPI}, "https://iam.cn-north-1.amazonaws.com.cn/", "cn-north-1/iam"},
		{"us-gov-east-1", session.Request{API: iamAPI}, "https://iam.us-gov.amazonaws.com/", "us-gov-west-1/iam"},
		{"eu-west-1", session.Request{API: session.API{Name: "ecr", Host: "api.ecr"}}, "https://api.ecr.eu-west-1.amazonaws.com/", "eu-west-1/ecr"},
		{"eu-west-1", session.Request{API: session.API{Name: "s3"}, Host: "retail", Path: "/a%20b", Query: url.Values{"policy": {""}}}, "https://retail.s3.eu-west-1.amazonaws.com/a%20b?policy=", "eu-west-1/s3"},
	} {
		var got *http.Request
		client := transport(func(r *http.Request) *http.Response {
			got = r
			return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(strings.NewReader("")), Request: r}
		})
		s, err := session.Open(t.Context(), extension.AWS{Region: c.region}, session.Options{Client: client})
		if err != nil {
			t.Fatal(err)
		}
		c.request.Method = http.MethodPost
		if _, err := s.Do(t.Context(), c.request); err != nil {
			t.Fatal(err)
		}
		if got.URL.String() != c.address || !strings.Contains(got.Header.Get("Authorization"), "/"+c.sign+"/aws4_request") {
			t.Errorf("%s signed %s, want %s, %s", got.URL, got.Header.Get("Authorization"), c.address, c.sign)
		}
	}
}

// A response in XML without the operation's result, and one that is no XML, are errors.
func TestSession_QueryErrors(t *testing.T) {
	awstest.Start(t, awstest.Config{})
	awstest.As(t, awstest.Principal{AccessKey: "AKIA", SecretKey: "secret"})
	body := ""
	client := transport(func(r *http.Request) *http.Response {
		return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body)), Request: r}
	})
	s, err := session.Open(t.Context(), extension.AWS{Region: awstest.Region}, session.Options{Client: client, Backoff: func(int) time.Duration { return 0 }})
	if err != nil {
		t.Fatal(err)
	}
	for _, body = range []string{"", "{}", "<a></a>", "<GetRoleResponse><GetRoleResult>", "<GetRoleResult><N>x</N></GetRoleResult>"} {
		var out struct{ N int }
		if err := s.Query(t.Context(), iamAPI, "GetRole", nil, &out); err == nil || !strings.Contains(err.Error(), "GetRole") {
			t.Errorf("%q: error %v", body, err)
		}
	}
}
