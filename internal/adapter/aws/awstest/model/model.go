// Package model holds AWS's own models of the operations that Slipway calls, and
// checks requests and responses against them. They are botocore's, trimmed by
// `make aws-models`; it is for tests only.
package model

import (
	"embed"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

//go:embed services/*.json
var services embed.FS

// Service is the model of one service.
type Service struct {
	Name       string               `json:"-"` // as in operations.txt, such as "ecr"
	Metadata   Metadata             `json:"metadata"`
	Operations map[string]Operation `json:"operations"`
	Shapes     map[string]Shape     `json:"shapes"`
}

// Metadata is how a service is called.
type Metadata struct {
	APIVersion     string `json:"apiVersion"`
	EndpointPrefix string `json:"endpointPrefix"`
	JSONVersion    string `json:"jsonVersion"`
	Protocol       string `json:"protocol"` // json, query, rest-json, rest-xml, smithy-rpc-v2-cbor
	ServiceID      string `json:"serviceId"`
	SigningName    string `json:"signingName"` // empty: the endpoint's prefix
	TargetPrefix   string `json:"targetPrefix"`
	XMLNamespace   string `json:"xmlNamespace"`
}

// Operation is one call.
type Operation struct {
	Name   string `json:"name"`
	HTTP   HTTP   `json:"http"`
	Input  *Ref   `json:"input"`
	Output *Ref   `json:"output"`
	Errors []Ref  `json:"errors"`
}

// HTTP is where an operation of a REST protocol is.
type HTTP struct {
	Method       string `json:"method"`
	RequestURI   string `json:"requestUri"`
	ResponseCode int    `json:"responseCode"`
}

// Ref names a shape, and says where a member of it is in a message.
type Ref struct {
	Shape         string `json:"shape"`
	Location      string `json:"location"` // uri, querystring, header; empty: the body
	LocationName  string `json:"locationName"`
	ResultWrapper string `json:"resultWrapper"`
	Flattened     bool   `json:"flattened"`
}

// Shape is a type.
type Shape struct {
	Type            string         `json:"type"`
	Members         map[string]Ref `json:"members"`
	Member          *Ref           `json:"member"`
	Key             *Ref           `json:"key"`
	Value           *Ref           `json:"value"`
	Required        []string       `json:"required"`
	Enum            []string       `json:"enum"`
	Pattern         string         `json:"pattern"`
	Min             *float64       `json:"min"`
	Max             *float64       `json:"max"`
	Union           bool           `json:"union"`
	Flattened       bool           `json:"flattened"`
	TimestampFormat string         `json:"timestampFormat"`
	Error           *struct {
		Code           string `json:"code"`
		HTTPStatusCode int    `json:"httpStatusCode"`
		SenderFault    bool   `json:"senderFault"`
	} `json:"error"`
}

// Load returns the models of all services by their names.
func Load() (map[string]*Service, error) {
	entries, err := services.ReadDir("services")
	if err != nil {
		return nil, fmt.Errorf("read the models: %w", err)
	}
	all := make(map[string]*Service, len(entries))
	for _, e := range entries {
		text, err := services.ReadFile("services/" + e.Name())
		if err != nil {
			return nil, fmt.Errorf("read the models: %w", err)
		}
		s := &Service{Name: strings.TrimSuffix(e.Name(), ".json")}
		if err := json.Unmarshal(text, s); err != nil {
			return nil, fmt.Errorf("read the model of %s: %w", s.Name, err)
		}
		all[s.Name] = s
	}
	return all, nil
}

// SigningName is the service's name in a signature.
func (s *Service) SigningName() string {
	if s.Metadata.SigningName != "" {
		return s.Metadata.SigningName
	}
	return s.Metadata.EndpointPrefix
}

// ErrorStatus returns the HTTP status of one of the operation's errors, and false for
// an error that the operation does not have.
func (s *Service) ErrorStatus(op Operation, code string) (int, bool) {
	for _, ref := range op.Errors {
		e := s.Shapes[ref.Shape].Error
		if ref.Shape != code && (e == nil || e.Code != code) {
			continue
		}
		if e == nil || e.HTTPStatusCode == 0 {
			return 400, true
		}
		return e.HTTPStatusCode, true
	}
	return 0, false
}

// Names lists the operations.
func (s *Service) Names() []string { return slices.Sorted(maps.Keys(s.Operations)) }
