package account

import (
	"encoding/json"
	"testing"
)

// TestDocument_JSON: a policy is written as AWS keeps it, and its reasons are not.
func TestDocument_JSON(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		in   Document
		want string
	}{
		{"empty", Document{}, `{"Version":"2012-10-17","Statement":[]}`},
		{"rights", Document{[]Statement{{
			Sid: "Push", Actions: []string{"ecr:PutImage", "ecr:UploadLayerPart"}, Resources: []string{"arn:aws:ecr:r:1:repository/x"},
			Needs: []Need{{"push", "", "to push"}},
		}}}, `{"Version":"2012-10-17","Statement":[{"Sid":"Push","Effect":"Allow","Action":["ecr:PutImage","ecr:UploadLayerPart"],"Resource":"arn:aws:ecr:r:1:repository/x"}]}`},
		{"trust", Document{[]Statement{{
			Principals: Principals{"Service": {"sagemaker.amazonaws.com"}}, Actions: []string{"sts:AssumeRole"},
			Conditions: Conditions{"StringEquals": {"aws:SourceAccount": {"111122223333"}}},
		}}}, `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"sagemaker.amazonaws.com"},"Action":"sts:AssumeRole","Condition":{"StringEquals":{"aws:SourceAccount":"111122223333"}}}]}`},
		{"deny", Document{[]Statement{{Deny: true, Actions: []string{"s3:*"}, Resources: []string{"a", "b"}}}}, `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"s3:*","Resource":["a","b"]}]}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, err := json.Marshal(c.in)
			if err != nil {
				t.Fatal(err)
			}
			if string(got) != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}
