package resources

import (
	"bytes"
	"context"
	"crypto/md5" //nolint:gosec // S3 asks for it, as a checksum
	"encoding/base64"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"

	"github.com/slipway-cd/slipway/internal/account"
	"github.com/slipway-cd/slipway/internal/adapter/aws/session"
	"github.com/slipway-cd/slipway/internal/fault"
)

var s3API = session.API{Name: "s3"}

// call is a request to S3.
type call struct {
	operation, method, bucket string
	query                     string     // the setting: "tagging"
	more                      url.Values // of the query
	in                        any        // as XML; []byte: as it is
}

// s3 calls S3; out is for encoding/xml, or *[]byte.
func (a *Account) s3(ctx context.Context, action string, c call, out any, expected ...string) (code string, err error) {
	r := session.Request{API: s3API, Operation: c.operation, Method: c.method, Host: c.bucket, Query: url.Values{}, Header: http.Header{}}
	maps.Copy(r.Query, c.more)
	if c.query != "" {
		r.Query.Set(c.query, "")
	}
	switch in := c.in.(type) {
	case nil:
	case []byte:
		r.Body = in
	default:
		if r.Body, err = xml.Marshal(in); err != nil {
			return "", fmt.Errorf("write the request of %s: %w", c.operation, err)
		}
	}
	if r.Body != nil {
		sum := md5.Sum(r.Body) //nolint:gosec // see above
		r.Header.Set("Content-Md5", base64.StdEncoding.EncodeToString(sum[:]))
	}
	return a.do(ctx, action, func(s *session.Session) error {
		res, err := s.Do(ctx, r)
		if err != nil || out == nil {
			return err
		}
		if raw, ok := out.(*[]byte); ok {
			*raw = res.Body
			return nil
		}
		if err := xml.Unmarshal(res.Body, out); err != nil {
			return fmt.Errorf("read the response of %s: %w", c.operation, err)
		}
		return nil
	}, expected...)
}

// get reads a setting; found is false where the bucket has none.
func (p bucket) get(ctx context.Context, action, name, operation, setting string, out any, none string) (found bool, err error) {
	code, err := p.s3(ctx, action, call{operation: operation, method: http.MethodGet, bucket: name, query: setting}, out, none)
	return err == nil && code == "", err
}

func (p bucket) tags(ctx context.Context, action, name string) (map[string]string, error) {
	var out tagSet
	if found, err := p.get(ctx, action, name, "GetBucketTagging", "tagging", &out, "NoSuchTagSet"); err != nil || !found {
		return nil, err
	}
	return tagMap(out.Tags), nil
}

// versioning is whether versions are kept.
type versioning struct {
	XMLName xml.Name `xml:"http://s3.amazonaws.com/doc/2006-03-01/ VersioningConfiguration"`
	Status  string   `xml:",omitempty"`
}

func (p bucket) versioned(ctx context.Context, action, name string) (bool, error) {
	var out struct{ Status string }
	_, err := p.get(ctx, action, name, "GetBucketVersioning", "versioning", &out, "")
	return out.Status == "Enabled", err
}

// encryption is how objects are encrypted that do not say how.
type encryption struct {
	XMLName xml.Name `xml:"http://s3.amazonaws.com/doc/2006-03-01/ ServerSideEncryptionConfiguration"`
	Rule    struct {
		Default struct {
			Algorithm string `xml:"SSEAlgorithm"`
		} `xml:"ApplyServerSideEncryptionByDefault"`
	}
}

func encrypted() (e encryption) {
	e.Rule.Default.Algorithm = "AES256"
	return e
}

type differ = func(path, have, want string)

func (p bucket) readEncryption(ctx context.Context, action, name string, differ differ) error {
	var out struct {
		Algorithm string `xml:"Rule>ApplyServerSideEncryptionByDefault>SSEAlgorithm"`
	}
	if _, err := p.get(ctx, action, name, "GetBucketEncryption", "encryption", &out, "ServerSideEncryptionConfigurationNotFoundError"); err != nil {
		return err
	}
	if out.Algorithm == "" { // with a key of KMS's it is encrypted, too
		differ("encryption", "", "AES256")
	}
	return nil
}

