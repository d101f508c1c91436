package awstest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/slipway-cd/slipway/internal/adapter/aws/awstest/model"
)

// maxRequest bounds a request to a control plane, in bytes.
const maxRequest = 4 << 20

// ServeHTTP carries out a request to any service of AWS, by its Host.
func (c *Cloud) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	id := fmt.Sprintf("00000000-0000-4000-8000-%012d", c.next())
	c.mu.Unlock()
	if strings.Contains(r.Host, ".dkr.ecr.") {
		c.serveRegistry(w, r)
		return
	}
	if bucket, key, ok := c.bucketAt(r); ok {
		c.serveS3(w, r, bucket, key, id)
		return
	}
	s := c.serviceAt(r.Host)
	if s == nil {
		http.Error(w, "awstest has no service at "+r.Host, http.StatusNotFound)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxRequest))
	if err != nil {
		http.Error(w, err.Error(), http.StatusRequestEntityTooLarge)
		return
	}
	call, out, fault, err := c.carryOut(r.Context(), s, r, body)
	var res response
	if err == nil {
		res, err = encode(s, call, out, id)
	}
	if err != nil {
		res = encodeError(s, call, errorOf(err), id)
	}
	if fault == ResponseLost {
		panic(http.ErrAbortHandler) // the work is done; the connection breaks
	}
	for name, values := range res.header {
		w.Header()[name] = values
	}
	w.WriteHeader(res.status)
	_, _ = w.Write(res.body)
}

// serviceAt finds a service by the host of its endpoint.
func (c *Cloud) serviceAt(host string) *model.Service {
	for _, s := range c.services {
		prefix := s.Metadata.EndpointPrefix
		global := s.Name == "resourcegroupstaggingapi" && host == prefix+".us-east-1.amazonaws.com" // where it finds what is of IAM
		if host == fmt.Sprintf("%s.%s.amazonaws.com", prefix, c.Region) || host == prefix+".amazonaws.com" || global {
			return s
		}
	}
	return nil
}

// regionOf is the region that calls at a host have to be signed for; empty: any.
func (c *Cloud) regionOf(s *model.Service, host string) string {
	switch {
	case s.Name == "iam", strings.Contains(host, ".us-east-1."):
		return "us-east-1" // IAM is there, for all regions
	case strings.HasPrefix(host, s.Metadata.EndpointPrefix+".amazonaws."):
		return ""
	}
	return c.Region
}

// unsigned are the operations that need no credentials.
func unsigned(s *model.Service, operation string) bool {
	return s.Name == "sts" && operation == "AssumeRoleWithWebIdentity"
}

func (c *Cloud) carryOut(ctx context.Context, s *model.Service, r *http.Request, body []byte) (*Call, any, Fault, error) {
	call := &Call{Service: s, Region: c.Region, Request: r}
	var err error
	if call.Operation, call.Input, err = decode(s, r, body); err != nil {
		return call, nil, NoFault, err
	}
	if !unsigned(s, call.Operation.Name) {
		signed, err := parseSignature(r)
		if err == nil {
			call.Principal, err = c.authenticate(ctx, r, signed, body)
		}
		if err != nil {
			return call, nil, NoFault, err
		}
		if region := c.regionOf(s, r.Host); signed.service != s.SigningName() || region != "" && signed.region != region {
			return call, nil, NoFault, refuse("SignatureDoesNotMatch", "Credential should be scoped to %s in %s, not %s in %s", s.SigningName(), region, signed.service, signed.region)
		}
	}
	if call.Operation.Input != nil {
		if wrong := s.Validate("$", call.Operation.Input.Shape, any(call.Input)); len(wrong) > 0 {
			return call, nil, NoFault, c.invalid(call, wrong)
		}
	}
	out, fault, err := c.answer(call)
	return call, out, fault, err
}

// invalid records a request that AWS's model refuses. It is a fault of the caller that
// no test may overlook.
func (c *Cloud) invalid(call *Call, wrong []string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.calls = append(c.calls, Record{Service: call.Service.Name, Operation: call.Operation.Name, Input: call.Input, Principal: call.Principal.ARN, Error: "ValidationException", Invalid: strings.Join(wrong, "; ")})
	return refuse("ValidationException", "%s", strings.Join(wrong, "; "))
}

// Invalid returns the requests so far that AWS's models refused.
func (c *Cloud) Invalid() error {
	var all []error
	for _, call := range c.Calls() {
		if call.Invalid != "" {
			all = append(all, fmt.Errorf("%s.%s: %s", call.Service, call.Operation, call.Invalid))
		}
	}
	return errors.Join(all...)
}
