package awstest

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/fxamacker/cbor/v2"

	"github.com/slipway-cd/slipway/internal/adapter/aws/awstest/model"
)

// rpcCBOR is the protocol of that name, which CloudWatch prefers. Source:
// https://smithy.io/2.0/additional-specs/protocols/smithy-rpc-v2.html
const rpcCBOR = "rpc-v2-cbor"

func speaksCBOR(r *http.Request) bool { return r.Header.Get("Smithy-Protocol") == rpcCBOR }

// decodeCBOR reads POST /service/NAME/operation/OPERATION.
func decodeCBOR(s *model.Service, r *http.Request, body []byte) (model.Operation, map[string]any, error) {
	parts := strings.Split(r.URL.Path, "/")
	if r.Method != http.MethodPost || len(parts) != 5 || parts[1] != "service" || parts[2] != s.Metadata.TargetPrefix || parts[3] != "operation" {
		return model.Operation{}, nil, refuse("UnknownOperationException", "%s %s", r.Method, r.URL.Path)
	}
	op, ok := s.Operations[parts[4]]
	if !ok {
		return op, nil, refuse("UnknownOperationException", "awstest's model of %s has no %s", s.Name, parts[4])
	}
	if len(body) == 0 {
		return op, map[string]any{}, nil
	}
	if got := r.Header.Get("Content-Type"); got != "application/cbor" {
		return op, nil, refuse("SerializationException", "Content-Type is %q, want application/cbor", got)
	}
	if r.Header.Get("Content-Encoding") == "gzip" { // PutMetricData, whatever its size
		z, err := gzip.NewReader(bytes.NewReader(body))
		if err == nil {
			body, err = io.ReadAll(io.LimitReader(z, maxRequest))
		}
		if err != nil {
			return op, nil, refuse("SerializationException", "%v", err)
		}
	}
	mode, err := cbor.DecOptions{DefaultMapType: reflect.TypeFor[map[string]any]()}.DecMode()
	if err != nil {
		return op, nil, err
	}
	input := map[string]any{}
	if err := mode.Unmarshal(body, &input); err != nil {
		return op, nil, refuse("SerializationException", "%v", err)
	}
	return op, plain(input).(map[string]any), nil //nolint:forcetypeassert // what a map becomes
}

// plain is a value as JSON would have it, with json.Number.
func plain(v any) any {
	switch v := v.(type) {
	case map[string]any:
		members := make(map[string]any, len(v))
		for name, member := range v {
			if member != nil {
				members[name] = plain(member)
			}
		}
		return members
	case []any:
		list := make([]any, len(v))
		for i, member := range v {
			list[i] = plain(member)
		}
		return list
	case []byte:
		return base64.StdEncoding.EncodeToString(v)
	case time.Time:
		return v.UTC().Format(time.RFC3339Nano)
	case uint64:
		return json.Number(strconv.FormatUint(v, 10))
	case int64:
		return json.Number(strconv.FormatInt(v, 10))
	case float64:
		return json.Number(strconv.FormatFloat(v, 'g', -1, 64))
	}
	return v
}

func encodeCBOR(s *model.Service, op model.Operation, members map[string]any, id string) (response, error) {
	v := any(map[string]any{})
	if op.Output != nil {
		v = cborOf(s, op.Output.Shape, members)
	}
	body, err := cbor.Marshal(v)
	return response{http.StatusOK, cborHeader(id), body}, err
}

func cborHeader(id string) http.Header {
	return http.Header{"X-Amzn-Requestid": {id}, "Smithy-Protocol": {rpcCBOR}, "Content-Type": {"application/cbor"}}
}

// cborOf is a value, as JSON would have it, as the shape of that name.
func cborOf(s *model.Service, name string, v any) any {
	shape := s.Shapes[name]
	switch v := v.(type) {
	case map[string]any:
		members := make(map[string]any, len(v))
		for member, value := range v {
			ref := shape.Members[member]
			if shape.Type == "map" {
				ref = *shape.Value
			}
			members[member] = cborOf(s, ref.Shape, value)
		}
		return members
	case []any:
		list := make([]any, len(v))
		for i, value := range v {
			list[i] = cborOf(s, shape.Member.Shape, value)
		}
		return list
	case json.Number:
		if n, err := v.Int64(); err == nil && shape.Type != "double" && shape.Type != "float" {
			return n
		}
		f, _ := v.Float64()
		return f
	case string:
		if at, err := time.Parse(time.RFC3339Nano, v); err == nil && shape.Type == "timestamp" {
			return cbor.Tag{Number: 1, Content: float64(at.UnixMilli()) / 1000}
		}
	}
	return v
}

func encodeCBORError(s *model.Service, status int, e *Error, id string) response {
	h := cborHeader(id)
	code := e.Code // older protocols have another name for some
	if known := s.Shapes[code].Error; known != nil && known.Code != "" {
		code = known.Code
	}
	h.Set("X-Amzn-Query-Error", code+";Sender")
	body, _ := cbor.Marshal(map[string]string{"__type": "com.amazonaws." + s.Name + "#" + e.Code, "message": e.Message}) // texts: it can't fail
	return response{status, h, body}
}
