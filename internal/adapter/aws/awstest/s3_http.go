package awstest

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/slipway-cd/slipway/internal/adapter/aws/awstest/model"
)

// maxObject bounds the body of a request to S3, in bytes.
const maxObject = 256 << 20

// bucketAt splits the bucket and the key from a request to S3: a bucket is in the host,
// or begins the path. ok is false for hosts of other services, and other regions.
func (c *Cloud) bucketAt(r *http.Request) (bucket, key string, ok bool) {
	for _, endpoint := range []string{"s3." + c.Region + ".amazonaws.com", "s3.amazonaws.com"} {
		path := strings.TrimPrefix(r.URL.Path, "/")
		if r.Host == endpoint {
			bucket, key, _ = strings.Cut(path, "/")
			return bucket, key, true
		}
		if bucket, ok = strings.CutSuffix(r.Host, "."+endpoint); ok {
			return bucket, path, true
		}
	}
	return "", "", false
}

// serveS3 carries out a request to S3.
func (c *Cloud) serveS3(w http.ResponseWriter, r *http.Request, bucket, key, id string) {
	raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxObject))
	if err != nil {
		http.Error(w, err.Error(), http.StatusRequestEntityTooLarge)
		return
	}
	call := &Call{Service: c.services["s3"], Region: c.Region, Request: r}
	out, fault, err := c.carryOutS3(call, bucket, key, raw)
	if fault == ResponseLost {
		panic(http.ErrAbortHandler)
	}
	h := w.Header()
	h.Set("X-Amz-Request-Id", id)
	if err != nil {
		writeS3Error(w, r, errorOf(err), id)
		return
	}
	status, body := writeHeaders(h, call, out)
	if r.Method == http.MethodHead {
		h.Set("Content-Length", strconv.Itoa(len(body)))
		body = nil
	}
	w.WriteHeader(status)
	_, _ = w.Write(body)
}

func (c *Cloud) carryOutS3(call *Call, bucket, key string, raw []byte) (*s3Output, Fault, error) {
	r := call.Request
	var ok bool
	name := s3Operation(r.Method, r.URL.Query(), key != "")
	if call.Operation, ok = call.Service.Operations[name]; !ok {
		return nil, NoFault, &Error{Code: "NotImplemented", Message: "awstest has no " + r.Method + " " + r.URL.String(), Status: http.StatusNotImplemented}
	}
	signed, err := parseSignature(r)
	if err == nil {
		call.Principal, err = c.authenticate(r.Context(), r, signed, raw)
	}
	if err != nil {
		return nil, NoFault, err
	}
	if signed.service != "s3" || signed.region != c.Region {
		return nil, NoFault, refuse("AuthorizationHeaderMalformed", "the region '%s' is wrong; expecting '%s'", signed.region, c.Region)
	}
	body, trailer, err := payload(r, raw)
	if err != nil {
		return nil, NoFault, err
	}
	if call.checksums, err = checkSums(r.Header, trailer, body); err != nil {
		return nil, NoFault, err
	}
	call.Body = body
	if call.Input, err = decodeS3(call, bucket, key, body); err != nil {
		return nil, NoFault, err
	}
	if wrong := call.Service.Validate("$", call.Operation.Input.Shape, any(call.Input)); len(wrong) > 0 {
		return nil, NoFault, c.invalid(call, wrong)
	}
	out, fault, err := c.answer(call)
	if fault == Throttled {
		return nil, fault, &Error{Code: "SlowDown", Message: "Please reduce your request rate.", Status: http.StatusServiceUnavailable}
	}
	if err != nil {
		return nil, fault, err
	}
	result, ok := out.(*s3Output)
	if !ok {
		return nil, fault, fmt.Errorf("awstest: %s returned a %T", name, out)
	}
	return result, fault, nil
}

// s3Operation finds the operation by what S3 tells them apart by.
func s3Operation(method string, q url.Values, hasKey bool) string {
	switch {
	case !hasKey && method == http.MethodHead:
		return "HeadBucket"
	case !hasKey && method == http.MethodGet && q.Get("list-type") == "2":
		return "ListObjectsV2"
	case !hasKey:
		return bucketOperation(method, q)
	case method == http.MethodPut && q.Has("uploadId"):
		return "UploadPart"
	case method == http.MethodPost && q.Has("uploads"):
		return "CreateMultipartUpload"
	case method == http.MethodPost && q.Has("uploadId"):
		return "CompleteMultipartUpload"
	case method == http.MethodDelete && q.Has("uploadId"):
		return "AbortMultipartUpload"
	}
	return map[string]string{http.MethodPut: "PutObject", http.MethodGet: "GetObject", http.MethodHead: "HeadObject", http.MethodDelete: "DeleteObject"}[method]
}

// bucketOperations are those on a bucket that a word in the query tells apart.
var bucketOperations = map[string]map[string]string{
	"encryption":        {http.MethodPut: "PutBucketEncryption", http.MethodGet: "GetBucketEncryption"},
	"versioning":        {http.MethodPut: "PutBucketVersioning", http.MethodGet: "GetBucketVersioning"},
	"publicAccessBlock": {http.MethodPut: "PutPublicAccessBlock", http.MethodGet: "GetPublicAccessBlock"},
	"policy":            {http.MethodPut: "PutBucketPolicy", http.MethodGet: "GetBucketPolicy", http.MethodDelete: "DeleteBucketPolicy"},
	"tagging":           {http.MethodPut: "PutBucketTagging", http.MethodGet: "GetBucketTagging"},
	"lifecycle":         {http.MethodPut: "PutBucketLifecycleConfiguration", http.MethodGet: "GetBucketLifecycleConfiguration", http.MethodDelete: "DeleteBucketLifecycle"},
	"location":          {http.MethodGet: "GetBucketLocation"},
	"versions":          {http.MethodGet: "ListObjectVersions"},
	"delete":            {http.MethodPost: "DeleteObjects"},
}

