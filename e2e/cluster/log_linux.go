package cluster

import (
	"fmt"
	"io"
	"time"
)

// pollInterval is how often a state is asked for that nothing tells of.
const pollInterval = 50 * time.Millisecond

func logf(w io.Writer, format string, args ...any) {
	if w != nil {
		fmt.Fprintf(w, format+"\n", args...)
	}
}
