package engine

import (
	"path/filepath"

	"github.com/slipway-cd/slipway/internal/delivery"
)

// RunDir is the folder of a run's files below the state folder.
func RunDir(home string, id delivery.RunID) string {
	return filepath.Join(home, "runs", string(id))
}

// LogPath is where a step's log is, if it printed anything.
func LogPath(home string, id delivery.RunID, step string) string {
	return filepath.Join(RunDir(home, id), "logs", step+".log")
}

// EventsPath is where the events of a run are, except for the lines of logs.
func EventsPath(home string, id delivery.RunID) string {
	return filepath.Join(RunDir(home, id), "events.jsonl")
}
