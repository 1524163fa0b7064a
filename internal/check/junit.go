package check

import (
	"encoding/xml"
	"fmt"
	"io"
	"time"
)

// JUnit writes results as JUnit XML, which CI systems show. A warning is a passed test
// with its message as output; JUnit has no word for it. hub is where the suites ran.
// Format: https://github.com/testmoapp/junitxml.
func JUnit(w io.Writer, hub string, results []Result) error {
	type failure struct {
		Message string `xml:"message,attr"`
	}
	type testcase struct {
		Name    string   `xml:"name,attr"`
		Class   string   `xml:"classname,attr"`
		Seconds string   `xml:"time,attr"`
		Failure *failure `xml:"failure,omitempty"`
		Skipped *failure `xml:"skipped,omitempty"`
		Out     string   `xml:"system-out,omitempty"`
	}
	type testsuite struct {
		Name     string     `xml:"name,attr"`
		Host     string     `xml:"hostname,attr,omitempty"`
		Tests    int        `xml:"tests,attr"`
		Failures int        `xml:"failures,attr"`
		Skipped  int        `xml:"skipped,attr"`
		Seconds  string     `xml:"time,attr"`
		Started  string     `xml:"timestamp,attr"`
		Cases    []testcase `xml:"testcase"`
	}
	var doc struct {
		XMLName xml.Name    `xml:"testsuites"`
		Suites  []testsuite `xml:"testsuite"`
	}
	seconds := func(d time.Duration) string { return fmt.Sprintf("%.3f", d.Seconds()) }
	for _, r := range results {
		s := testsuite{
			Name: r.Suite, Host: hub, Tests: len(r.Outcomes),
			Seconds: seconds(r.Finished.Sub(r.Started)), Started: r.Started.UTC().Format("2006-01-02T15:04:05"),
		}
		for _, o := range r.Outcomes {
			c := testcase{Name: o.Name, Class: r.Suite, Seconds: seconds(o.Took)}
			switch o.State {
			case Passed:
				c.Out = oneLine(o.Message)
			case Warned:
				c.Out = "warning: " + oneLine(o.Message)
			case PendingState:
				c.Skipped = &failure{"no verdict yet: " + oneLine(o.Message)}
				s.Skipped++
			default:
				c.Failure = &failure{oneLine(o.Message)}
				s.Failures++
			}
			s.Cases = append(s.Cases, c)
		}
		doc.Suites = append(doc.Suites, s)
	}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	e := xml.NewEncoder(w)
	e.Indent("", "  ")
	if err := e.Encode(doc); err != nil {
		return fmt.Errorf("write JUnit XML: %w", err)
	}
	_, err := io.WriteString(w, "\n")
	return err
}
