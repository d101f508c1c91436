package awstest

import "strings"

func (c *Cloud) alarmARN(name string) string { return c.arn("cloudwatch", "alarm:"+name) }

// removeAlarm forgets an alarm with its tags.
func (c *Cloud) removeAlarm(name string) {
	delete(c.metrics.alarms, name)
	delete(c.tags, c.alarmARN(name))
}

// taggedAlarm returns the ARN of the input, whose alarm has to be there.
func (c *Cloud) taggedAlarm(call *Call) (string, error) {
	arn := call.text("ResourceARN")
	_, name, ok := strings.Cut(arn, ":alarm:")
	if !ok || c.metrics.alarms[name] == nil || arn != c.alarmARN(name) {
		return "", &Error{Code: "ResourceNotFoundException", Message: "No alarm has the ARN " + arn, Status: 404}
	}
	return arn, nil
}
