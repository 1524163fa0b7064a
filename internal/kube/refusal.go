package kube

import (
	"regexp"
	"strings"
)

var webhookName = regexp.MustCompile(`webhook "([^"]+)"`)

// Refusal reads why the API server does not take an object: its own error, or what a
// controller reports of pods that it may not create. It is nil for an error of
// another kind (a server that is away, a conflict).
func Refusal(object, message string) *Cause {
	m := strings.ToLower(message)
	c := &Cause{Object: object, Message: OneLine(message)}
	hook := ""
	if n := webhookName.FindStringSubmatch(message); n != nil {
		hook = n[1]
	}
	switch {
	case strings.Contains(m, "denied the request"):
		c.Reason, c.Permanent = Rejected, true
		if hook != "" {
			c.Message = OneLine("admission webhook " + hook + " refuses it: " + message)
		}
	case strings.Contains(m, "failed calling webhook"), strings.Contains(m, "failed to call webhook"):
		c.Reason = WebhookDown
		c.Message = OneLine("admission webhook " + hook + " does not answer, so nothing is admitted: " + message)
	case strings.Contains(m, "exceeded quota"), strings.Contains(m, "failed quota"), strings.Contains(m, "quota") && strings.Contains(m, "forbidden"):
		c.Reason = Quota // old pods that still count may go
	case limitRange.MatchString(message):
		c.Reason, c.Permanent = LimitRange, true
	case strings.Contains(m, "forbidden"), strings.Contains(m, "denied"), strings.Contains(m, "is invalid"), strings.Contains(m, "violates podsecurity"):
		c.Reason, c.Permanent = Rejected, true
	default:
		return nil
	}
	return c
}

// "pods "x" is forbidden: [maximum cpu usage per Container is 1, but limit is 2]",
// "minimum memory usage per Pod is …", "cpu max limit to request ratio per …".
var limitRange = regexp.MustCompile(`(?i)(maximum|minimum) \S+ usage per |max limit to request ratio per `)
