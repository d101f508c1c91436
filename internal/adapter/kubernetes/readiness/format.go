package readiness

import (
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/slipway-cd/slipway/internal/textline"
)

// maxMessageRunes is the maximum length of a message from the cluster, in runes.
// Anyone who may create pods can write them.
const maxMessageRunes = 200

// clean turns a message from the cluster into one bounded line of printable text.
func clean(s string) string { return textline.Printable(s, maxMessageRunes) }

// lastLines returns the last nonempty lines, cleaned.
func lastLines(lines []string, limit int) []string {
	var out []string
	for _, l := range lines[max(0, len(lines)-4*limit):] {
		if l = clean(l); l != "" {
			out = append(out, l)
		}
	}
	return out[max(0, len(out)-limit):]
}

// errorLine returns the most informative line of a log: the panic message of Go or
// Rust, whose last lines are addresses, or else the last line.
func errorLine(lines []string) string {
	lines = lastLines(lines, 50)
	for _, l := range slices.Backward(lines) {
		if strings.HasPrefix(l, "panic: ") || strings.HasPrefix(l, "fatal error: ") || strings.Contains(l, "' panicked at ") {
			return l
		}
	}
	if len(lines) == 0 {
		return ""
	}
	return lines[len(lines)-1]
}

// formatExit describes how a container terminated: "exit code 127 (command not
// found)".
func formatExit(end corev1.ContainerStateTerminated) string {
	code := fmt.Sprintf("exit code %d", end.ExitCode)
	signal := end.Signal
	if signal == 0 && end.ExitCode > 128 && end.ExitCode <= 128+64 {
		signal = end.ExitCode - 128
	}
	switch {
	case end.ExitCode == 126:
		return code + " (the command can't be executed)"
	case end.ExitCode == 127:
		return code + " (command not found)"
	case signal != 0:
		return code + " (" + describeSignal(signal) + ")"
	}
	return code
}

func describeSignal(n int32) string {
	switch n {
	case 4:
		return "SIGILL: illegal instruction"
	case 6:
		return "SIGABRT: aborted"
	case 7:
		return "SIGBUS: bus error"
	case 8:
		return "SIGFPE: arithmetic error"
	case 9:
		return "SIGKILL: killed"
	case 11:
		return "SIGSEGV: segmentation fault"
	case 15:
		return "SIGTERM: terminated"
	}
	return fmt.Sprintf("signal %d", n)
}

// formatQuantity formats a resource quantity for people: 15.5Gi, 500m.
func formatQuantity(name corev1.ResourceName, q resource.Quantity) string {
	switch name {
	case corev1.ResourceMemory, corev1.ResourceEphemeralStorage:
	default:
		return clean(q.String())
	}
	for _, u := range []struct {
		name string
		size float64
	}{{"Gi", 1 << 30}, {"Mi", 1 << 20}, {"Ki", 1 << 10}} {
		if v := q.AsApproximateFloat64() / u.size; v >= 1 {
			return strings.TrimSuffix(fmt.Sprintf("%.1f", v), ".0") + u.name
		}
	}
	return clean(q.String())
}

// formatDuration rounds to seconds: 12s, 2m0s.
func formatDuration(d time.Duration) string { return d.Round(time.Second).String() }

// joinNonEmpty joins the parts that are not empty.
func joinNonEmpty(between string, parts ...string) string {
	return strings.Join(slices.DeleteFunc(parts, func(p string) bool { return p == "" }), between)
}

// containsAny reports whether text contains any of the substrings, which are lower
// case, ignoring the case of text.
func containsAny(text string, substrings ...string) bool {
	text = strings.ToLower(text)
	return slices.ContainsFunc(substrings, func(w string) bool { return strings.Contains(text, w) })
}
