package probe

import (
	"os"
	"strings"
	"testing"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/step"
)

func TestEvaluateHealth(t *testing.T) {
	const id = "r-0123456789ab"
	model := &delivery.ModelRef{Group: "retail", Version: 7}
	cases := []struct {
		status int
		body   string
		model  *delivery.ModelRef
		says   string // "" is healthy
		fatal  bool   // where only this release answers
		shared bool   // and where others may
		named  string // what a healthy response names: "release", "model" or "both"
	}{
		{200, `{"status":"ok","release":"r-0123456789ab","model_version":"7"}`, model, "", false, false, "both"},
		{200, `{"status":"OK","release":"r-0123456789ab","model_version":7}`, model, "", false, false, "both"},
		{204, `{"status":"healthy","release":"r-0123456789ab","model_version":"retail:7"}`, model, "", false, false, "both"},
		{200, `{"status":"ok","release":"r-0123456789ab"}`, nil, "", false, false, "release"},
		{200, `{"status":"ok","release":"r-0123456789ab","model_version":"8"}`, model, `version "8", not 7`, true, true, ""},
		{200, `{"status":"ok","release":"r-0123456789ab","model_version":"77"}`, model, "not 7", true, true, ""},
		{200, `{"status":"ok","release":"r-0123456789ab","model_version":"other:7"}`, model, "not 7", true, true, ""},
		{200, `{"status":"ok","model_version":"8"}`, model, `version "8", not 7`, true, true, ""},
		{200, `{"status":"ok","release":"r-0123456789ab"}`, model, "", false, false, "release"},
		{200, `{"status":"starting","release":"r-0123456789ab","model_version":"7"}`, model, `"starting"`, false, false, ""},
		{200, `{"release":"r-0123456789ab","model_version":"7"}`, model, "", false, false, "both"},
		{200, `{"status":"ok","release":"r-ffffffffffff","model_version":"7"}`, model, "r-ffffffffffff responded", true, false, ""},
		{200, `{"status":"ok","release":7}`, model, "release 7 responded", true, false, ""},
		{200, `{"status":"ok","model_version":"7"}`, model, "", false, false, "model"},
		{200, `{"status":"ok","release":null,"model_version":""}`, model, "", false, false, ""},
		{200, `{"status":"healthy"}`, model, "", false, false, ""},
		{200, `{"status":"healthy"}`, nil, "", false, false, ""},
		{200, `{"status":true}`, model, "", false, false, ""},
		{200, `{"status":false}`, model, `"false"`, false, false, ""},
		{200, `{"status":"unhealthy"}`, model, `"unhealthy"`, false, false, ""},
		{200, `{"status":{"db":"down"}}`, model, `status is`, false, false, ""},
		{200, `OK`, model, "", false, false, ""},
		{200, `[]`, model, "", false, false, ""},
		{200, ``, model, "", false, false, ""},
		{204, ``, nil, "", false, false, ""},
		{503, `{"status":"ok","release":"r-0123456789ab","model_version":"7"}`, model, "returned 503", false, false, ""},
		{302, ``, model, "returned 302", false, false, ""},
		{404, `nope`, model, `returned 404: "nope"`, true, false, ""},
	}
	for _, c := range cases {
		for _, exclusive := range []bool{true, false} {
			s := evaluateHealth(port.ProbeResponse{Status: c.status, Body: []byte(c.body)}, Expectation{Release: id, Model: c.model, HealthPath: "/health", Exclusive: exclusive})
			if (s.problem == "") != (c.says == "") || !strings.Contains(s.problem, c.says) {
				t.Errorf("%d %s, exclusive %v: problem = %q, want %q", c.status, c.body, exclusive, s.problem, c.says)
			}
			if want := c.fatal && exclusive || c.shared; s.fatal != want {
				t.Errorf("%d %s, exclusive %v: fatal = %v, want %v", c.status, c.body, exclusive, s.fatal, want)
			}
			if wrong := strings.Contains(c.says, "not 7") || strings.Contains(c.says, "responded"); wrong != strings.Contains(s.hint, "leave the key out") {
				t.Errorf("%d %s: hint = %q, want how to name nothing: %v", c.status, c.body, s.hint, wrong)
			}
			if s.namesRelease != (c.named == "release" || c.named == "both") || s.namesModel != (c.named == "model" || c.named == "both") {
				t.Errorf("%d %s: names the release %v, the model %v, want %q", c.status, c.body, s.namesRelease, s.namesModel, c.named)
			}
		}
	}
	long := evaluateHealth(port.ProbeResponse{Status: 200, Body: []byte(`{"release":"` + strings.Repeat("x", 1<<20) + `"}`)}, Expectation{Release: id})
	if len(long.problem) > 200 {
		t.Errorf("the problem has %d bytes, want at most 200", len(long.problem))
	}
}

