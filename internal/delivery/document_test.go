package delivery

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// stored is a document as this program knows it.
type stored struct {
	Name string `json:"name"`
	inner
	Plain   int
	Ignored string  `json:"-"`
	Unknown Unknown `json:"-"`
}

type inner struct {
	Text string `json:"text,omitempty"`
}

func (s stored) MarshalJSON() ([]byte, error) {
	type plain stored
	return MarshalDocument(plain(s), s.Unknown)
}

func (s *stored) UnmarshalJSON(raw []byte) (err error) {
	type plain stored
	s.Unknown, err = UnmarshalDocument(raw, (*plain)(s))
	return err
}

func TestUnknown_SurvivesRewriting(t *testing.T) {
	for name, c := range map[string]struct{ given, want string }{
		"nothing unknown":     {`{"name":"a","text":"b","Plain":1}`, `{"name":"z","text":"b","Plain":1}`},
		"unknown values":      {`{"b":{"x":[1,2]},"name":"a","a":12345678901234567890,"n":null}`, `{"name":"z","Plain":0,"b":{"x":[1,2]},"a":12345678901234567890,"n":null}`},
		"only unknown":        {`{"new":"<&>"}`, `{"name":"z","Plain":0,"new":"<&>"}`},
		"known in other case": {`{"NAME":"a","TEXT":"b"}`, `{"name":"z","text":"b","Plain":0}`},
		"a field that is not stored": {`{"name":"a","Ignored":"kept for whoever stores it"}`,
			`{"name":"z","Plain":0,"Ignored":"kept for whoever stores it"}`},
		"null": {`null`, `{"name":"z","Plain":0}`},
	} {
		t.Run(name, func(t *testing.T) {
			var s stored
			if err := json.Unmarshal([]byte(c.given), &s); err != nil {
				t.Fatal(err)
			}
			s.Name = "z"
			got, err := s.MarshalJSON()
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, string(got)); diff != "" {
				t.Errorf("written again (-want +got):\n%s", diff)
			}
		})
	}
}

func TestUnmarshalDocument_Refuses(t *testing.T) {
	for _, given := range []string{``, `{`, `[]`, `"text"`, `{"name":1}`} {
		var s stored
		if err := json.Unmarshal([]byte(given), &s); err == nil {
			t.Errorf("Unmarshal(%s) returned no error", given)
		}
	}
}

// TestUnknown_InDocuments reads what a newer program wrote: each document that is
// stored, with a field that this program does not know in it and in what it holds.
func TestUnknown_InDocuments(t *testing.T) {
	actor, inputs := Actor{Name: "ana"}, Inputs{Build: "sha256:1"}
	results := []GateResult{{Gate: "scan"}}
	release := Release{Service: "api", Model: &ModelRef{Group: "g"}, FormOne: FormOne{GateResults: results}}
	origin := Origin{Run: "run", Inputs: inputs, GateResults: results}
	for _, document := range []any{
		&Deployment{Actor: actor, Config: &Configuration{}, Inputs: inputs},
		(*ReleaseDocument)(&ReleaseRecord{Release: release, Origin: origin, Quarantined: &Quarantine{}}),
		(*ModelDocument)(&ModelVersion{Lineage: Lineage{AddedBy: actor}, DecidedActor: actor}),
	} {
		t.Run(fmt.Sprintf("%T", document), func(t *testing.T) {
			raw, err := json.Marshal(document)
			if err != nil {
				t.Fatal(err)
			}
			newer, err := json.Marshal(addFields(decoded(t, raw)))
			if err != nil {
				t.Fatal(err)
			}
			if err := json.Unmarshal(newer, document); err != nil {
				t.Fatal(err)
			}
			again, err := json.Marshal(document)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(decoded(t, newer), decoded(t, again)); diff != "" {
				t.Errorf("written again (-as it was +now):\n%s", diff)
			}
		})
	}
}

// addFields adds a field to a document and to the objects in it, except references,
// which get none: they are the name and the digest of something else.
func addFields(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for name, value := range v {
			if name != "image" && name != "model" {
				v[name] = addFields(value)
			}
		}
		v["of_a_newer_program"] = map[string]any{"x": 1.0}
	case []any:
		for i := range v {
			v[i] = addFields(v[i])
		}
	}
	return v
}

func decoded(t *testing.T, raw []byte) (v any) {
	t.Helper()
	if err := json.Unmarshal(raw, &v); err != nil {
		t.Fatal(err)
	}
	return v
}
