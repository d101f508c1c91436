package pipeline

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/slipway-cd/slipway/internal/textline"
)

var (
	swallowedLine = regexp.MustCompile(`\|\|\s*(true|:|exit 0|echo\b[^|]*)\s*$|;\s*true\s*$|--exit-zero\b`)
	imageScanner  = regexp.MustCompile(`(?:^|[\s/])(trivy(?:[:@]\S+)?)\s+(?:image|fs|i)\b|(?:^|\s)(grype)\s+\S`)
	verdictFlag   = regexp.MustCompile(`--exit-code[ =][1-9]|--fail-on[ =]|(?:^|\s)-f\s+(?:low|medium|high|critical)`)
	latestTag     = regexp.MustCompile(`[\w./$-]+:latest\b`)
	curlLine      = regexp.MustCompile(`(?:^|\s|\()(?:curl|wget)\s.*https?://`)
	healthPath    = regexp.MustCompile(`https?://[^\s"'/]+(/[A-Za-z0-9_/-]*)`)
	trainLine     = regexp.MustCompile(`(?:^|/|\s)[\w-]*(?:train|training)[\w-]*\.(?:py|sh)\b|\bcreate-training-job\b|\bstart-pipeline-execution\b|\bmake (?:re)?train\b`)
	gateLine      = regexp.MustCompile(`(?i)evaluat|accuracy|f1[_ -]|metric|threshold|rmse|auc`)
	deployLine    = regexp.MustCompile(`\bkubectl\b.*\b(?:apply|set image|rollout restart)\b|\bhelm (?:upgrade|install)\b|\beks update-kubeconfig\b|\bupdate-service\b|\bupdate-endpoint\b|\bdocker push\b|\bdocker(?: |-)compose\b.*\bup\b`)
)

// quote makes a short text of a line.
func quote(line string) string { return "`" + textline.Printable(line, 70) + "`" }

func findSwallowed(p *Pipeline, report func(int, string)) {
	for _, j := range p.Jobs {
		if j.FailureIgnore > 0 {
			report(j.FailureIgnore, fmt.Sprintf("job %s may fail, and the pipeline is green", j.Name))
		}
	}
	p.steps(func(_ Job, s Step) {
		if s.FailureIgnore > 0 {
			report(s.FailureIgnore, fmt.Sprintf("step %q may fail, and the job is green", s.title()))
		}
		for _, l := range s.Lines {
			if swallowedLine.MatchString(l.Text) {
				report(l.Line, quote(l.Text)+" succeeds when the command fails")
			}
		}
	})
}

func (s Step) title() string {
	switch {
	case s.Name != "":
		return s.Name
	case s.Uses.Text != "":
		return s.Uses.Text
	case len(s.Lines) > 0:
		return textline.Printable(s.Lines[0].Text, 40)
	}
	return "without a name"
}

func findToothlessScans(p *Pipeline, report func(int, string)) {
	p.steps(func(_ Job, s Step) {
		for _, l := range s.Lines {
			if imageScanner.MatchString(l.Text) && !verdictFlag.MatchString(l.Text) {
				report(l.Line, "the scan prints what it finds and always succeeds: it has no --exit-code 1 or --fail-on")
			}
		}
		action, _, _ := strings.Cut(s.Uses.Text, "@")
		code, hasCode := s.Parameter("exit-code")
		fails, hasFails := s.Parameter("fail-build")
		switch {
		case action == "aquasecurity/trivy-action" && (!hasCode || code.Value == "0"):
			report(max(code.Line, s.Uses.Line), "the scan reports what it finds and always succeeds: its exit-code is 0")
		case action == "anchore/scan-action" && hasFails && fails.Value == "false":
			report(fails.Line, "the scan reports what it finds and always succeeds: fail-build is false")
		}
	})
}

func findMutableTags(p *Pipeline, report func(int, string)) {
	p.steps(func(_ Job, s Step) {
		var lines []int
		first := ""
		for _, l := range s.Lines {
			text, _ := p.Expand(l.Text)
			if m := latestTag.FindString(text); m != "" {
				lines = append(lines, l.Line)
				if first == "" {
					first = m
				}
			}
		}
		if tags, ok := s.Parameter("tags"); ok && latestTag.MatchString(tags.Value) {
			lines, first = append(lines, tags.Line), latestTag.FindString(tags.Value)
		}
		if len(lines) > 0 {
			report(lines[0], fmt.Sprintf("%s moves: what it names depends on when it is pulled%s", first, alsoLines(lines[1:])))
		}
	})
}

// alsoLines lists further lines with the same mistake.
func alsoLines(lines []int) string {
	if len(lines) == 0 {
		return ""
	}
	texts := make([]string, len(lines))
	for i, l := range lines {
		texts[i] = fmt.Sprint(l)
	}
	if len(texts) == 1 {
		return " (also line " + texts[0] + ")"
	}
	return " (also lines " + strings.Join(texts, ", ") + ")"
}

func findTwoRollouts(p *Pipeline, report func(int, string)) {
	for _, j := range p.Jobs {
		apply, set := 0, 0
		for _, s := range j.Steps {
			for _, l := range s.Lines {
				switch {
				case strings.Contains(l.Text, "kubectl") && strings.Contains(l.Text, " apply") && apply == 0:
					apply = l.Line
				case strings.Contains(l.Text, "kubectl") && strings.Contains(l.Text, " set image") && set == 0:
					set = l.Line
				}
			}
		}
		if apply > 0 && set > 0 {
			report(set, fmt.Sprintf("two rollouts: `kubectl apply` on line %d first starts pods with the image of the manifest, then this one replaces them", apply))
		}
	}
}

func findSingleRequests(p *Pipeline, report func(int, string)) {
	for _, j := range p.Jobs {
		if !deploys(j) {
			continue
		}
		for _, s := range j.Steps {
			looped := slices.ContainsFunc(s.Lines, func(l Entry) bool {
				return strings.HasPrefix(l.Text, "for ") || strings.HasPrefix(l.Text, "while ") || strings.HasPrefix(l.Text, "until ")
			})
			for _, l := range s.Lines {
				if curlLine.MatchString(l.Text) && !strings.Contains(l.Text, "--retry") && !looped {
					report(l.Line, "one request to the load balancer is the verification: a pod of the old version may be what responds, and /predict is never tried")
					break
				}
			}
		}
	}
}

func findUndo(p *Pipeline, report func(int, string)) {
	p.steps(func(_ Job, s Step) {
		for _, l := range s.Lines {
			if strings.Contains(l.Text, "rollout undo") {
				report(l.Line, "`rollout undo` restores the pod template only: the model, ConfigMaps and Secrets stay, and the next run brings the bad version back")
			}
		}
	})
}

func findUngatedTraining(p *Pipeline, report func(int, string)) {
	gated := false
	first := Entry{}
	p.steps(func(_ Job, s Step) {
		for _, l := range s.Lines {
			gated = gated || gateLine.MatchString(l.Text)
			if trainLine.MatchString(l.Text) && first.Line == 0 {
				first = l
			}
		}
	})
	if first.Line > 0 && !gated {
		report(first.Line, quote(first.Text)+" trains, and no line of the pipeline looks at a metric before the model is used")
	}
}

// deploys reports whether the job changes what runs somewhere.
func deploys(j Job) bool {
	return slices.ContainsFunc(j.Steps, func(s Step) bool {
		return slices.ContainsFunc(s.Lines, func(l Entry) bool {
			return deployLine.MatchString(l.Text) && !strings.Contains(l.Text, "docker push")
		})
	})
}
