// Package eventbridge implements port.Notifier with event buses of AWS: rules of a bus
// send what happened to functions, queues, chats and other accounts.
package eventbridge

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"github.com/slipway-cd/slipway/internal/adapter/aws/session"
	"github.com/slipway-cd/slipway/internal/extension"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// Section is an entry of notify in slipway.yaml.
type Section struct {
	Bus string `yaml:"eventbridge" json:"eventbridge" jsonschema_description:"ARN of the event bus."`
}

const arnPattern = `^arn:aws(-cn|-us-gov)?:events:([a-z0-9-]+):([0-9]{12}):event-bus/([/.A-Za-z0-9_-]{1,256})$`

// Extension describes the notifier to the catalog.
func Extension() extension.Notifier {
	return extension.Notifier{
		Kind: "eventbridge", Example: "eventbridge: arn:aws:events:REGION:ACCOUNT:event-bus/BUS",
		Section: extension.SectionOf(func(s *Section, c extension.Checker) {
			c.MatchPattern("eventbridge", s.Bus, arnPattern, "such as arn:aws:events:ap-southeast-1:111122223333:event-bus/default")
		}),
		New: func(section any, _ func(string) (string, bool), _ func() time.Time) (port.Notifier, error) {
			s, _ := section.(*Section)
			return New(s.Bus, session.Options{}), nil
		},
	}
}

// Source and DetailType are what rules match. The detail is the event as `--output json`
// prints it, with the message for people beside it.
const (
	Source     = "slipway"
	DetailType = "Slipway Run Finished"
)

// maxDetail keeps an entry below EventBridge's limit of 256 KiB, in bytes. Source:
// "Calculating Amazon EventBridge PutEvents event entry size" in its user guide.
const maxDetail = 250 * 1024

// maxText is how much of a message is sent, in bytes. In JSON, a byte takes six at most.
const maxText = 32 * 1024

// Notifier puts events on one bus.
type Notifier struct {
	bus, region, account, name string
	options                    session.Options
}

var _ port.Notifier = (*Notifier)(nil)

// New returns a notifier for the ARN of a bus, which was checked. It connects to
// nothing yet.
func New(bus string, o session.Options) *Notifier {
	parts := strings.SplitN(bus, ":", 6) // arn:aws:events:REGION:ACCOUNT:event-bus/BUS
	if len(parts) != 6 {
		return &Notifier{bus: bus, name: "eventbridge ?", options: o}
	}
	return &Notifier{bus: bus, region: parts[3], account: parts[4], name: "eventbridge " + strings.TrimPrefix(parts[5], "event-bus/"), options: o}
}

// Name returns the name of the bus.
func (n *Notifier) Name() string { return n.name }

// entry is one of PutEvents.
type entry struct {
	EventBusName, Source, DetailType, Detail string
}

// result is what became of the entries: a call that succeeds may have taken none.
type result struct {
	FailedEntryCount int
	Entries          []struct{ ErrorCode, ErrorMessage string }
}

// Notify puts one event.
func (n *Notifier) Notify(ctx context.Context, m port.Message) error {
	s, err := session.Open(ctx, extension.AWS{Account: n.account, Region: n.region}, n.options)
	if err != nil {
		return err
	}
	text, err := detail(m)
	if err != nil {
		return err
	}
	action := "put an event on " + n.bus
	var out result
	in := struct{ Entries []entry }{[]entry{{n.bus, Source, DetailType, text}}}
	if err := s.Call(ctx, session.API{Name: "events", Target: "AWSEvents", Version: "1.1"}, "PutEvents", in, &out); err != nil {
		return s.Explain(ctx, action, err)
	}
	if out.FailedEntryCount == 0 {
		return nil
	}
	return entryError(action, out)
}

// entryError is the error of an entry that was not taken. Only a malformed one is so for
// ever. Source: "Troubleshooting PutEvents" in EventBridge's user guide.
func entryError(action string, out result) error {
	for _, e := range out.Entries {
		switch e.ErrorCode {
		case "":
			continue
		case "InvalidArgument", "MalformedDetail", "NotAuthorizedForSource":
			return fault.New(fault.Invalid, "%s: %s: %s", action, e.ErrorCode, e.ErrorMessage)
		}
		return fault.New(fault.Unavailable, "%s: %s: %s", action, e.ErrorCode, e.ErrorMessage).Infrastructure()
	}
	return fault.New(fault.Unavailable, "%s: EventBridge did not take it, and does not say why", action).Infrastructure()
}

// detail is the event as a JSON object. Of a text that is too long it has the beginning,
// and the event only where there is room for all of it.
func detail(m port.Message) (string, error) {
	d := struct {
		ID    string          `json:"id"`
		Title string          `json:"title"`
		Text  string          `json:"text"`
		Event json.RawMessage `json:"event,omitempty"`
	}{m.ID, m.Title, m.Text, m.JSON}
	if len(d.Text) > maxText {
		d.Text = strings.ToValidUTF8(d.Text[:maxText], "")
	}
	if !json.Valid(d.Event) {
		d.Event = nil
	}
	raw, err := json.Marshal(d)
	if err == nil && len(raw) > maxDetail {
		d.Event = nil
		raw, err = json.Marshal(d)
	}
	if err != nil {
		return "", fault.New(fault.Internal, "write the event").Cause(err)
	}
	return string(raw), nil
}
