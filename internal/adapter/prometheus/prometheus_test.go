package prometheus

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port/porttest"
)

const token = "s3cret-token"

// vector returns a response with these samples.
func vector(values ...string) string {
	var samples []string
	for i, v := range values {
		samples = append(samples, fmt.Sprintf(`{"metric":{"pod":"p%d"},"value":[1767225600.123,%q]}`, i, v))
	}
	return success("vector", "["+strings.Join(samples, ",")+"]")
}

func success(kind, result string) string {
	return fmt.Sprintf(`{"status":"success","data":{"resultType":%q,"result":%s},"warnings":["w"]}`, kind, result)
}

func apiError(kind, why string) string {
	return fmt.Sprintf(`{"status":"error","errorType":%q,"error":%q}`, kind, why)
}

type response struct {
	status int
	body   string
}

// newServer starts a server that returns these responses by expression and
// requires the token.
func newServer(t *testing.T, answers map[string]response) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a, known := answers[r.FormValue("query")]
		switch {
		case r.URL.Path != "/prom/api/v1/query" || !known:
			a = response{http.StatusNotFound, "404 page not found"}
		case r.Header.Get("Authorization") != "Bearer "+token:
			a = response{http.StatusUnauthorized, "no"}
		}
		if a.status == http.StatusFound {
			w.Header().Set("Location", "/prom/api/v1/query?query=up")
		}
		w.WriteHeader(a.status)
		_, _ = w.Write([]byte(a.body))
	}))
	t.Cleanup(s.Close)
	return s
}

func TestClient_Conformance(t *testing.T) {
	porttest.TestMetricsProvider(t, func(t *testing.T) porttest.MetricsProviderFixture {
		s := newServer(t, map[string]response{
			`sum(rate(x{a="b"}[1m]))`: {200, vector("0.25")},
			"absent":                  {200, vector()},
			"0/0":                     {200, vector("NaN")},
			"up":                      {200, vector("1", "0")},
			"rate(":                   {400, apiError("bad_data", "1:6: parse error: unclosed left parenthesis")},
		})
		return porttest.MetricsProviderFixture{
			Metrics: New(token), Address: s.URL + "/prom/",
			One: `sum(rate(x{a="b"}[1m]))`, None: "absent", NaN: "0/0", Many: "up", Bad: "rate(",
			ErrorText: "unclosed left parenthesis", Stop: s.Close,
		}
	})
}

func TestQuery_Responses(t *testing.T) {
	cases := map[string]struct {
		response
		value float64
		ok    bool
		kind  fault.Kind // empty: no error
	}{
		"scalar":        {response: response{200, success("scalar", `[1767225600,"3"]`)}, value: 3, ok: true},
		"scalar NaN":    {response: response{200, success("scalar", `[1767225600,"NaN"]`)}},
		"matrix":        {response: response{200, success("matrix", `[]`)}, kind: fault.Invalid},
		"string":        {response: response{200, success("string", `[1,"a"]`)}, kind: fault.Invalid},
		"histogram":     {response: response{200, success("vector", `[{"metric":{},"histogram":[1,{}]}]`)}, kind: fault.Invalid},
		"broken sample": {response: response{200, success("vector", `[{"value":[1,"one"]}]`)}, kind: fault.Invalid},
		"broken pair":   {response: response{200, success("scalar", `[1]`)}, kind: fault.Invalid},
		"execution":     {response: response{422, apiError("execution", "too many samples")}, kind: fault.Unavailable},
		"timeout":       {response: response{503, apiError("timeout", "query timed out")}, kind: fault.Unavailable},
		"HTML page":     {response: response{200, "<html>"}, kind: fault.Unavailable},
		"other API":     {response: response{200, `{"ok":true}`}, kind: fault.Unavailable},
		"redirect":      {response: response{302, ""}, kind: fault.Unavailable},
		"proxy error":   {response: response{502, "bad gateway"}, kind: fault.Unavailable},
		"too large":     {response: response{200, vector(strings.Repeat("1", maxBody))}, kind: fault.Invalid},
	}
	answers := map[string]response{}
	for name, c := range cases {
		answers[name] = c.response
	}
	s := newServer(t, answers)
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			value, ok, err := New(token).Query(t.Context(), s.URL+"/prom", name)
			if value != c.value || ok != c.ok || (err == nil) != (c.kind == "") || err != nil && !fault.Is(err, c.kind) {
				t.Errorf("Query = %g, %v, %v; want %g, %v, error kind %q", value, ok, err, c.value, c.ok, c.kind)
			}
		})
	}
}

// TestQuery_ErrorsHideSecrets: neither token nor password appears in an error.
func TestQuery_ErrorsHideSecrets(t *testing.T) {
	s := newServer(t, map[string]response{"up": {200, vector("1")}})
	with := func(user *url.Userinfo) string {
		u, _ := url.Parse(s.URL)
		u.User = user
		return u.String()
	}
	closed := httptest.NewServer(nil)
	closed.Close()
	gone := strings.Replace(closed.URL, "http://", "http://ann:pa55word@", 1)
	for address, kind := range map[string]fault.Kind{
		with(url.UserPassword("ann", "pa55word")): fault.Unavailable, // not a Prometheus: 404
		with(nil) + "/prom":                       fault.Denied,
		gone:                                      fault.Unavailable,
		"ftp://ann:pa55word@host":                 fault.Invalid,
		"http://ann:pa55word@%zz":                 fault.Invalid,
		"":                                        fault.Invalid,
	} {
		_, ok, err := New("wrong-"+token).Query(t.Context(), address, "up")
		if ok || !fault.Is(err, kind) {
			t.Errorf("%s: Query = %v, %v; want error kind %s", address, ok, err, kind)
			continue
		}
		for _, secret := range []string{token, "pa55word"} {
			if text := err.Error() + fault.HintOf(err); strings.Contains(text, secret) {
				t.Errorf("error %q contains the secret %s", text, secret)
			}
		}
	}
}
