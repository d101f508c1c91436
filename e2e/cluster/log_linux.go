package cluster

import (
	"fmt"
	"io"
	"time"
)

// poll is how often a state is asked for that nothing tells of.
const poll = 50 * time.Millisecond

func say(w io.Writer, format string, args ...any) {
	if w != nil {
		fmt.Fprintf(w, format+"\n", args...)
	}
}
