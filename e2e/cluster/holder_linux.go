package cluster

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// holder is the process that runs this machine's cluster.
type holder struct {
	PID     int       `json:"pid"`
	Command string    `json:"command"`
	Folder  string    `json:"folder"` // its working folder
	Since   time.Time `json:"since"`
	Network int       `json:"network"` // a process in the cluster's network namespace; 0 until there is one
}

// thisProcess returns the current process as a holder.
func thisProcess() holder {
	folder, _ := os.Getwd()
	return holder{PID: os.Getpid(), Command: strings.Join(os.Args, " "), Folder: folder, Since: time.Now().Truncate(time.Second)}
}

// describeHolder returns who holds the lock, and how to use that cluster, as far as
// the file at path records it.
func describeHolder(path string) string {
	content, err := os.ReadFile(path)
	var left leftovers
	if err != nil || json.Unmarshal(content, &left) != nil {
		return "another process" // that has just started or is about to end
	}
	who := "another process"
	if h := left.Holder; h.PID != 0 {
		who = fmt.Sprintf("process %d (%s, in %s) since %s", h.PID, h.Command, h.Folder, h.Since.Format(time.TimeOnly))
	}
	if left.Dir == "" {
		return who
	}
	use := "KUBECONFIG=" + filepath.Join(left.Dir, "pki", "admin.kubeconfig")
	if left.Holder.Network != 0 {
		use += fmt.Sprintf(" %s=%d", NetworkEnv, left.Holder.Network)
	}
	return who + ", with its state in " + left.Dir + " (to use it: " + use + ")"
}
