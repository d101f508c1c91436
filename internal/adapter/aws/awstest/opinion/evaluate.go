package opinion

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os/exec"
	"strings"
	"testing"

	"github.com/slipway-cd/slipway/internal/adapter/aws/awstest"
)

// Question is an access that policies decide about.
type Question struct {
	awstest.Texts
	Access awstest.Access
}

//go:embed evaluate.py
var evaluator string

// Evaluate decides by ministack's evaluator, in the order of the questions.
func Evaluate(t *testing.T, python string, questions []Question) []awstest.Decision {
	t.Helper()
	var in, errors bytes.Buffer
	for _, q := range questions {
		line, err := json.Marshal(map[string]any{
			"policies": q.Policies, "boundary": q.Boundary, "action": q.Access.Action, "resource": q.Access.Resource, "keys": q.Access.Keys,
			"account": awstest.Account, "region": awstest.Region,
		})
		if err != nil {
			t.Fatal(err)
		}
		in.Write(append(line, '\n'))
	}
	cmd := exec.CommandContext(t.Context(), python, "-c", evaluator)
	cmd.Stdin, cmd.Stderr, cmd.Dir = &in, &errors, t.TempDir()
	out, err := cmd.Output()
	words := strings.Fields(string(out))
	if err != nil || len(words) != len(questions) {
		t.Fatalf("ministack's evaluator decided %d of %d: %v\n%s", len(words), len(questions), err, errors.String())
	}
	decisions := make([]awstest.Decision, len(words))
	for i, word := range words {
		decisions[i] = decisionOf(t, word)
	}
	return decisions
}

func decisionOf(t *testing.T, word string) awstest.Decision {
	t.Helper()
	switch word {
	case "Allow", "allowed":
		return awstest.Allowed
	case "Deny", "explicitDeny":
		return awstest.Refused
	case "ImplicitDeny", "implicitDeny":
		return awstest.NotAllowed
	}
	t.Fatalf("ministack decided %q", word)
	return awstest.NotAllowed
}

// IsSimulated reports whether ministack's SimulateCustomPolicy takes all of the question:
// it knows neither the keys of the request nor a boundary.
func (q Question) IsSimulated() bool { return len(q.Access.Keys) == 0 && q.Boundary == "" }

// Simulate decides by SimulateCustomPolicy, with what it takes of the question.
func (e *Emulator) Simulate(t *testing.T, q Question) awstest.Decision {
	t.Helper()
	form := url.Values{"Action": {"SimulateCustomPolicy"}, "Version": {"2010-05-08"}, "ActionNames.member.1": {q.Access.Action}, "ResourceArns.member.1": {q.Access.Resource}}
	for i, text := range q.Policies {
		form.Set(fmt.Sprintf("PolicyInputList.member.%d", i+1), text)
	}
	if q.Boundary != "" {
		form.Set("PermissionsBoundaryPolicyInputList.member.1", q.Boundary)
	}
	i := 0
	for key, values := range q.Access.Keys {
		i++
		at := fmt.Sprintf("ContextEntries.member.%d.", i)
		form.Set(at+"ContextKeyName", key)
		form.Set(at+"ContextKeyType", "string")
		for n, value := range values {
			form.Set(fmt.Sprintf("%sContextKeyValues.member.%d", at, n+1), value)
		}
	}
	var out struct {
		Decision string `xml:"SimulateCustomPolicyResult>EvaluationResults>member>EvalDecision"`
	}
	e.Query(t, "iam", form, &out)
	return decisionOf(t, out.Decision)
}

// Query calls a service that takes forms, unsigned but for its name, and reads its XML.
func (e *Emulator) Query(t *testing.T, service string, form url.Values, out any) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, e.URL.String()+"/", strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Authorization", scope(service))
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	if err == nil && res.StatusCode/100 == 2 {
		err = xml.Unmarshal(text, out)
	}
	if err != nil || res.StatusCode/100 != 2 {
		t.Fatalf("%s: %s: %s: %v\n%s", e.Name, form.Get("Action"), res.Status, text, err)
	}
}

// CompareDecisions requires that ministack decides as we did, by its evaluator and, where
// it takes the whole question, by SimulateCustomPolicy.
func CompareDecisions(t *testing.T, python string, e *Emulator, questions []Question, ours []awstest.Decision) {
	t.Helper()
	type asked struct {
		question string
		decision awstest.Decision
	}
	seen, simulated, refused := map[asked]bool{}, 0, 0
	var once []Question
	var want []awstest.Decision
	for i, q := range questions {
		text, err := json.Marshal(q)
		if err != nil {
			t.Fatal(err)
		}
		if at := (asked{string(text), ours[i]}); !seen[at] {
			seen[at] = true
			once, want = append(once, q), append(want, ours[i])
		}
	}
	for i, decision := range Evaluate(t, python, once) {
		q := once[i]
		if decision != want[i] {
			t.Errorf("%s on %s with %v: ministack's evaluator decides %d, not %d", q.Access.Action, q.Access.Resource, q.Access.Keys, decision, want[i])
		}
		if want[i] != awstest.Allowed {
			refused++
		}
		if q.IsSimulated() {
			simulated++
			if decision := e.Simulate(t, q); decision != want[i] {
				t.Errorf("%s on %s: SimulateCustomPolicy decides %d, not %d", q.Access.Action, q.Access.Resource, decision, want[i])
			}
		}
	}
	t.Logf("awstable: policies: %d decisions, of which %d are distinct (%d not allowed) and ministack's, too, %d of them by SimulateCustomPolicy", len(questions), len(once), refused, simulated)
}
