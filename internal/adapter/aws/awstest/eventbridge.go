package awstest

import (
	"encoding/json"
	"fmt"
)

// Event is what was put on a bus of EventBridge.
type Event struct{ Source, DetailType, Detail string }

// buses are those of EventBridge.
type buses struct {
	events map[string][]Event // by the bus's ARN
	fail   func(Event) string // the error code of an entry; empty: it is taken
}

// AddBus makes an event bus, and returns its ARN.
func (c *Cloud) AddBus(name string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	arn := c.arn("events", "event-bus/"+name)
	c.buses.events[arn] = nil
	return arn
}

// Events returns what was put on a bus, by its name or ARN.
func (c *Cloud) Events(bus string) []Event {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]Event(nil), c.buses.events[c.busARN(bus)]...)
}

// FailEntries makes f decide about every entry of PutEvents: the call succeeds, and the
// entry does not. Nil ends it.
func (c *Cloud) FailEntries(f func(Event) (code string)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.buses.fail = f
}

// busARN is the ARN of a bus by its name or ARN; "" is the default bus.
func (c *Cloud) busARN(bus string) string {
	switch {
	case bus == "":
		return c.arn("events", "event-bus/default")
	case len(bus) > 4 && bus[:4] == "arn:":
		return bus
	}
	return c.arn("events", "event-bus/"+bus)
}

func (c *Cloud) events() map[string]handler { return map[string]handler{"PutEvents": c.putEvents} }

// maxEventSize is EventBridge's limit of a request, in bytes. Source: "Calculating
// Amazon EventBridge PutEvents event entry size" in its user guide.
const maxEventSize = 262144

func (c *Cloud) putEvents(call *Call) (any, error) {
	var in struct {
		Entries []struct{ EventBusName, Source, DetailType, Detail string }
	}
	if err := call.Into(&in); err != nil {
		return nil, err
	}
	size, failed := 0, 0
	for _, e := range in.Entries {
		size += len(e.Source) + len(e.DetailType) + len(e.Detail)
	}
	if size > maxEventSize {
		return nil, refuse("ValidationException", "Total size of the entries in the request is over the limit.")
	}
	var entries []any
	for _, e := range in.Entries {
		event := Event{e.Source, e.DetailType, e.Detail}
		if code := c.entryError(event); code != "" {
			failed++
			entries = append(entries, map[string]any{"ErrorCode": code, "ErrorMessage": "the entry was not taken"})
			continue
		}
		bus := c.busARN(e.EventBusName)
		if _, ok := c.buses.events[bus]; ok { // what is sent to no bus is dropped without a word
			c.buses.events[bus] = append(c.buses.events[bus], event)
		}
		entries = append(entries, map[string]any{"EventId": fmt.Sprintf("00000000-0000-4000-8000-%012d", c.next())})
	}
	return map[string]any{"FailedEntryCount": failed, "Entries": entries}, nil
}

func (c *Cloud) entryError(e Event) string {
	var object map[string]any
	switch {
	case e.Source == "" || e.DetailType == "" || e.Detail == "":
		return "InvalidArgument"
	case json.Unmarshal([]byte(e.Detail), &object) != nil:
		return "MalformedDetail"
	case c.buses.fail != nil:
		return c.buses.fail(e)
	}
	return ""
}
