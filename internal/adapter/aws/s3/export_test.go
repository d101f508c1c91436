package s3

// LimitObjects lowers the limit for a test: 100,000 objects take minutes to make.
func (d *Datasets) LimitObjects(most int) { d.objects = most }

// LimitParts makes parts smaller than they are: S3 takes 5 MiB.
func (c *Client) LimitParts(size int64) { c.partSize = size }
