package awstest

import (
	"net/http"

	"github.com/slipway-cd/slipway/internal/adapter/aws/awstest/model"
)

// Read returns which operation of AWS a request is, and carries nothing out. ok is false
// for a request that AWS's models do not have.
func (c *Cloud) Read(r *http.Request, body []byte) (s *model.Service, op model.Operation, ok bool) {
	if _, key, isS3 := c.bucketAt(r); isS3 {
		s = c.services["s3"]
		op, ok = s.Operations[s3Operation(r.Method, r.URL.Query(), key != "")]
		return s, op, ok
	}
	if s = c.serviceAt(r.Host); s == nil {
		return nil, model.Operation{}, false
	}
	op, _, err := decode(s, r, body)
	return s, op, err == nil
}
