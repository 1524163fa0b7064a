package check

import (
	"encoding/xml"
	"strings"
	"testing"
	"time"
)

func TestJUnitCountsFailuresAndEscapesWhatAHubSaid(t *testing.T) {
	at := time.Date(2026, 11, 27, 7, 0, 0, 0, time.UTC)
	var b strings.Builder
	err := JUnit(&b, "testing", []Result{{
		Suite: "hub", State: Failed, Started: at, Finished: at.Add(90 * time.Second),
		Outcomes: []Outcome{
			{Name: "answers", State: Passed, Message: "JupyterHub 6.1.1", Took: time.Second},
			{Name: "flaky", State: Warned, Message: "it failed first"},
			{Name: "nodes", State: PendingState, Message: "1 node still there"},
			{Name: "server", State: Failed, Message: "<script>\x1b[2J]]>&\"\nsecond line"},
		},
	}})
	if err != nil {
		t.Fatal(err)
	}
	var read struct {
		Suites []struct {
			Name     string `xml:"name,attr"`
			Tests    int    `xml:"tests,attr"`
			Failures int    `xml:"failures,attr"`
			Skipped  int    `xml:"skipped,attr"`
			Time     string `xml:"time,attr"`
			Cases    []struct {
				Failure *struct {
					Message string `xml:"message,attr"`
				} `xml:"failure"`
				Out string `xml:"system-out"`
			} `xml:"testcase"`
		} `xml:"testsuite"`
	}
	if err := xml.Unmarshal([]byte(b.String()), &read); err != nil {
		t.Fatalf("%v\n%s", err, b.String())
	}
	s := read.Suites[0]
	if s.Name != "hub" || s.Tests != 4 || s.Failures != 1 || s.Skipped != 1 || s.Time != "90.000" {
		t.Errorf("%+v", s)
	}
	if s.Cases[3].Failure == nil || s.Cases[3].Failure.Message != `<script> [2J]]>&" second line` {
		t.Errorf("%+v", s.Cases[3].Failure)
	}
	if s.Cases[1].Failure != nil || s.Cases[1].Out != "warning: it failed first" {
		t.Errorf("%+v", s.Cases[1])
	}
}
