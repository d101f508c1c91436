package port

import "fmt"

// String returns the difference for people: "Deployment api is missing".
func (d Drift) String() string {
	object := d.Kind + " " + d.Name
	if d.Missing {
		return object + " is missing"
	}
	text := fmt.Sprintf("%s: %s is %s, recorded %s", object, d.Field, d.Live, d.Recorded)
	switch {
	case d.Field == "":
		text = fmt.Sprintf("%s: %s", object, d.Live)
	case d.Live == "":
		text = fmt.Sprintf("%s: %s was removed, recorded %s", object, d.Field, d.Recorded)
	case d.Recorded == "":
		text = fmt.Sprintf("%s: %s was added: %s", object, d.Field, d.Live)
	case d.Live == d.Recorded: // the values of secrets
		text = fmt.Sprintf("%s: %s differs from the record", object, d.Field)
	}
	if d.Manager != "" {
		text += ", by " + d.Manager
	}
	return text
}
