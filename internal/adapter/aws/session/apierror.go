package session

import (
	"cmp"
	"encoding/json"
	"encoding/xml"
	"errors"
	"net/http"
	"strconv"
	"strings"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// apiError is an error of AWS, as the SDK's clients return it.
func apiError(res *http.Response, body []byte) error {
	code, message := readError(res.Header, body)
	if _, name, ok := strings.Cut(code, "#"); ok {
		code = name
	}
	code, _, _ = strings.Cut(code, ":") // the address of its definition
	return &awshttp.ResponseError{
		RequestID: cmp.Or(res.Header.Get("X-Amzn-Requestid"), res.Header.Get("X-Amz-Request-Id")),
		ResponseError: &smithyhttp.ResponseError{
			Response: &smithyhttp.Response{Response: res},
			Err:      &smithy.GenericAPIError{Code: cmp.Or(code, "HTTP "+strconv.Itoa(res.StatusCode)), Message: message},
		},
	}
}

// readError finds code and message in the JSON or the XML of a service. A proxy's page
// has none.
func readError(h http.Header, body []byte) (code, message string) {
	var text struct {
		Type    string `json:"__type"`
		Message string `json:"message"`
		Upper   string `json:"Message"`
	}
	if json.Unmarshal(body, &text) == nil {
		asked, _, ok := strings.Cut(h.Get("X-Amzn-Query-Error"), ";")
		if !ok { // the name that older protocols of the service have
			asked = ""
		}
		return cmp.Or(asked, h.Get("X-Amzn-Errortype"), text.Type), text.Message + text.Upper
	}
	var query struct {
		XMLName xml.Name
		Error   struct{ Code, Message string }
		Code    string // S3
		Message string
	}
	if xml.Unmarshal(body, &query) != nil {
		return "", ""
	}
	return cmp.Or(query.Error.Code, query.Code), cmp.Or(query.Error.Message, query.Message)
}

// Code returns the code of an error of AWS: "NoSuchEntity"; empty: it is none.
func Code(err error) string {
	var api smithy.APIError
	if !errors.As(err, &api) {
		return ""
	}
	return api.ErrorCode()
}
