package cluster

import (
	"fmt"
	"io"
	"time"
)

// pollInterval is how often a state is polled that has no notification.
const pollInterval = 50 * time.Millisecond

func logf(w io.Writer, format string, args ...any) {
	if w != nil {
		fmt.Fprintf(w, format+"\n", args...)
	}
}
