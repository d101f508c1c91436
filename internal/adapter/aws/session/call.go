package session

import (
	"context"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// API is a service of AWS. The SDK's clients keep the schemas of all their operations in
// the program, a megabyte for each service; of these services few operations are called.
// See docs/decisions/0046-aws-services-called-in-json.md.
type API struct {
	Name    string // of its host and in signatures: "monitoring"
	Host    string // of its host, where that is another: "api.ecr"
	Target  string // before the operation, of services that take JSON: "GraniteServiceVersion20100801"
	Version string // of its JSON: "1.0"; of services of the Query protocol, of the service: "2010-05-08"
	Global  bool   // it has no regions: "iam"
}

// Call carries an operation of a service that takes JSON out, with the retries of the
// SDK's clients. in is marshalled and the response unmarshalled into out; nil: it is not
// read. Errors are those that Explain knows.
func (s *Session) Call(ctx context.Context, api API, operation string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return fmt.Errorf("write the request of %s: %w", operation, err)
	}
	res, err := s.Do(ctx, Request{
		API: api, Operation: operation, Method: http.MethodPost, Body: body,
		Header: http.Header{"Content-Type": {"application/x-amz-json-" + api.Version}, "X-Amz-Target": {api.Target + "." + operation}},
	})
	if err != nil {
		return err
	}
	return readJSON(operation, res.Body, out)
}

// Query carries an operation of a service of the Query protocol out, as Call does. out is
// for encoding/xml, and has what is in the operation's Result.
func (s *Session) Query(ctx context.Context, api API, operation string, in url.Values, out any) error {
	values := url.Values{"Action": {operation}, "Version": {api.Version}}
	for name, value := range in {
		values[name] = value
	}
	res, err := s.Do(ctx, Request{
		API: api, Operation: operation, Method: http.MethodPost, Body: []byte(values.Encode()),
		Header: http.Header{"Content-Type": {"application/x-www-form-urlencoded; charset=utf-8"}},
	})
	if err != nil || out == nil {
		return err
	}
	d := xml.NewDecoder(strings.NewReader(string(res.Body)))
	for {
		token, err := d.Token()
		if err != nil {
			return fmt.Errorf("read the response of %s: %w", operation, err)
		}
		if start, ok := token.(xml.StartElement); ok && start.Name.Local == operation+"Result" {
			if err := d.DecodeElement(out, &start); err != nil {
				return fmt.Errorf("read the response of %s: %w", operation, err)
			}
			return nil
		}
	}
}

// REST carries an operation of a service that has a path for each thing out, as Call
// does. path is escaped; in may be nil.
func (s *Session) REST(ctx context.Context, api API, operation, method, path string, query url.Values, in, out any) error {
	r := Request{API: api, Operation: operation, Method: method, Path: path, Query: query}
	if in != nil {
		body, err := json.Marshal(in)
		if err != nil {
			return fmt.Errorf("write the request of %s: %w", operation, err)
		}
		r.Body, r.Header = body, http.Header{"Content-Type": {"application/json"}}
	}
	res, err := s.Do(ctx, r)
	if err != nil {
		return err
	}
	return readJSON(operation, res.Body, out)
}

func readJSON(operation string, body []byte, out any) error {
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(body, out); err != nil {
		return fmt.Errorf("read the response of %s: %w", operation, err)
	}
	return nil
}
