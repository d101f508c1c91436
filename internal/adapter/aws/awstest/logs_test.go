package awstest_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
)

func TestLogs(t *testing.T) {
	l := newLab(t)
	ctx, client := t.Context(), cloudwatchlogs.NewFromConfig(l.config)
	group, stream := aws.String("/slipway/retail"), aws.String("run-1")
	_, err := client.GetLogEvents(ctx, &cloudwatchlogs.GetLogEventsInput{LogGroupName: group, LogStreamName: stream, StartFromHead: aws.Bool(true)})
	wantError(t, err, "ResourceNotFoundException")
	if _, err = client.CreateLogGroup(ctx, &cloudwatchlogs.CreateLogGroupInput{LogGroupName: group}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"", "ResourceAlreadyExistsException"} {
		_, err = client.CreateLogStream(ctx, &cloudwatchlogs.CreateLogStreamInput{LogGroupName: group, LogStreamName: stream})
		if want != "" {
			wantError(t, err, want)
		} else if err != nil {
			t.Fatal(err)
		}
	}
	now := l.now.UnixMilli()
	events := []types.InputLogEvent{{Timestamp: aws.Int64(now), Message: aws.String("one")}, {Timestamp: aws.Int64(now + 1), Message: aws.String("two words")}}
	if _, err = client.PutLogEvents(ctx, &cloudwatchlogs.PutLogEventsInput{LogGroupName: group, LogStreamName: stream, LogEvents: events}); err != nil {
		t.Fatal(err)
	}
	page, err := client.GetLogEvents(ctx, &cloudwatchlogs.GetLogEventsInput{LogGroupName: group, LogStreamName: stream, StartFromHead: aws.Bool(true), Limit: aws.Int32(1)})
	if err != nil || len(page.Events) != 1 || *page.Events[0].Message != "one" {
		t.Fatalf("%+v, %v", page, err)
	}
	l.Log(*group, *stream, "three")
	page, err = client.GetLogEvents(ctx, &cloudwatchlogs.GetLogEventsInput{LogGroupName: group, LogStreamName: stream, NextToken: page.NextForwardToken})
	if err != nil || len(page.Events) != 2 || *page.Events[1].Message != "three" {
		t.Fatalf("%+v, %v", page, err)
	}
	end, err := client.GetLogEvents(ctx, &cloudwatchlogs.GetLogEventsInput{LogGroupName: group, LogStreamName: stream, NextToken: page.NextForwardToken})
	if err != nil || len(end.Events) != 0 || *end.NextForwardToken != *page.NextForwardToken {
		t.Errorf("at the end: %+v, %v", end, err)
	}
	streams, err := client.DescribeLogStreams(ctx, &cloudwatchlogs.DescribeLogStreamsInput{LogGroupName: group, LogStreamNamePrefix: aws.String("run-")})
	if err != nil || len(streams.LogStreams) != 1 || *streams.LogStreams[0].LastEventTimestamp < now {
		t.Errorf("%+v, %v", streams, err)
	}
	found, err := client.FilterLogEvents(ctx, &cloudwatchlogs.FilterLogEventsInput{LogGroupName: group, FilterPattern: aws.String("words")})
	if err != nil || len(found.Events) != 1 || *found.Events[0].Message != "two words" {
		t.Errorf("%+v, %v", found, err)
	}
	if err := l.Invalid(); err != nil {
		t.Error(err)
	}
}