func bucketOperation(method string, q url.Values) string {
	for word, byMethod := range bucketOperations {
		if q.Has(word) {
			return byMethod[method]
		}
	}
	return map[string]string{http.MethodPut: "CreateBucket", http.MethodDelete: "DeleteBucket"}[method]
}

// decodeS3 takes the members of the input from the path, the query, the headers and
// an XML body. An object's content is no member here: see Call.Body.
func decodeS3(call *Call, bucket, key string, body []byte) (map[string]any, error) {
	s, r, q := call.Service, call.Request, call.Request.URL.Query()
	input := map[string]any{"Bucket": bucket}
	if key != "" {
		input["Key"] = key
	}
	for member, ref := range s.Shapes[call.Operation.Input.Shape].Members {
		shape := s.Shapes[ref.Shape]
		switch {
		case ref.Location == "querystring" && q.Has(ref.LocationName):
			input[member] = scalar(shape, q.Get(ref.LocationName))
		case ref.Location == "header" && r.Header.Get(ref.LocationName) != "":
			input[member] = scalar(shape, r.Header.Get(ref.LocationName))
		case ref.Location == "headers":
			if m := metadata(r.Header, ref.LocationName); len(m) > 0 {
				input[member] = m
			}
		case ref.Location == "" && shape.Type == "structure" && len(body) > 0:
			v, err := decodeXML(s, ref.Shape, body)
			if err != nil {
				return nil, refuse("MalformedXML", "%v", err)
			}
			input[member] = v
		case ref.Location == "" && shape.Type == "string" && len(body) > 0: // a bucket's policy
			input[member] = string(body)
		}
	}
	return input, nil
}

func metadata(h http.Header, prefix string) map[string]any {
	m := map[string]any{}
	for name := range h {
		if key, ok := strings.CutPrefix(strings.ToLower(name), prefix); ok {
			m[key] = h.Get(name)
		}
	}
	return m
}

// s3Output is what an operation of S3 returns: members by their names in the model, and
// the content of an object.
type s3Output struct {
	members map[string]any
	body    []byte
	status  int // 0: 200, or what the model says
}

// roots are the names of the elements of responses.
var roots = map[string]string{
	"ListObjectsV2": "ListBucketResult", "CreateMultipartUpload": "InitiateMultipartUploadResult", "CompleteMultipartUpload": "CompleteMultipartUploadResult",
	"GetBucketVersioning": "VersioningConfiguration", "GetBucketTagging": "Tagging", "GetBucketLifecycleConfiguration": "LifecycleConfiguration",
	"ListObjectVersions": "ListVersionsResult", "DeleteObjects": "DeleteResult",
}

// writeHeaders writes the members that are headers, and returns the body with the rest.
func writeHeaders(h http.Header, call *Call, out *s3Output) (status int, body []byte) {
	status, body = out.status, out.body
	if status == 0 {
		status = max(call.Operation.HTTP.ResponseCode, http.StatusOK)
	}
	if call.Operation.Output == nil {
		return status, body
	}
	shape, rest := call.Service.Shapes[call.Operation.Output.Shape], map[string]any{}
	for member, value := range out.members {
		ref := shape.Members[member]
		switch ref.Location {
		case "header":
			h.Set(ref.LocationName, headerText(value))
		case "headers":
			values, _ := value.(map[string]string)
			for key, text := range values {
				h.Set(ref.LocationName+key, text)
			}
		default:
			rest[member] = value
		}
	}
	if root := roots[call.Operation.Name]; root != "" {
		h.Set("Content-Type", "application/xml")
		body = s3XML(call.Service, root, call.Operation.Output.Shape, rest)
	}
	return status, body
}

func headerText(v any) string {
	if at, ok := v.(time.Time); ok {
		return at.UTC().Format(http.TimeFormat)
	}
	return fmt.Sprint(v)
}

func s3XML(s *model.Service, root, shape string, members map[string]any) []byte {
	var b strings.Builder
	b.WriteString(`<?xml version="1.0" encoding="UTF-8"?><` + root + ` xmlns="http://s3.amazonaws.com/doc/2006-03-01/">`)
	writeRestXML(&b, s, shape, members)
	b.WriteString("</" + root + ">")
	return []byte(b.String())
}

func writeS3Error(w http.ResponseWriter, r *http.Request, e *Error, id string) {
	status := e.Status
	if status == 0 {
		status = http.StatusBadRequest
	}
	var text strings.Builder
	fmt.Fprintf(&text, "<Error><Code>%s</Code><Message>%s</Message><RequestId>%s</RequestId></Error>", escaped(e.Code), escaped(e.Message), id)
	for name, value := range e.header {
		w.Header().Set(name, value)
	}
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = io.WriteString(w, text.String())
	}
}
