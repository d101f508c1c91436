package readiness

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

// maxMessageRunes is the most of a string from the cluster that is repeated, in
// letters. Anybody who may create a pod writes there.
const maxMessageRunes = 200

// clean makes one bounded line of printable text of whatever the cluster said.
func clean(s string) string {
	if len(s) > 4*4*maxMessageRunes {
		s = s[:4*4*maxMessageRunes]
	}
	printable := strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) || !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, s)
	line := []rune(strings.Join(strings.Fields(printable), " "))
	if len(line) > maxMessageRunes {
		return string(line[:maxMessageRunes-1]) + "…"
	}
	return string(line)
}

// lastLines is the last lines that say something, cleaned.
func lastLines(lines []string, limit int) []string {
	var out []string
	for _, l := range lines[max(0, len(lines)-4*limit):] {
		if l = clean(l); l != "" {
			out = append(out, l)
		}
	}
	return out[max(0, len(out)-limit):]
}

// errorLine is the line of a log that says most: where Go or Rust panicked (their
// last lines are addresses), or else the last one, where others put the error.
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

// formatExit explains how a container ended: "exit code 127 (command not found)".
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
		return "SIGILL: an instruction that this processor does not have"
	case 6:
		return "SIGABRT: it gave up"
	case 7:
		return "SIGBUS: bad memory access"
	case 8:
		return "SIGFPE: bad arithmetic"
	case 9:
		return "SIGKILL: killed from outside"
	case 11:
		return "SIGSEGV: bad memory access"
	case 15:
		return "SIGTERM: asked to stop"
	}
	return fmt.Sprintf("signal %d", n)
}

// formatQuantity prints a quantity of a resource as people write it: 15.5Gi, 500m.
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

// formatDuration prints whole seconds: 12s, 2m0s.
func formatDuration(d time.Duration) string { return d.Round(time.Second).String() }

// joinNonEmpty puts the parts that are not empty together.
func joinNonEmpty(between string, parts ...string) string {
	return strings.Join(slices.DeleteFunc(parts, func(p string) bool { return p == "" }), between)
}

// containsAny tells whether text has one of the words in it, in any case of letters.
func containsAny(text string, substrings ...string) bool {
	text = strings.ToLower(text)
	return slices.ContainsFunc(substrings, func(w string) bool { return strings.Contains(text, w) })
}
