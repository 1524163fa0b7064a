package gate

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"gauntlet/internal/config"
	"gauntlet/internal/evidence"
)

// approval: enough different people with the role have said that the release may
// enter the tier, under the policy in force, none of them an author of what it
// brings. What does not count is named with its cause.
func (f *facts) approval(t config.Tier) []Requirement {
	if t.Approval == nil {
		return nil
	}
	want := max(t.Approval.Count, 1)
	r := Requirement{Name: "approval", Decision: Wait, Command: fmt.Sprintf("gauntlet approve %s %s", f.ID.Short(), t.Name)}
	wrote, err := f.authors()
	if err != nil {
		r.Command = runCommand
		r.Reason = fmt.Sprintf("who wrote what it brings cannot be told (%v), so nobody's approval counts", err)
		return []Requirement{r}
	}
	var who, noted []string
	var since time.Time
	for _, a := range f.approvals {
		if a.what.Tier != t.Name || !a.About(evidence.Release, f.ID) {
			continue
		}
		if why := f.noApproval(a, t.Approval.Role, wrote); why != "" {
			noted = append(noted, why)
			continue
		}
		if slices.Contains(who, a.who) {
			continue
		}
		who = append(who, a.who)
		r.Evidence = append(r.Evidence, a.ID)
		if len(who) == want {
			since = a.Time
		}
	}
	if len(who) >= want {
		r.Decision, r.Command, r.Since = Allow, "", since
		r.Reason = fmt.Sprintf("approved for %s by %s", t.Name, listed(who))
	} else {
		r.Reason = fmt.Sprintf("%d of %d approvals for %s by role %s", len(who), want, t.Name, t.Approval.Role)
		if len(who) > 0 {
			r.Reason += ": " + listed(who)
		}
		if may := f.mayApprove(t.Approval.Role, wrote); len(may) < want {
			r.Decision, r.Command = Deny, ""
			r.Reason += fmt.Sprintf("; only %s may give one, so it takes another policy", listed(may))
		}
	}
	if len(noted) > 0 {
		r.Reason += "; " + strings.Join(noted, "; ")
	}
	if words := f.readyWords(); words != "" {
		r.Reason += "; " + words
	}
	if r.Decision != Allow {
		r.Reason += f.ignored(evidence.ApprovalType, evidence.Release, f.ID)
	}
	return []Requirement{r}
}

// noApproval says why an approval does not count, "" when it does.
func (f *facts) noApproval(a said[evidence.Approval], role string, wrote authors) string {
	switch {
	case a.who == "":
		return "an approval does not count: " + name(a)
	case !f.people.Has(a.who, role):
		return fmt.Sprintf("the approval by %s does not count: %s is not of role %s", a.who, a.who, role)
	case a.what.Policy != f.PolicyDigest:
		return fmt.Sprintf("the approval by %s does not count: it was given under another policy (%s) than the one in force (%s)", a.who, a.what.Policy.Short(), f.PolicyDigest.Short())
	case wrote[a.who] != "":
		return fmt.Sprintf("the approval by %s does not count: %s %s", a.who, a.who, wrote[a.who])
	}
	return ""
}

// mayApprove are who hold the role and wrote nothing of the release.
func (f *facts) mayApprove(role string, wrote authors) []string {
	return slices.DeleteFunc(f.people.With(role), func(n string) bool { return wrote[n] != "" })
}
