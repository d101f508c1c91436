package objecttest

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"
)

// Policy is an IAM policy of AWS, as far as the state's bucket needs it: it allows
// actions on resources.
type Policy struct {
	Statement []Statement
}

// Statement allows actions.
type Statement struct {
	Effect   string
	Action   oneOrMore
	Resource oneOrMore
}

// oneOrMore is a list, or its only member.
type oneOrMore []string

// UnmarshalJSON implements json.Unmarshaler.
func (l *oneOrMore) UnmarshalJSON(raw []byte) error {
	var one string
	if json.Unmarshal(raw, &one) == nil {
		*l = oneOrMore{one}
		return nil
	}
	return json.Unmarshal(raw, (*[]string)(l))
}

// Actions lists what the policy allows.
func (p Policy) Actions() (all []string) {
	for _, s := range p.Statement {
		all = append(all, s.Action...)
	}
	return all
}

// Without is the policy without an action.
func (p Policy) Without(action string) (less Policy) {
	for _, s := range p.Statement {
		s.Action = slices.DeleteFunc(slices.Clone(s.Action), func(a string) bool { return a == action })
		less.Statement = append(less.Statement, s)
	}
	return less
}

// Allows reports whether the policy allows the action on the resource.
func (p Policy) Allows(action, resource string) bool {
	matches := func(pattern string) bool {
		begin, isPrefix := strings.CutSuffix(pattern, "*")
		return pattern == resource || isPrefix && strings.HasPrefix(resource, begin)
	}
	return slices.ContainsFunc(p.Statement, func(s Statement) bool {
		return s.Effect == "Allow" && slices.Contains(s.Action, action) && slices.ContainsFunc(s.Resource, matches)
	})
}

// PolicedServer is an S3 that enforces a policy.
type PolicedServer struct {
	*Server

	mu        sync.Mutex
	policy    Policy
	denied    []string
	encrypted map[string]string // KMS key of each object that has one
	open      map[string]bool   // multipart uploads
}

// StartPoliced starts an S3 that enforces the policy.
func StartPoliced(t testing.TB, p Policy) *PolicedServer {
	t.Helper()
	s := &PolicedServer{Server: &Server{Faults: &Faults{}}, policy: p, encrypted: map[string]string{}, open: map[string]bool{}}
	s.startS3With(t, s.enforce)
	return s
}

// SetPolicy changes the policy.
func (s *PolicedServer) SetPolicy(p Policy) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.policy = p
}

// Denied lists the actions that were denied, each once.
func (s *PolicedServer) Denied() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Compact(slices.Sorted(slices.Values(s.denied)))
}

// Keys lists the KMS keys that objects were encrypted with, each once; "" stands for
// objects without one.
func (s *PolicedServer) Keys() (keys []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, key := range s.encrypted {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}

// OpenUploads returns how many multipart uploads were begun, and neither completed nor
// aborted.
func (s *PolicedServer) OpenUploads() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.open)
}

func (s *PolicedServer) enforce(server http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		key := r.URL.Path
		for _, action := range actions(r) {
			if !s.allowed(action, key, s.keyOf(r)) {
				deny(w)
				return
			}
		}
		out := httptest.NewRecorder()
		server.ServeHTTP(out, r)
		if out.Code == http.StatusNotFound && !s.allowed("s3:ListBucket", key, "") {
			deny(w) // which objects are absent is not for everybody to see
			return
		}
		s.note(r, out)
		for name, values := range out.Header() {
			w.Header()[name] = values
		}
		w.WriteHeader(out.Code)
		_, _ = io.Copy(w, out.Body) // to a client that may have gone
	})
}

func deny(w http.ResponseWriter) {
	response{http.StatusForbidden, `<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>`, ""}.write(w)
}

// actions are what a request needs to be allowed.
func actions(r *http.Request) []string {
	query := r.URL.Query()
	isUpload := query.Has("uploads") || query.Has("uploadId")
	var kms []string
	if r.Header.Get("X-Amz-Server-Side-Encryption") == "aws:kms" {
		kms = []string{"kms:GenerateDataKey"}
	}
	switch {
	case path.Clean(r.URL.Path) == "/"+bucketName:
		return []string{"s3:ListBucket"}
	case r.Method == http.MethodDelete && isUpload:
		return []string{"s3:AbortMultipartUpload"}
	case r.Method == http.MethodDelete:
		return []string{"s3:DeleteObject"}
	case r.Method == http.MethodPut || r.Method == http.MethodPost:
		return append([]string{"s3:PutObject"}, kms...)
	}
	return []string{"s3:GetObject", "kms:Decrypt"}
}

// keyOf is the KMS key that a request concerns.
func (s *PolicedServer) keyOf(r *http.Request) string {
	if key := r.Header.Get("X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id"); key != "" {
		return key
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.encrypted[r.URL.Path]
}

func (s *PolicedServer) allowed(action, object, key string) bool {
	resource := "arn:aws:s3:::" + strings.TrimPrefix(object, "/")
	switch {
	case strings.HasPrefix(action, "kms:") && key == "":
		return true // the object is not encrypted with a key of the account
	case strings.HasPrefix(action, "kms:"):
		resource = key
	case action == "s3:ListBucket":
		resource = "arn:aws:s3:::" + bucketName
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.policy.Allows(action, resource) {
		return true
	}
	s.denied = append(s.denied, action)
	return false
}

// note keeps what a request left behind.
func (s *PolicedServer) note(r *http.Request, out *httptest.ResponseRecorder) {
	if out.Code >= http.StatusMultipleChoices {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	query := r.URL.Query()
	switch {
	case query.Has("uploads"):
		s.open[r.URL.Path] = true
	case query.Has("uploadId") && r.Method != http.MethodPut:
		delete(s.open, r.URL.Path)
	}
	if r.Method == http.MethodPut && !query.Has("uploadId") || query.Has("uploads") {
		s.encrypted[r.URL.Path] = r.Header.Get("X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id")
	}
}
