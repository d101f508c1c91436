package objects

import (
	"net/url"
	"strings"

	"github.com/slipway-cd/slipway/internal/account"
	"github.com/slipway-cd/slipway/internal/extension"
)

// Rights are what a shared state below a prefix calls.
func Rights(p extension.AWSPlace, u *url.URL) []account.Statement {
	prefix := strings.Trim(u.Path, "/")
	if prefix != "" {
		prefix += "/"
	}
	const step = "every command"
	find := account.Statement{
		Sid: "ListState", Actions: []string{"s3:ListBucket"}, Resources: []string{p.BucketARN(u.Host)},
		Needs: []account.Need{{Step: step, Call: "s3:ListBucket", Why: "to list what other machines recorded, and to tell a missing object from a forbidden one: a condition on the prefix would hide that"}},
	}
	return []account.Statement{find, {
		Sid: "ShareState", Actions: []string{"s3:AbortMultipartUpload", "s3:DeleteObject", "s3:GetObject", "s3:PutObject"}, Resources: []string{p.BucketARN(u.Host + "/" + prefix + "*")},
		Needs: []account.Need{
			{Step: step, Call: "s3:AbortMultipartUpload", Why: "to leave no parts of what could not be stored"},
			{Step: step, Call: "s3:DeleteObject", Why: "to remove what is recorded elsewhere by now"},
			{Step: step, Call: "s3:GetObject", Why: "to read what other machines recorded"},
			{Step: step, Call: "s3:PutObject", Why: "to record what this one did, once"},
		},
	}}
}
