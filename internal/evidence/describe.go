package evidence

import (
	"fmt"
	"strings"
)

// Describe tells a record in one line for people. Text that others wrote is quoted,
// so that it cannot pass for ours or move the terminal's cursor.
func Describe(r Record) string {
	text, err := describe(r)
	if err != nil {
		return "unreadable: " + err.Error()
	}
	return text
}

func describe(r Record) (string, error) {
	switch r.Type {
	case TestResultType:
		p, err := Decode[TestResult](r)
		if err != nil {
			return "", err
		}
		where := ""
		if p.Hub != "" {
			where = fmt.Sprintf(" on %q", p.Hub)
		}
		text := fmt.Sprintf("suite %q%s: %q, %d checks", p.Suite, where, strings.ToLower(p.Result), len(p.Checks))
		for _, c := range p.Checks {
			if c.State == Failed {
				return fmt.Sprintf("%s; %q: %q", text, c.Name, c.Message), nil
			}
		}
		return text, nil
	case BuildType:
		p, err := Decode[Build](r)
		return fmt.Sprintf("built %d images from commit %q", len(p.Images), p.Label), err
	case ReleaseType:
		p, err := Decode[Made](r)
		return fmt.Sprintf("made from commit %q, %d commits since production", p.Label, len(p.Commits)), err
	case ApprovalType:
		p, err := Decode[Approval](r)
		return noted(fmt.Sprintf("approved for %q", p.Tier), p.Note), err
	case SignoffType:
		p, err := Decode[Signoff](r)
		text := fmt.Sprintf("sign-off by %q", p.User)
		if p.Vouch != nil {
			text += fmt.Sprintf(", vouched: %q", p.Vouch.Link)
		}
		return noted(text, p.Note), err
	case VetoType:
		p, err := Decode[Veto](r)
		if p.Lifts != "" {
			return "lifted veto " + p.Lifts.Short(), err
		}
		return fmt.Sprintf("vetoed: %q", p.Reason), err
	case ReadyType:
		p, err := Decode[Ready](r)
		if len(p.Known) == 0 {
			return "ready, no problem is known", err
		}
		return fmt.Sprintf("ready, known problems: %q", p.Known), err
	case VersionType:
		p, err := Decode[Version](r)
		return fmt.Sprintf("named %q", p.Version), err
	case DeploymentType:
		p, err := Decode[Deployment](r)
		if p.Tried {
			return fmt.Sprintf("deployed to %q to be tried by hand, revision %d", p.Hub, p.Revision), err
		}
		return fmt.Sprintf("deployed to %q, revision %d", p.Hub, p.Revision), err
	case HoldType:
		p, err := Decode[Hold](r)
		return p.describe(), err
	case OverrideType:
		p, err := Decode[Override](r)
		if p.Lifts != "" {
			return "lifted override " + p.Lifts.Short(), err
		}
		return fmt.Sprintf("OVERRIDE for %q until %s: %q", p.Tier, p.Expires.UTC().Format("2006-01-02 15:04 UTC"), p.Reason), err
	case RollbackType:
		p, err := Decode[Rollback](r)
		return fmt.Sprintf("rolled %q back from revision %d to %d, revision %d: %q", p.Hub, p.From, p.To, p.Revision, p.Reason), err
	case AdoptionType:
		p, err := Decode[Adoption](r)
		return fmt.Sprintf("took over %q at revision %d, chart %q, with %d values", p.Hub, p.Revision, p.Chart, len(p.Values)+len(p.Secrets)), err
	case PicturesType:
		p, err := Decode[Pictures](r)
		return fmt.Sprintf("accepted the pictures %q", p.Names), err
	case PolicyType:
		p, err := Decode[PolicyChange](r)
		if p.Previous == "" {
			return "first policy", err
		}
		return "proposed in place of policy " + p.Previous.Short(), err
	}
	return fmt.Sprintf("a statement of type %q", r.Type), nil
}

func (h Hold) describe() string {
	switch {
	case h.Lifts != "":
		return "lifted hold " + h.Lifts.Short()
	case h.Hub != "":
		return fmt.Sprintf("held hub %q: %q", h.Hub, h.Reason)
	case h.Tier != "":
		return fmt.Sprintf("held tier %q: %q", h.Tier, h.Reason)
	}
	return fmt.Sprintf("held: %q", h.Reason)
}

func noted(text, note string) string {
	if note == "" {
		return text
	}
	return fmt.Sprintf("%s: %q", text, note)
}
