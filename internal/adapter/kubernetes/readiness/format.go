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

// longest is the most of a string from the cluster that is repeated, in
// letters. Anybody who may create a pod writes there.
const longest = 200

// clean makes one bounded line of printable text of whatever the cluster said.
func clean(s string) string {
	if len(s) > 4*4*longest {
		s = s[:4*4*longest]
	}
	printable := strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) || !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, s)
	line := []rune(strings.Join(strings.Fields(printable), " "))
	if len(line) > longest {
		return string(line[:longest-1]) + "…"
	}
	return string(line)
}

// tail is the last lines that say something, cleaned.
func tail(lines []string, most int) []string {
	var out []string
	for _, l := range lines[max(0, len(lines)-4*most):] {
		if l = clean(l); l != "" {
			out = append(out, l)
		}
	}
	return out[max(0, len(out)-most):]
}

// telling is the line of a log that says most: where Go or Rust panicked (their
// last lines are addresses), or else the last one, where others put the error.
func telling(lines []string) string {
	lines = tail(lines, 50)
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

// exit explains how a container ended: "exit code 127 (command not found)".
func exit(end corev1.ContainerStateTerminated) string {
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
		return code + " (" + signalName(signal) + ")"
	}
	return code
}

func signalName(n int32) string {
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

// amount prints a quantity of a resource as people write it: 15.5Gi, 500m.
func amount(name corev1.ResourceName, q resource.Quantity) string {
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

// duration prints whole seconds: 12s, 2m0s.
func duration(d time.Duration) string { return d.Round(time.Second).String() }

// join puts the parts that are not empty together.
func join(between string, parts ...string) string {
	return strings.Join(slices.DeleteFunc(parts, func(p string) bool { return p == "" }), between)
}

// has tells whether text has one of the words in it, in any case of letters.
func has(text string, words ...string) bool {
	text = strings.ToLower(text)
	return slices.ContainsFunc(words, func(w string) bool { return strings.Contains(text, w) })
}
