package drift

import (
	"encoding/json"
	"fmt"

	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"

	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/managedfields"
	"github.com/slipway-cd/slipway/internal/textline"
)

// maxValueLength is how many characters of a value are shown.
const maxValueLength = 120

// redacted is what is shown of a Secret's values.
const redacted = "(redacted)"

// display returns a value for people: of an item that has a name and a value, such as
// a variable, only the value. A field that does not exist is "".
func display(o map[string]any, path fieldpath.Path, secret bool) string {
	v, ok := managedfields.ValueAt(o, path)
	if !ok {
		return ""
	}
	if root := *path[0].FieldName; secret && (root == "data" || root == "stringData") {
		return redacted
	}
	if item, ok := v.(map[string]any); ok && len(item) == 2 && item["name"] != nil && item["value"] != nil {
		v = item["value"]
	}
	if text, ok := v.(string); ok {
		return textline.Printable(text, maxValueLength)
	}
	raw, err := json.Marshal(v)
	if err != nil {
		return textline.Printable(fmt.Sprint(v), maxValueLength)
	}
	return textline.Printable(string(raw), maxValueLength)
}
