package silenttest

import (
	"io"
	"time"
)

// trickleInterval is the pause between two pieces of an answer without an end.
const trickleInterval = 20 * time.Millisecond

// trickle writes a piece again and again, until the connection is closed: whoever waits
// for silence before it gives up would wait for ever.
func trickle(w io.Writer, piece []byte) {
	for {
		if _, err := w.Write(piece); err != nil {
			return
		}
		time.Sleep(trickleInterval)
	}
}
