package step_test

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/slipway-cd/slipway/internal/step"
)

func TestPlaces(t *testing.T) {
	a := step.Places{Home: "/ci/job 1/.slipway", Repository: "/ci/job 1"}
	b := step.Places{Home: `/home/x/"state"`, Repository: "/home/x/src"}
	for name, c := range map[string]struct{ of, portable, other string }{
		"in home":           {`{"dir":"/ci/job 1/.slipway/artifacts/models/ab"}`, `{"dir":"slipway-home:/artifacts/models/ab"}`, `{"dir":"/home/x/\"state\"/artifacts/models/ab"}`},
		"in the repository": {`["/ci/job 1/data.csv"]`, `["slipway-repository:/data.csv"]`, `["/home/x/src/data.csv"]`},
		"the folders":       {`["/ci/job 1/.slipway","/ci/job 1"]`, `["slipway-home:/.","slipway-repository:/."]`, `["/home/x/\"state\"","/home/x/src"]`},
		"elsewhere":         {`{"a":"/data/x.csv","b":"/ci/job 10/x","c":"/ci"}`, `{"a":"/data/x.csv","b":"/ci/job 10/x","c":"/ci"}`, `{"a":"/data/x.csv","b":"/ci/job 10/x","c":"/ci"}`},
		"in a text":         {`{"a":"see /ci/job 1/x","b":"\"/ci/job 1/x\""}`, `{"a":"see /ci/job 1/x","b":"\"/ci/job 1/x\""}`, `{"a":"see /ci/job 1/x","b":"\"/ci/job 1/x\""}`},
		"all else":          {` {"b": 1.50, "a":[true,null,"ü\u00fc\\"] , "n":12345678901234567890}`, ` {"b": 1.50, "a":[true,null,"ü\u00fc\\"] , "n":12345678901234567890}`, ` {"b": 1.50, "a":[true,null,"ü\u00fc\\"] , "n":12345678901234567890}`},
		"escaped":           {`{"a\\":"/ci/job 1/.slipway/artifacts/\"x\""}`, `{"a\\":"slipway-home:/artifacts/\"x\""}`, `{"a\\":"/home/x/\"state\"/artifacts/\"x\""}`},
		"not clean":         {`["/ci/job 1/../x"]`, `["/ci/job 1/../x"]`, `["/ci/job 1/../x"]`},
		"nothing":           {``, ``, ``},
		"broken":            {`{"a":"/ci/job 1/x","b":"`, `{"a":"/ci/job 1/x","b":"`, `{"a":"/ci/job 1/x","b":"`},
	} {
		t.Run(name, func(t *testing.T) {
			portable := a.Portable(json.RawMessage(c.of))
			if diff := cmp.Diff(c.portable, string(portable)); diff != "" {
				t.Errorf("portable (-want +got):\n%s", diff)
			}
			if again := a.Portable(portable); string(again) != string(portable) {
				t.Errorf("portable again: %s, want %s", again, portable)
			}
			if diff := cmp.Diff(c.of, string(a.Local(portable))); diff != "" {
				t.Errorf("on the same machine (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(c.other, string(b.Local(portable))); diff != "" {
				t.Errorf("on another machine (-want +got):\n%s", diff)
			}
			if same := (step.Places{}).Portable(json.RawMessage(c.of)); string(same) != c.of {
				t.Errorf("without places: %s, want %s", same, c.of)
			}
		})
	}
}

// TestPlacesLocal_StaysInside: a path that someone wrote into the records leads nowhere
// else.
func TestPlacesLocal_StaysInside(t *testing.T) {
	p := step.Places{Home: "/home/x/.slipway", Repository: "/home/x"}
	for _, path := range []string{"slipway-home:/../secret", "slipway-home://etc/passwd", "slipway-repository:/a/../../b", "slipway-home:/", "slipway-home:"} {
		if got := p.LocalPath(path); got != path {
			t.Errorf("LocalPath(%q) = %q, want it as it is", path, got)
		}
	}
}

func TestPathsIn(t *testing.T) {
	document := json.RawMessage(`{"b":"/h/artifacts/models/b/metrics.json","a":"/h/artifacts/models/b","w":["/h/runs/1/work/scan/x.txt","/h/runs/1/work/scan/x.txt"],
		"others":["/h/artifacts","/h/artifacts2/x","/h/local/x","see /h/artifacts/x"]}`)
	want := []string{"/h/artifacts/models/b", "/h/runs/1/work/scan/x.txt"}
	if diff := cmp.Diff(want, step.PathsIn(document, "/h/artifacts", "/h/runs/1/work/scan")); diff != "" {
		t.Errorf("paths (-want +got):\n%s", diff)
	}
	for path, want := range map[string]bool{"/h/artifacts/models/b": true, "/h/artifacts/models": true, "/h/artifacts/model": false, "/h/local/x": true, "/h/local/y": false} {
		if got := step.HasPath(document, path); got != want {
			t.Errorf("HasPath(%s) = %v, want %v", path, got, want)
		}
	}
}
