//go:build linux

package supervisor

import (
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// TestProtocol_WireFormat holds the messages to the bytes of the first release: a
// supervisor outlives an upgrade of the program, and the two have to understand
// each other.
func TestProtocol_WireFormat(t *testing.T) {
	spec := Spec{
		Rootfs: "/rootfs", Model: "/models/m", ModelVersion: "3",
		Image:    port.ImageConfig{Entrypoint: []string{"/app"}, Cmd: []string{"serve"}, Env: []string{"A=b"}, WorkingDir: "/w", User: "app"},
		Workload: delivery.Workload{Replicas: 2, Env: map[string]string{"K": "v"}, Args: []string{"-v"}, CPU: 0.5, Memory: 64, Health: "/health", Ready: "/ready", Drain: delivery.Duration(5 * time.Second)},
	}
	const specText = `{"rootfs":"/rootfs","model":"/models/m","model_version":"3",` +
		`"image":{"entrypoint":["/app"],"cmd":["serve"],"env":["A=b"],"working_dir":"/w","user":"app"},` +
		`"workload":{"replicas":2,"env":{"K":"v"},"args":["-v"],"cpu":0.5,"memory":64,"health":"/health","ready":"/ready","drain":"5s"}}`
	cases := []struct {
		name  string
		value any
		want  string
	}{
		{"hello", HelloResponse{Protocol: 1, PID: 7, Runtime: "bwrap"}, `{"protocol":1,"pid":7,"runtime":"bwrap"}`},
		{"stop", StopRequest{}, `{}`},
		{"stop if idle", StopRequest{OnlyIdle: true}, `{"only_idle":true}`},
		{
			"release", ReleaseRequest{Service: "s", Environment: "e", Release: "r-aaaaaaaaaaaa", Port: 1, ReadyTimeout: delivery.Duration(time.Minute), Spec: spec},
			`{"service":"s","environment":"e","release":"r-aaaaaaaaaaaa","port":1,"within":"1m0s","spec":` + specText + `}`,
		},
		{
			"traffic request", TrafficRequest{Service: "s", Environment: "e", Release: "r-aaaaaaaaaaaa", Since: time.Unix(0, 0).UTC()},
			`{"service":"s","environment":"e","release":"r-aaaaaaaaaaaa","since":"1970-01-01T00:00:00Z"}`,
		},
		{"progress", Message{Progress: "starting"}, `{"say":"starting"}`},
		{"value", Message{Value: json.RawMessage(`true`)}, `{"value":true}`},
		{
			"error", Message{Error: NewRemoteError(fault.New(fault.Conflict, "it is taken").Hint("wait").Cause(errors.New("why")))},
			`{"fault":{"kind":"conflict","what":"it is taken: why","hint":"wait"}}`,
		},
		{"traffic", port.Traffic{Requests: 3, Errors: 1, P50: 1, P95: 2, P99: 3}, `{"Requests":3,"Errors":1,"P50":1,"P95":2,"P99":3}`},
		{
			"state", State{Schema: 1, Environments: map[string]EnvironmentState{"s/e": {Service: "s", Environment: "e", Port: 1, Promoted: &ReleaseSpec{Release: "r-aaaaaaaaaaaa", Spec: spec}}}},
			`{"schema":1,"environments":{"s/e":{"service":"s","environment":"e","port":1,"promoted":{"release":"r-aaaaaaaaaaaa","spec":` + specText + `}}}}`,
		},
		{
			"processes", processRecord{Boot: "b", Processes: []process{{7, "9"}}, Cgroups: []string{"/c"}},
			`{"boot":"b","processes":[{"pid":7,"start":"9"}],"cgroups":["/c"]}`,
		},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got, err := json.Marshal(c.value)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, string(got)); diff != "" {
				t.Errorf("JSON (-want +got):\n%s", diff)
			}
		})
	}
}

// TestProtocol_ReadsObservation: this is what the first release's supervisor writes.
func TestProtocol_ReadsObservation(t *testing.T) {
	const text = `{"Release":"r-aaaaaaaaaaaa","URL":"http://127.0.0.1:18001","AskAt":"","Replicas":[` +
		`{"name":"r-aaaaaaaaaaaa-1","release":"r-aaaaaaaaaaaa","state":"ready","restarts":2,"cause":"exit code 1"}],"Notes":["n"]}`
	var got port.Observation
	if err := json.Unmarshal([]byte(text), &got); err != nil {
		t.Fatal(err)
	}
	want := port.Observation{
		Release: "r-aaaaaaaaaaaa", URL: "http://127.0.0.1:18001", Notes: []string{"n"},
		Replicas: []port.Replica{{Name: "r-aaaaaaaaaaaa-1", Release: "r-aaaaaaaaaaaa", State: "ready", Restarts: 2, Cause: "exit code 1"}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("observation (-want +got):\n%s", diff)
	}
}
