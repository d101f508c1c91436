package s3

import (
	"strings"

	"github.com/slipway-cd/slipway/internal/account"
	"github.com/slipway-cd/slipway/internal/extension"
)

// DatasetRights are what pinning and fetching training data calls.
func DatasetRights(p extension.AWSPlace, uris []string) []account.Statement {
	var all []account.Statement
	for _, uri := range uris {
		at, err := Parse(uri)
		if err != nil {
			continue // config refuses it
		}
		read := account.Statement{
			Sid: "ReadTrainingData", Actions: []string{"s3:GetObject"}, Resources: []string{p.BucketARN(at.Bucket + "/" + at.Key)},
			Needs: []account.Need{{Step: "plan, train, evaluate", Call: "s3:GetObject", Why: "to pin model.data, and to fetch it"}},
		}
		find := account.Statement{
			Sid: "FindTrainingData", Actions: []string{"s3:ListBucket"}, Resources: []string{p.BucketARN(at.Bucket)},
			Needs: []account.Need{{Step: "plan, train, evaluate", Call: "s3:ListBucket", Why: "to list what is below a prefix, and to tell a missing object from a forbidden one"}},
		}
		if isPrefix(at) {
			read.Resources[0] += "*"
			find.Conditions = prefixes(at.Key)
		} else {
			read.Actions = append(read.Actions, "s3:GetObjectVersion")
			read.Needs = append(read.Needs, account.Need{Step: "train, evaluate", Call: "s3:GetObjectVersion", Why: "to fetch the version that was pinned"})
		}
		all = append(all, read, find)
	}
	return all
}

// prefixes bounds a list to what is below a prefix.
func prefixes(prefix string) account.Conditions {
	if prefix == "" {
		return nil
	}
	return account.Conditions{"StringLike": {"s3:prefix": {strings.TrimSuffix(prefix, "/") + "/*"}}}
}

// StoreRights are what storing below a prefix of a bucket calls: objects that are named by
// their content, and looked for before they are stored.
func StoreRights(p extension.AWSPlace, sid, bucket, prefix, step, what string) []account.Statement {
	if prefix != "" {
		prefix += "/"
	}
	return []account.Statement{
		{
			Sid: "Store" + sid, Actions: []string{"s3:AbortMultipartUpload", "s3:GetObject", "s3:PutObject"}, Resources: []string{p.BucketARN(bucket + "/" + prefix + "*")},
			Needs: []account.Need{
				{Step: step, Call: "s3:AbortMultipartUpload", Why: "to leave no parts of a large object that could not be stored"},
				{Step: step, Call: "s3:GetObject", Why: "to find and to read " + what},
				{Step: step, Call: "s3:PutObject", Why: "to store " + what},
			},
		},
		{
			Sid: "Find" + sid, Actions: []string{"s3:ListBucket"}, Resources: []string{p.BucketARN(bucket)},
			Needs: []account.Need{{Step: step, Call: "s3:ListBucket", Why: "to tell a missing object from a forbidden one, which S3 answers alike without it"}},
		},
	}
}