// A service that loads its model itself has to say which one; others may leave it out.
func TestEvaluateHealth_LoadsModel(t *testing.T) {
	const arn = "arn:aws:sagemaker:ap-southeast-1:111122223333:model-package/"
	model := &delivery.ModelRef{Group: "Retail", Version: 7}
	for named, want := range map[string]string{
		`7`: "", `"retail/7"`: "not 7", `"` + arn + `retail/7"`: "", `"` + arn + `Retail/7"`: "", `"` + arn + `retail/77"`: `"retail/77", not 7`, `"` + arn + `other/7"`: `"other/7", not 7`,
		`null`: "does not say which model", `""`: "does not say which model",
	} {
		body := []byte(`{"status":"ok","model_version":` + named + `}`)
		s := evaluateHealth(port.ProbeResponse{Status: 200, Body: body}, Expectation{Model: model, HealthPath: "/health", NamesModel: true})
		if (s.problem == "") != (want == "") || !strings.Contains(s.problem, want) || want != "" && !strings.Contains(s.hint, "MODEL_PACKAGE_ARN") {
			t.Errorf("%s: problem = %q (%s), want %q", body, s.problem, s.hint, want)
		}
	}
	for _, w := range []Expectation{{Model: model}, {NamesModel: true}} {
		if s := evaluateHealth(port.ProbeResponse{Status: 200, Body: []byte(`{"status":"ok"}`)}, w); s.problem != "" {
			t.Errorf("%+v: problem = %q, want none", w, s.problem)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add(200, []byte(`{"status":"ok","release":"r-0123456789ab","model_version":"7"}`))
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		s := evaluateHealth(port.ProbeResponse{Status: status, Body: body}, Expectation{Release: "r-0123456789ab", Model: &delivery.ModelRef{Group: "m", Version: 7}})
		if s.problem == "" && (status < 200 || status > 299) {
			t.Errorf("%d %q: healthy, want a problem", status, body)
		}
		if s.namesRelease && !strings.Contains(string(body), "0123456789ab") {
			t.Errorf("%d %q: it names the release, want that it does not", status, body)
		}
	})
}

func TestCompileChecks(t *testing.T) {
	s, err := CompileChecks([]step.Check{{Path: "/a"}, {Name: "b", Path: "b", JSON: "{}", Method: "PUT", Status: 201}}, os.LookupEnv)
	if err != nil {
		t.Fatalf("error = %v, want none", err)
	}
	type compiled struct {
		name, method string
		status       int
	}
	for i, want := range []compiled{{"1 /a", "GET", 200}, {s[1].Name, "PUT", 201}} {
		if got := (compiled{s[i].Name, methodOf(s[i]), s[i].Status}); got != want {
			t.Errorf("check %d = %+v, want %+v", i, got, want)
		}
	}
	if _, err := CompileChecks([]step.Check{{Name: "x", Expect: []string{"boddy.a == 1"}}}, os.LookupEnv); !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), "smoke check x") {
		t.Errorf("error = %v, want %s with %q", err, fault.Invalid, "smoke check x")
	}
	for _, c := range [][3]string{{"http://h", "/a", "http://h/a"}, {"http://h/", "a", "http://h/a"}, {"http://h/x/", "/a?b=c", "http://h/x/a?b=c"}} {
		if got := joinURL(c[0], c[1]); got != c[2] {
			t.Errorf("joinURL(%q, %q) = %q, want %q", c[0], c[1], got, c[2])
		}
	}
}