// publicAccess is what of public access is blocked.
type publicAccess struct {
	XMLName               xml.Name `xml:"http://s3.amazonaws.com/doc/2006-03-01/ PublicAccessBlockConfiguration"`
	BlockPublicAcls       bool
	IgnorePublicAcls      bool
	BlockPublicPolicy     bool
	RestrictPublicBuckets bool
}

func closed() publicAccess {
	return publicAccess{BlockPublicAcls: true, IgnorePublicAcls: true, BlockPublicPolicy: true, RestrictPublicBuckets: true}
}

func (p bucket) readPublicAccess(ctx context.Context, action, name string, differ differ) error {
	var out struct{ BlockPublicAcls, IgnorePublicAcls, BlockPublicPolicy, RestrictPublicBuckets bool }
	if _, err := p.get(ctx, action, name, "GetPublicAccessBlock", "publicAccessBlock", &out, "NoSuchPublicAccessBlockConfiguration"); err != nil {
		return err
	}
	if !out.BlockPublicAcls || !out.IgnorePublicAcls || !out.BlockPublicPolicy || !out.RestrictPublicBuckets {
		differ("public access", "not blocked", "blocked")
	}
	return nil
}

// policy reads the bucket's policy; the zero value: it has none.
func (p bucket) policy(ctx context.Context, action, name string) (policy bucketPolicy, err error) {
	var raw []byte
	found, err := p.get(ctx, action, name, "GetBucketPolicy", "policy", &raw, "NoSuchBucketPolicy")
	if err != nil || !found {
		return bucketPolicy{Version: "2012-10-17"}, err
	}
	var list struct{ Statement json.RawMessage }
	if err = json.Unmarshal(raw, &policy); err != nil { // one statement need not be a list
		if err = json.Unmarshal(raw, &list); err == nil {
			policy = bucketPolicy{Version: "2012-10-17", Statement: []json.RawMessage{list.Statement}}
		}
	}
	if err != nil {
		return policy, fault.New(fault.Unavailable, "%s has a policy that is not valid JSON", action).Cause(err)
	}
	return policy, nil
}

// isTLS reports whether a statement is the one that requires TLS.
func (p bucket) isTLS(name string, statement json.RawMessage) bool {
	var have, want any
	raw, err := json.Marshal(account.TLSOnly(p.bucketARN(name)))
	if err != nil || json.Unmarshal(raw, &want) != nil || json.Unmarshal(statement, &have) != nil {
		return false
	}
	wrap := func(s any) account.Spec { return map[string]any{"Statement": []any{s}} }
	found, err := account.Diff(wrap(want), wrap(have))
	return err == nil && len(found) == 0
}

func (p bucket) readTLS(ctx context.Context, action, name string, differ differ) error {
	policy, err := p.policy(ctx, action, name)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(policy.Statement, func(s json.RawMessage) bool { return p.isTLS(name, s) }) {
		differ("policy", "", "requests by TLS only")
	}
	return nil
}

// requireTLS adds the statement to those that are there.
func (p bucket) requireTLS(ctx context.Context, action, name string) error {
	policy, err := p.policy(ctx, action, name)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(policy.Statement, func(s json.RawMessage) bool { return p.isTLS(name, s) }) {
		return nil
	}
	wanted := account.TLSOnly(p.bucketARN(name))
	policy.Statement = slices.DeleteFunc(policy.Statement, func(s json.RawMessage) bool { return bytes.Contains(s, []byte(`"`+wanted.Sid+`"`)) })
	raw, err := json.Marshal(wanted)
	if err != nil {
		return err
	}
	policy.Statement = append(policy.Statement, raw)
	text, err := json.Marshal(policy)
	if err != nil {
		return err
	}
	_, err = p.s3(ctx, action, call{operation: "PutBucketPolicy", method: http.MethodPut, bucket: name, query: "policy", in: text}, nil)
	return err
}
