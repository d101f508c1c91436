package port

import (
	"context"
	"io"

	"github.com/slipway-cd/slipway/internal/delivery"
)

// Job is heavy work (training, evaluation) under a deterministic name.
type Job struct {
	Name    string              // "<run>-<step>-<attempt>": the same name is the same job
	Command Command             // uses the paths that Jobs.Mounts returns
	Inputs  map[string]Artifact // what it reads, by name: "data", "model"
	Outputs map[string]string   // what it writes, by name: the URI of the folder where it is stored in the end
}

// JobHandle names a submitted job in the system that runs it: it is the job's name. It is
// plain text and may be stored: any process can use it, also after a restart.
type JobHandle string

// JobState is the state of a job.
type JobState struct {
	Found   bool
	Done    bool
	Exit    Exit
	Reason  string              // why it ended, if not by the exit of its command
	Outputs map[string]Artifact // once done; the digest is empty if the adapter does not compute it
	Image   string              // that the command ran in, by digest; empty: none

	// Usage is what it used of machines that are paid for, once that is known: also beside
	// the error of a job that failed. Nil: nothing that is.
	Usage *delivery.JobUsage
}

// Jobs runs heavy work that survives its submitter. A job is submitted, polled until
// it is done, and its log is read meanwhile; after kill -9 of the submitter the job
// goes on, and the same Submit finds it again.
type Jobs interface {
	// Mounts returns the paths under which the job's command finds its inputs and
	// outputs, by name, in the order of their URIs. It only computes: nothing is
	// created or checked. A URI that the adapter cannot use is fault.Invalid.
	Mounts(j Job) (map[string][]string, error)
	// Submit starts the job, with its outputs empty, unless one of that name is
	// known; then it starts nothing and returns that one's handle. An input that
	// does not exist is fault.NotFound. If it fails after the job may have been
	// started, it returns the handle beside the error, so that it can be stopped.
	Submit(ctx context.Context, j Job) (JobHandle, error)
	// Poll returns the job's state; for an unknown handle Found is false. A job
	// whose machine went down under it is Done with a Reason.
	Poll(ctx context.Context, h JobHandle) (JobState, error)
	// Log returns what the job has printed up to now, from the given byte on. The
	// end of the stream is not the end of the job. Nothing printed there yet, and an
	// unknown job, are an empty stream.
	Log(ctx context.Context, h JobHandle, offset int64) (io.ReadCloser, error)
	// Stop ends the job and all its processes: from then on it is Done with the Reason
	// "stopped", for as long as one that ended by itself is known. Stopping an unknown or
	// ended one does nothing.
	Stop(ctx context.Context, h JobHandle) error
}
