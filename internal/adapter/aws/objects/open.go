package objects

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go/logging"
	gcaws "gocloud.dev/aws"

	"github.com/slipway-cd/slipway/internal/fault"
)

// Open opens the bucket that the URL names, such as s3://bucket/prefix?region=eu-west-1.
// Credentials come from the SDK's chain. Nothing is sent yet. The query may hold the
// parameters of the Go Cloud Development Kit's S3 URLs (gocloud.dev/blob/s3blob), which
// addresses of a shared state were first opened with.
func Open(ctx context.Context, u *url.URL) (*Store, error) {
	s, err := open(ctx, u)
	if err != nil {
		return nil, fault.New(fault.Invalid, "open %s", withoutQuery(u)).Hint("check the URL and the credentials").Cause(err)
	}
	if s.client.Options().Region == "" {
		return nil, fault.New(fault.Invalid, "open %s: its region is not known", withoutQuery(u)).Hint("add ?region=REGION to it, or set AWS_REGION")
	}
	return s, nil
}

func open(ctx context.Context, u *url.URL) (*Store, error) {
	if u.Host == "" {
		return nil, fmt.Errorf("the URL names no bucket")
	}
	p := params{query: u.Query()}
	options := p.clientOptions()
	s := &Store{bucket: u.Host, prefix: strings.Trim(u.Path, "/"), name: withoutQuery(u), encryption: p.encryption(), key: p.take("kmskeyid")}
	if p.err != nil {
		return nil, p.err
	}
	config, err := gcaws.V2ConfigFromURLParams(ctx, p.query)
	if err != nil {
		return nil, err
	}
	if s.prefix != "" {
		s.prefix += "/"
	}
	s.client = s3.NewFromConfig(config, options)
	return s, nil
}

// withoutQuery is the URL as messages show it: the query may hold credentials.
func withoutQuery(u *url.URL) string {
	at := url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}
	return at.String()
}

// params are the parameters of a URL that are not taken yet, and the first error.
type params struct {
	query url.Values
	err   error
}

// take returns a parameter and removes it: what is left is for the kit, which refuses
// those that it does not know.
func (p *params) take(name string) string {
	value := p.query.Get(name)
	p.query.Del(name)
	return value
}

func (p *params) flag(name string) bool {
	text := p.take(name)
	if text == "" {
		return false
	}
	value, err := strconv.ParseBool(text)
	if err != nil && p.err == nil {
		p.err = fmt.Errorf("%s=%q is neither true nor false", name, text)
	}
	return value
}

func (p *params) clientOptions() func(*s3.Options) {
	accelerate, plain := p.flag("accelerate"), p.flag("disable_https")
	modern, older := p.flag("use_path_style"), p.flag("s3ForcePathStyle")
	return func(o *s3.Options) {
		o.UseAccelerate, o.EndpointOptions.DisableHTTPS, o.UsePathStyle = accelerate, plain, modern || older
		// By default the SDK prints a line for each object without a checksum.
		o.Logger, o.DisableLogOutputChecksumValidationSkipped = logging.Nop{}, true
	}
}

func (p *params) encryption() types.ServerSideEncryption {
	text := p.take("ssetype")
	if text == "" {
		return ""
	}
	known := types.ServerSideEncryption("").Values()
	i := slices.IndexFunc(known, func(e types.ServerSideEncryption) bool { return strings.EqualFold(string(e), text) })
	if i < 0 {
		if p.err == nil {
			p.err = fmt.Errorf("ssetype=%q is none of %v", text, known)
		}
		return ""
	}
	return known[i]
}
