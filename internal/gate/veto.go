package gate

import (
	"fmt"
	"slices"
	"strings"

	"gauntlet/internal/config"
	"gauntlet/internal/evidence"
)

// noVeto: nobody of the board or the users has a veto standing. Only who gave a
// veto can lift it.
func (f *facts) noVeto() Requirement {
	r := Requirement{Name: "no-veto", Decision: Allow}
	var standing, lifted, noted []string
	for _, v := range f.vetoes {
		if v.what.Lifts != "" || !v.About(evidence.Release, f.ID) {
			continue
		}
		if v.who == "" || !f.people.Has(v.who, config.RoleBoard, config.RoleUser) {
			noted = append(noted, fmt.Sprintf("a veto by %s does not count: only board and users have one", name(v)))
			continue
		}
		i := slices.IndexFunc(f.vetoes, func(l said[evidence.Veto]) bool {
			return l.what.Lifts == v.ID && l.who == v.who && l.About(evidence.Release, f.ID)
		})
		if i >= 0 {
			lifted = append(lifted, v.who)
			r.Evidence = append(r.Evidence, f.vetoes[i].ID)
			r.Since = f.vetoes[i].Time
			continue
		}
		standing = append(standing, fmt.Sprintf("%s vetoed it on %s: %s", v.who, when(v.Time), v.what.Reason))
		if r.Command == "" {
			r.Command = fmt.Sprintf("gauntlet veto %s --lift", f.ID.Short())
		}
	}
	switch {
	case len(standing) > 0:
		r.Decision, r.Evidence = Deny, nil
		r.Reason = strings.Join(standing, "; ") + "; only who gave a veto can lift it"
	case len(lifted) > 0:
		r.Reason = "lifted by " + listed(lifted)
	default:
		r.Reason = "nobody has a veto against it"
	}
	if len(noted) > 0 {
		r.Reason += "; " + strings.Join(noted, "; ")
	}
	r.Reason += f.ignored(evidence.VetoType, evidence.Release, f.ID)
	return r
}

// name is who said something, or the key when that is all there is.
func name[T any](s said[T]) string {
	if s.who != "" {
		return s.who
	}
	return s.key.Error()
}
