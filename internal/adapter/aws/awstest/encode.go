package awstest

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/slipway-cd/slipway/internal/adapter/aws/awstest/model"
)

// response is what is sent.
type response struct {
	status int
	header http.Header
	body   []byte
}

// encode writes what a handler returned as the operation's output. The model checks
// it, too: a fake that sends what AWS never sends proves nothing.
func encode(s *model.Service, call *Call, out any, id string) (response, error) {
	op := call.Operation
	text, err := json.Marshal(out)
	if err != nil {
		return response{}, err
	}
	members, err := parseJSON(text)
	if err != nil {
		return response{}, err
	}
	if op.Output != nil {
		if wrong := s.Validate("$", op.Output.Shape, any(members)); len(wrong) > 0 {
			return response{}, fmt.Errorf("awstest would send %s.%s what AWS's model does not have: %s", s.Name, op.Name, strings.Join(wrong, "; "))
		}
	}
	if speaksCBOR(call.Request) {
		return encodeCBOR(s, op, members, id)
	}
	h := http.Header{"X-Amzn-Requestid": {id}}
	if s.Metadata.Protocol == "query" {
		h.Set("Content-Type", "text/xml")
		return response{http.StatusOK, h, encodeXML(s, op, members, id)}, nil
	}
	var value any = members
	if op.Output != nil {
		value = epochs(s, op.Output.Shape, members)
	}
	body, err := json.Marshal(value)
	h.Set("Content-Type", contentType(s))
	return response{http.StatusOK, h, body}, err
}

func contentType(s *model.Service) string {
	if s.Metadata.TargetPrefix != "" {
		return "application/x-amz-json-" + s.Metadata.JSONVersion
	}
	return "application/json"
}

// epochs makes timestamps seconds, as the JSON protocols have them, and gives members
// the names that they have on the wire.
func epochs(s *model.Service, name string, v any) any {
	shape := s.Shapes[name]
	switch v := v.(type) {
	case map[string]any:
		wire := make(map[string]any, len(v))
		for member, value := range v {
			ref := shape.Members[member]
			if shape.Type == "map" {
				ref = *shape.Value
			}
			at := member
			if ref.LocationName != "" && shape.Type == "structure" {
				at = ref.LocationName
			}
			wire[at] = epochs(s, ref.Shape, value)
		}
		return wire
	case []any:
		list := make([]any, len(v))
		for i, value := range v {
			list[i] = epochs(s, shape.Member.Shape, value)
		}
		return list
	case string:
		if shape.Type == "timestamp" {
			if at, err := time.Parse(time.RFC3339Nano, v); err == nil {
				return float64(at.UnixMilli()) / 1000
			}
		}
	}
	return v
}

func encodeXML(s *model.Service, op model.Operation, members map[string]any, id string) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "<%sResponse xmlns=%q>", op.Name, s.Metadata.XMLNamespace)
	if op.Output != nil {
		wrapper := op.Output.ResultWrapper
		b.WriteString("<" + wrapper + ">")
		writeXML(&b, s, op.Output.Shape, members)
		b.WriteString("</" + wrapper + ">")
	}
	fmt.Fprintf(&b, "<ResponseMetadata><RequestId>%s</RequestId></ResponseMetadata></%sResponse>", id, op.Name)
	return b.Bytes()
}

// writeXML writes the content of an element.
func writeXML(b *bytes.Buffer, s *model.Service, name string, v any) {
	shape := s.Shapes[name]
	switch v := v.(type) {
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(v)) {
			if shape.Type == "map" {
				b.WriteString("<entry><key>")
				_ = xml.EscapeText(b, []byte(key))
				b.WriteString("</key><value>")
				writeXML(b, s, shape.Value.Shape, v[key])
				b.WriteString("</value></entry>")
				continue
			}
			b.WriteString("<" + key + ">")
			writeXML(b, s, shape.Members[key].Shape, v[key])
			b.WriteString("</" + key + ">")
		}
	case []any:
		for _, member := range v {
			b.WriteString("<member>")
			writeXML(b, s, shape.Member.Shape, member)
			b.WriteString("</member>")
		}
	default:
		_ = xml.EscapeText(b, fmt.Append(nil, v))
	}
}

// encodeError writes an error in the form of the service's protocol.
func encodeError(s *model.Service, call *Call, e *Error, id string) response {
	status := e.Status
	if known, ok := s.ErrorStatus(call.Operation, e.Code); ok && status == 0 {
		status = known
	}
	if status == 0 {
		status = http.StatusBadRequest
	}
	if speaksCBOR(call.Request) {
		return encodeCBORError(s, status, e, id)
	}
	h := http.Header{"X-Amzn-Requestid": {id}}
	if s.Metadata.Protocol != "query" {
		h.Set("Content-Type", contentType(s))
		h.Set("X-Amzn-Errortype", e.Code)
		body, _ := json.Marshal(map[string]string{"__type": e.Code, "message": e.Message})
		return response{status, h, body}
	}
	who := "Sender"
	if status >= http.StatusInternalServerError {
		who = "Receiver"
	}
	var message bytes.Buffer
	_ = xml.EscapeText(&message, []byte(e.Message))
	h.Set("Content-Type", "text/xml")
	body := fmt.Sprintf("<ErrorResponse xmlns=%q><Error><Type>%s</Type><Code>%s</Code><Message>%s</Message></Error><RequestId>%s</RequestId></ErrorResponse>",
		s.Metadata.XMLNamespace, who, e.Code, message.String(), id)
	return response{status, h, []byte(body)}
}

// Into decodes the call's input into v, a pointer to a struct with the members' names.
func (c *Call) Into(v any) error {
	text, err := json.Marshal(c.Input)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, v); err != nil {
		return refuse("SerializationException", "%v", err)
	}
	return nil
}
