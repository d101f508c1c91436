package s3

import (
	"context"
	"io"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/slipway-cd/slipway/internal/fault"
)

// Read returns the content of a small object. One with more than limit bytes is
// fault.Exhausted, and not read further.
func (c *Client) Read(ctx context.Context, o Object, limit int64) ([]byte, error) {
	action := "read " + o.String()
	out, err := sdk(c).GetObject(ctx, &s3.GetObjectInput{Bucket: &o.Bucket, Key: &o.Key, VersionId: optional(o.Version)})
	if err != nil {
		return nil, c.explain(ctx, action, o, err)
	}
	defer out.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(out.Body, limit+1))
	if err != nil {
		return nil, c.explain(ctx, action, o, err)
	}
	if int64(len(raw)) > limit {
		return nil, fault.New(fault.Exhausted, "%s: it has more than %d bytes", action, limit)
	}
	return raw, nil
}
