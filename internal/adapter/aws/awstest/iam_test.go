package awstest_test

import (
	"encoding/xml"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/smithy-go"

	"crypto/sha256"
	"encoding/hex"
	"io"

	"github.com/slipway-cd/slipway/internal/adapter/aws/awstest"
)

// send calls a service as an SDK would that this module does not link.
func (l *lab) send(t *testing.T, service, region string, r *http.Request, body string) (string, error) {
	t.Helper()
	credentials, err := l.config.Credentials.Retrieve(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256([]byte(body))
	if err := v4.NewSigner().SignHTTP(t.Context(), credentials, r, hex.EncodeToString(sum[:]), service, region, l.now); err != nil {
		t.Fatal(err)
	}
	res, err := l.Client.Do(r)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	if err != nil {
		return "", err
	}
	if res.StatusCode == http.StatusOK {
		return string(text), nil
	}
	var e struct {
		Error struct{ Code, Message string }
	}
	if err := xml.Unmarshal(text, &e); err != nil {
		e.Error.Code, e.Error.Message = res.Header.Get("X-Amzn-Errortype"), string(text)
	}
	return "", &smithy.GenericAPIError{Code: e.Error.Code, Message: e.Error.Message}
}

// iam calls IAM; words are parameters and their values.
func (l *lab) iam(t *testing.T, action string, words ...string) (string, error) {
	t.Helper()
	form := url.Values{"Action": {action}, "Version": {"2010-05-08"}}
	for i := 0; i < len(words); i += 2 {
		form.Set(words[i], words[i+1])
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://iam.amazonaws.com/", strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return l.send(t, "iam", "us-east-1", r, form.Encode())
}

// must requires that IAM does it, and that its answer has the texts.
func (l *lab) must(t *testing.T, action string, words []string, want ...string) string {
	t.Helper()
	out, err := l.iam(t, action, words...)
	if err != nil {
		t.Fatalf("%s: %v", action, err)
	}
	for _, text := range want {
		if !strings.Contains(out, text) {
			t.Errorf("%s: %s\nhas no %s", action, out, text)
		}
	}
	return out
}

// refused requires an error of IAM.
func (l *lab) refused(t *testing.T, code, action string, words ...string) {
	t.Helper()
	if _, err := l.iam(t, action, words...); err == nil || !strings.Contains(err.Error(), code) {
		t.Errorf("%s %.120q: %v, want %s", action, words, err, code)
	}
}

const (
	trustOfSageMaker = `{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": "sagemaker.amazonaws.com"}, "Action": "sts:AssumeRole"}]}`
	rightsOfTopic    = `{"Version": "2012-10-17", "Statement": [{"Sid": "Tell", "Effect": "Allow", "Action": "sns:Publish", "Resource": "` + topic + `"}]}`
	roleARN          = "arn:aws:iam::" + awstest.Account + ":role/"
	policyARN        = "arn:aws:iam::" + awstest.Account + ":policy/"
	providerARN      = "arn:aws:iam::" + awstest.Account + ":oidc-provider/"
)

func trustOfUser(name string) string {
	return `{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Principal": {"AWS": "` + name + `"}, "Action": "sts:AssumeRole"}}`
}

// TestIAM_Role: a role from its creation to its end, with everything that it has.
func TestIAM_Role(t *testing.T) {
	l := newLab(t)
	role := []string{"RoleName", "deploy"}
	l.must(t, "CreatePolicy", []string{"PolicyName", "bounds", "PolicyDocument", rightsOfTopic}, "<Arn>"+policyARN+"bounds</Arn>", "<DefaultVersionId>v1</DefaultVersionId>")
	l.must(t, "CreateRole", append(role, "AssumeRolePolicyDocument", trustOfSageMaker, "Path", "/slipway/", "Description", "deploys",
		"MaxSessionDuration", "7200", "PermissionsBoundary", policyARN+"bounds", "Tags.member.1.Key", "slipway:project", "Tags.member.1.Value", "retail"),
		"<Arn>"+roleARN+"slipway/deploy</Arn>", "%22sagemaker.amazonaws.com%22", "<RoleId>AROA")
	l.refused(t, "EntityAlreadyExists", "CreateRole", append(role, "AssumeRolePolicyDocument", trustOfSageMaker)...)
	l.must(t, "GetRole", role, "<MaxSessionDuration>7200<", "<Description>deploys<", "<Key>slipway:project</Key><Value>retail</Value>", "<PermissionsBoundaryArn>"+policyARN+"bounds<")
	l.must(t, "UpdateRole", append(role, "Description", "", "MaxSessionDuration", "3600"))
	if out := l.must(t, "GetRole", role, "<MaxSessionDuration>3600<"); strings.Contains(out, "<Description>") {
		t.Error(out)
	}
	l.must(t, "PutRolePolicy", append(role, "PolicyName", "tell", "PolicyDocument", rightsOfTopic))
	l.must(t, "GetRolePolicy", append(role, "PolicyName", "tell"), "%22sns%3APublish%22", "%20")
	l.must(t, "ListRolePolicies", role, "<member>tell</member>")
	l.must(t, "AttachRolePolicy", append(role, "PolicyArn", "arn:aws:iam::aws:policy/AdministratorAccess"))
	l.must(t, "ListAttachedRolePolicies", role, "<PolicyName>AdministratorAccess<")
	l.must(t, "TagRole", append(role, "Tags.member.1.Key", "a", "Tags.member.1.Value", "b"))
	l.must(t, "UntagRole", append(role, "TagKeys.member.1", "slipway:project"))
	if out := l.must(t, "ListRoleTags", role, "<Key>a</Key>"); strings.Contains(out, "slipway") {
		t.Error(out)
	}
	l.must(t, "ListRoles", nil, "<RoleName>deploy<")
	l.refused(t, "DeleteConflict", "DeleteRole", role...)
	l.must(t, "DeleteRolePolicy", append(role, "PolicyName", "tell"))
	l.refused(t, "DeleteConflict", "DeleteRole", role...)
	l.must(t, "DetachRolePolicy", append(role, "PolicyArn", "arn:aws:iam::aws:policy/AdministratorAccess"))
	l.refused(t, "DeleteConflict", "DeletePolicy", "PolicyArn", policyARN+"bounds")
	l.must(t, "DeleteRolePermissionsBoundary", role)
	l.refused(t, "NoSuchEntity", "DeleteRolePermissionsBoundary", role...)
	l.must(t, "DeletePolicy", []string{"PolicyArn", policyARN + "bounds"})
	l.must(t, "DeleteRole", role)
	l.refused(t, "NoSuchEntity", "GetRole", role...)
	if err := l.Invalid(); err != nil {
		t.Error(err)
	}
}

// TestIAM_Refusals: what IAM does not take, and by which error.
func TestIAM_Refusals(t *testing.T) {
	l := newLab(t)
	l.must(t, "CreateRole", []string{"RoleName", "r", "AssumeRolePolicyDocument", trustOfSageMaker})
	l.must(t, "CreatePolicy", []string{"PolicyName", "p", "PolicyDocument", rightsOfTopic})
	statement := func(body string) string { return `{"Version": "2012-10-17", "Statement": [` + body + `]}` }
	long := statement(`{"Effect": "Allow", "Action": "sns:Publish", "Resource": "arn:aws:sns:*:*:` + strings.Repeat("x", 5300) + `"}`)
	longTrust := statement(`{"Sid": "` + strings.Repeat("x", 2000) + `", "Effect": "Allow", "Principal": {"Service": "sagemaker.amazonaws.com"}, "Action": "sts:AssumeRole"}`)
	l.must(t, "PutRolePolicy", []string{"RoleName", "r", "PolicyName", "long", "PolicyDocument", long})
	l.must(t, "PutRolePolicy", []string{"RoleName", "r", "PolicyName", "long", "PolicyDocument", strings.ReplaceAll(long, ", ", ",\n      ")})
	put := []string{"PutRolePolicy", "RoleName", "r", "PolicyName", "x", "PolicyDocument"}
	create := []string{"CreateRole", "RoleName", "new", "AssumeRolePolicyDocument"}
	for _, tt := range []struct {
		name, code string
		call       []string
	}{
		{"too much inline", "LimitExceeded", append(put, long)},
		{"no JSON", "MalformedPolicyDocument", append(put, "{")},
		{"no statement", "MalformedPolicyDocument", append(put, statement(""))},
		{"no effect", "MalformedPolicyDocument", append(put, statement(`{"Action": "a:b", "Resource": "*"}`))},
		{"no vendor", "MalformedPolicyDocument", append(put, statement(`{"Effect": "Allow", "Action": "Publish", "Resource": "*"}`))},
		{"no ARN", "MalformedPolicyDocument", append(put, statement(`{"Effect": "Allow", "Action": "a:b", "Resource": "bucket/x"}`))},
		{"a principal in rights", "MalformedPolicyDocument", append(put, trustOfSageMaker)},
		{"a Sid twice", "MalformedPolicyDocument", append(put, statement(`{"Sid": "A", "Effect": "Allow", "Action": "a:b", "Resource": "*"}, {"Sid": "A", "Effect": "Allow", "Action": "a:b", "Resource": "*"}`))},
		{"a Sid with a dash", "MalformedPolicyDocument", append(put, statement(`{"Sid": "A-B", "Effect": "Allow", "Action": "a:b", "Resource": "*"}`))},
		{"beyond Latin-1", "ValidationException", append(put, statement(`{"Sid": "A", "Effect": "Allow", "Action": "a:b", "Resource": "arn:aws:s3:::–"}`))},
		{"resources in a trust", "MalformedPolicyDocument", append(create, rightsOfTopic)},
		{"another action in a trust", "MalformedPolicyDocument", append(create, strings.Replace(trustOfSageMaker, "sts:AssumeRole", "sts:*", 1))},
		{"a long trust", "LimitExceeded", append(create, longTrust)},
		{"an unknown role", "MalformedPolicyDocument", append(create, trustOfUser(roleARN+"absent"))},
		{"an unknown user", "MalformedPolicyDocument", append(create, trustOfUser("arn:aws:iam::"+awstest.Account+":user/absent"))},
		{"no service", "MalformedPolicyDocument", append(create, strings.Replace(trustOfSageMaker, ".amazonaws.com", "", 1))},
		{"another case of a name", "EntityAlreadyExists", []string{"CreateRole", "RoleName", "R", "AssumeRolePolicyDocument", trustOfSageMaker}},
		{"an unknown boundary", "NoSuchEntity", append(create, trustOfSageMaker, "PermissionsBoundary", policyARN+"absent")},
		{"an unknown policy", "NoSuchEntity", []string{"AttachRolePolicy", "RoleName", "r", "PolicyArn", policyARN + "absent"}},
		{"not attached", "NoSuchEntity", []string{"DetachRolePolicy", "RoleName", "r", "PolicyArn", policyARN + "p"}},
		{"an unknown inline policy", "NoSuchEntity", []string{"GetRolePolicy", "RoleName", "r", "PolicyName", "absent"}},
		{"AWS's own", "AccessDenied", []string{"DeletePolicy", "PolicyArn", "arn:aws:iam::aws:policy/AdministratorAccess"}},
		{"a policy again", "EntityAlreadyExists", []string{"CreatePolicy", "PolicyName", "p", "PolicyDocument", rightsOfTopic}},
		{"a large policy", "LimitExceeded", []string{"CreatePolicy", "PolicyName", "q", "PolicyDocument", strings.Replace(long, "xx", strings.Repeat("x", 1000), 1)}},
		{"a reserved tag", "InvalidInput", []string{"TagRole", "RoleName", "r", "Tags.member.1.Key", "aws:x", "Tags.member.1.Value", "y"}},
	} {
		t.Run(tt.name, func(t *testing.T) { l.refused(t, tt.code, tt.call[0], tt.call[1:]...) })
	}
}

// TestIAM_Policy: five versions at most, of which one counts.
func TestIAM_Policy(t *testing.T) {
	l := newLab(t)
	policy := []string{"PolicyArn", policyARN + "people/approver"}
	l.must(t, "CreatePolicy", []string{"PolicyName", "approver", "Path", "/people/", "Description", "approves", "PolicyDocument", rightsOfTopic, "Tags.member.1.Key", "a", "Tags.member.1.Value", "b"})
	for range 4 {
		l.must(t, "CreatePolicyVersion", append(policy, "PolicyDocument", strings.Replace(rightsOfTopic, "Tell", "Again", 1), "SetAsDefault", "true"))
	}
	l.refused(t, "LimitExceeded", "CreatePolicyVersion", append(policy, "PolicyDocument", rightsOfTopic)...)
	l.must(t, "GetPolicy", policy, "<DefaultVersionId>v5<", "<Description>approves<", "<Key>a</Key>", "<Path>/people/<")
	l.must(t, "GetPolicyVersion", append(policy, "VersionId", "v5"), "Again", "<IsDefaultVersion>true<")
	l.refused(t, "DeleteConflict", "DeletePolicy", policy...)
	l.refused(t, "DeleteConflict", "DeletePolicyVersion", append(policy, "VersionId", "v5")...)
	l.must(t, "SetDefaultPolicyVersion", append(policy, "VersionId", "v4"))
	for _, version := range []string{"v1", "v2", "v3", "v5"} {
		l.must(t, "DeletePolicyVersion", append(policy, "VersionId", version))
	}
	l.refused(t, "NoSuchEntity", "DeletePolicyVersion", append(policy, "VersionId", "v1")...)
	l.must(t, "CreatePolicyVersion", append(policy, "PolicyDocument", rightsOfTopic), "<VersionId>v6<", "<IsDefaultVersion>false<")
	l.must(t, "ListPolicyVersions", policy, "<VersionId>v4<", "<VersionId>v6<")
	l.must(t, "TagPolicy", append(policy, "Tags.member.1.Key", "c", "Tags.member.1.Value", "d"))
	l.must(t, "UntagPolicy", append(policy, "TagKeys.member.1", "a"))
	l.must(t, "ListPolicyTags", policy, "<Key>c</Key>")
	if out := l.must(t, "ListPolicies", []string{"Scope", "Local"}, policyARN+"people/approver"); strings.Contains(out, "iam::aws:") {
		t.Error(out)
	}
}

// TestIAM_Provider: an issuer of tokens, with several audiences.
func TestIAM_Provider(t *testing.T) {
	l := newLab(t)
	provider := []string{"OpenIDConnectProviderArn", providerARN + github}
	create := []string{"Url", "https://" + github, "ClientIDList.member.1", "sts.amazonaws.com", "Tags.member.1.Key", "a", "Tags.member.1.Value", "b"}
	l.must(t, "CreateOpenIDConnectProvider", create, "<OpenIDConnectProviderArn>"+provider[1]+"<")
	l.refused(t, "EntityAlreadyExists", "CreateOpenIDConnectProvider", create...)
	l.refused(t, "ValidationError", "CreateOpenIDConnectProvider", "Url", "http://"+github)
	l.must(t, "AddClientIDToOpenIDConnectProvider", append(provider, "ClientID", "other"))
	l.must(t, "GetOpenIDConnectProvider", provider, "<Url>"+github+"<", "<member>sts.amazonaws.com</member><member>other</member>", "<Key>a</Key>")
	l.must(t, "RemoveClientIDFromOpenIDConnectProvider", append(provider, "ClientID", "other"))
	l.must(t, "TagOpenIDConnectProvider", append(provider, "Tags.member.1.Key", "c", "Tags.member.1.Value", "d"))
	l.must(t, "UntagOpenIDConnectProvider", append(provider, "TagKeys.member.1", "a"))
	l.must(t, "ListOpenIDConnectProviderTags", provider, "<Key>c</Key>")
	l.must(t, "ListOpenIDConnectProviders", nil, provider[1])
	l.must(t, "DeleteOpenIDConnectProvider", provider)
	l.refused(t, "NoSuchEntity", "GetOpenIDConnectProvider", provider...)
}

// TestIAM_Details: all of an account in pages, with what a test put there otherwise.
func TestIAM_Details(t *testing.T) {
	l := newLab(t)
	l.PageIAM(2)
	if err := l.AddTrustedRole("there", trustOfSageMaker, nil); err != nil {
		t.Fatal(err)
	}
	if err := l.SetPolicies("role/there", rightsOfTopic, rightsOfTopic, rightsOfTopic); err != nil {
		t.Fatal(err)
	}
	l.must(t, "CreateRole", []string{"RoleName", "made", "AssumeRolePolicyDocument", trustOfSageMaker})
	l.must(t, "AttachRolePolicy", []string{"RoleName", "made", "PolicyArn", "arn:aws:iam::aws:policy/AdministratorAccess"})
	var all strings.Builder
	pages := 0
	for marker := ""; ; pages++ {
		words := []string{}
		if marker != "" {
			words = append(words, "Marker", marker)
		}
		out := l.must(t, "GetAccountAuthorizationDetails", words)
		all.WriteString(out)
		_, rest, more := strings.Cut(out, "<Marker>")
		if !more {
			break
		}
		marker, _, _ = strings.Cut(rest, "<")
	}
	for _, want := range []string{"<RoleName>there<", "<RoleName>made<", "<PolicyName>policy-02<", "<PolicyName>AdministratorAccess<", policyARN + "there-boundary<", "<UserName>alice<"} {
		if !strings.Contains(all.String(), want) {
			t.Errorf("%d pages have no %s", pages, want)
		}
	}
	if pages != 2 || strings.Contains(all.String(), "PullOnly") { // AWS's policies that nobody uses
		t.Errorf("%d pages: %s", pages+1, all.String())
	}
	if out := l.must(t, "GetAccountAuthorizationDetails", []string{"Filter.member.1", "LocalManagedPolicy"}); strings.Contains(out, "<RoleName>") {
		t.Error(out)
	}
}

// TestIAM_Faults: what goes wrong with other services goes wrong with IAM.
func TestIAM_Faults(t *testing.T) {
	l := newLab(t)
	for fault, code := range map[awstest.Fault]string{awstest.Throttled: "ThrottlingException", awstest.Unavailable: "ServiceUnavailable", awstest.Denied: "AccessDenied", awstest.ResponseLost: "EOF"} {
		l.Inject(func(*awstest.Call) awstest.Fault { return fault })
		l.refused(t, code, "CreateRole", "RoleName", "r", "AssumeRolePolicyDocument", trustOfSageMaker)
	}
	l.Inject(nil)
	l.must(t, "GetRole", []string{"RoleName", "r"}) // the answer was lost, the role was not
	l.now = l.now.Add(time.Hour)
}
