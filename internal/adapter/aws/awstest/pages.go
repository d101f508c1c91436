package awstest

import "fmt"

// paged is a page of a list, by the input's token and how many entries it asks for, as the
// services have it whose members are maxResults and nextToken, or MaxResults and NextToken.
func paged[T any](call *Call, name string, all []T) (map[string]any, error) {
	var in struct {
		NextToken  string
		MaxResults int
		Limit      int
	}
	if err := call.Into(&in); err != nil {
		return nil, err
	}
	size, start := max(in.MaxResults, in.Limit), 0
	if size == 0 {
		size = 50
	}
	if in.NextToken != "" {
		if n, err := fmt.Sscanf(in.NextToken, "page/%d", &start); n != 1 || err != nil || start > len(all) {
			return nil, refuse("InvalidParameterException", "The token of the next page is not valid")
		}
	}
	end := min(start+size, len(all))
	out := map[string]any{name: append([]T{}, all[start:end]...)}
	if end < len(all) {
		token := "nextToken"
		if call.Service.Metadata.Protocol == "json" && call.Service.Name == "service-quotas" {
			token = "NextToken"
		}
		out[token] = fmt.Sprintf("page/%d", end)
	}
	return out, nil
}

// uuid returns one that was not returned before.
func (c *Cloud) uuid() string { return fmt.Sprintf("00000000-0000-4000-8000-%012d", c.next()) }
