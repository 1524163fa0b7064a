package config

import (
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"

	"gauntlet/internal/evidence"
	"gauntlet/internal/lint"
)

// ParsePolicy reads policy.yaml. The error is Problems: all of them, not the
// first. file is how messages name it.
func ParsePolicy(file string, data []byte) (*Policy, error) {
	d, root := readDocument(file, data)
	p := &Policy{src: d}
	if root != nil {
		d.decode(root, "", reflect.ValueOf(p).Elem())
		d.apiVersion(p.APIVersion)
		d.checkPeople(p)
		if len(p.Tiers) == 0 && !d.reported("tiers") {
			d.bad("tiers", "there is no tier", "add tiers: [bleeding-edge: {suites: [hub]}]")
		}
		for i := range p.Tiers {
			d.checkTier(p, &p.Tiers[i], i == len(p.Tiers)-1 && !d.reported("tiers"))
		}
		d.checkFreezes(p)
	}
	d.problems.sort()
	if err := d.problems.Err(); err != nil {
		return nil, err
	}
	return p, nil
}

// choice checks a text that must be one of a few; an empty one becomes the first.
func (d *document) choice(field string, value *string, of ...string) {
	if *value == "" {
		*value = of[0]
	}
	if slices.Contains(of, *value) || d.reported(field) {
		return
	}
	fix := "write " + oneOf(of)
	if near := lint.Nearest(*value, of); near != "" && len(of) > 1 {
		fix = "did you mean " + near + "? It may be " + oneOf(of)
	}
	d.bad(field, fmt.Sprintf("%q is none of its values", *value), fix)
}

// defaultActive is how far back a user's last visit counts for a sign-off.
const defaultActive = 720 * time.Hour

func (d *document) checkTier(p *Policy, t *Tier, last bool) {
	field := child("tiers", t.Name)
	d.label(field, t.Name)
	d.choice(child(field, "hubs"), &t.Hubs, "all", "any")
	if len(t.Suites) == 0 && !d.reported(child(field, "suites")) {
		d.bad(child(field, "suites"), "nothing is checked in this tier", "add suites: [hub]")
	}
	d.names(child(field, "suites"), "suite", t.Suites)
	if a := t.Approval; a != nil {
		d.checkApproval(p, child(field, "approval"), a)
	}
	if s := t.Signoff; s != nil {
		f := child(field, "signoff")
		d.checkSignoff(p, f, s)
		if last {
			d.bad(f, "nobody is ever asked: sign-offs of a tier are wanted before the next tier, and this is the last", "move it to the tier where users try the release")
		}
	}
	if t.Version != "" {
		d.choice(child(field, "version"), &t.Version, "semver")
	}
	d.names(child(field, "order"), "hub", t.Order)
	d.checkWaves(field, t)
	d.checkNodes(child(field, "nodes"), &t.Nodes)
	d.checkBudget(child(field, "budget"), &t.Budget, last)
}

func (d *document) checkApproval(p *Policy, field string, a *Approval) {
	if _, written := d.at[child(field, "count")]; !written {
		a.Count = 1
	}
	switch {
	case d.reported(child(field, "count")):
	case a.Count < 1:
		d.bad(child(field, "count"), "nobody has to approve", "write 1 or more, or take the approval out")
	}
	if !d.need(child(field, "role"), a.Role, RoleBoard) || !d.role(child(field, "role"), a.Role) {
		return
	}
	if n := len(p.with(a.Role)); n < a.Count {
		d.bad(child(field, "count"), fmt.Sprintf("%d approvals are wanted and only %d hold role %s: it could never be given", a.Count, n, a.Role),
			"ask for fewer, or give the role to more people")
	}
}

func (d *document) checkSignoff(p *Policy, field string, s *Signoff) {
	if d.need(child(field, "of"), s.Of, "active-users") {
		d.choice(child(field, "of"), &s.Of, "active-users", "people")
	}
	d.choice(child(field, "require"), &s.Require, "all")
	if s.Of == "people" && len(p.with(RoleUser)) == 0 {
		d.bad(child(field, "of"), "nobody has role user: there is nobody to sign off", "give people the role user, or write active-users")
	}
	if _, written := d.at[child(field, "active")]; !written {
		s.Active = defaultActive
	} else if s.Active <= 0 && !d.reported(child(field, "active")) {
		d.bad(child(field, "active"), "nobody was active in no time", "write 30d")
	}
}

// role checks that a role exists.
func (d *document) role(field, r string) bool {
	if slices.Contains(Roles, r) {
		return true
	}
	fix := "write " + oneOf(Roles)
	if near := lint.Nearest(r, Roles); near != "" {
		fix = "did you mean " + near + "?"
	}
	d.bad(field, fmt.Sprintf("there is no role %q", r), fix)
	return false
}

// with are the people who hold a role, sorted.
func (p *Policy) with(role string) []string {
	var out []string
	for name, who := range p.People {
		if slices.Contains(who.Roles, role) {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}

var (
	personName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._@+-]{0,252}$`)
	email      = regexp.MustCompile(`^[^\s@<>]+@[^\s@<>]+$`)
)

func (d *document) checkPeople(p *Policy) {
	keys, emails := map[string]string{}, map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(p.People)) {
		who, field := p.People[name], child("people", name)
		if !personName.MatchString(name) {
			d.bad(field, fmt.Sprintf("%q is no name for a person", name), "use the name they have on the hubs: letters, digits and . _ @ + -")
		}
		d.checkKey(child(field, "key"), name, who.Key, keys)
		if len(who.Roles) == 0 && !d.reported(child(field, "roles")) {
			d.bad(child(field, "roles"), "they have no role", "add roles: ["+RoleUser+"]")
		}
		for i, r := range who.Roles {
			f := item(child(field, "roles"), i)
			if !d.reported(f) && d.role(f, r) && slices.Index(who.Roles, r) < i {
				d.bad(f, "the role "+r+" stands twice", "keep one of the two")
			}
		}
		for i, e := range who.Email {
			f := item(child(field, "email"), i)
			e = strings.ToLower(e)
			who.Email[i] = e
			if d.reported(f) {
				continue
			}
			if !email.MatchString(e) {
				d.bad(f, fmt.Sprintf("%q is no e-mail address", e), "write the address alone, as git log shows it")
			} else if other, ok := emails[e]; ok {
				d.bad(f, fmt.Sprintf("it is the address of %s too", other), "an author must be one person: keep one of the two")
			}
			emails[e] = name
		}
	}
	for _, r := range []string{RoleBuilder, RoleChecker, RoleDeployer, RoleBoard} {
		if len(p.with(r)) == 0 && !d.reported("people") {
			d.bad("people", fmt.Sprintf("nobody has role %s: no release could ever pass", r), "give somebody the role "+r)
		}
	}
}

// checkKey checks a public key, and that nobody before holds the same.
func (d *document) checkKey(field, name, key string, keys map[string]string) {
	const fix = "write what `gauntlet key new` prints"
	if !d.need(field, key, "ed25519:…, as `gauntlet key new` prints it") {
		return
	}
	pub, err := evidence.ParseKey(key)
	if err != nil {
		d.bad(field, err.Error(), fix)
		return
	}
	if strings.Trim(string(pub), "\x00") == "" {
		d.bad(field, "it is a placeholder, not a key", fix)
		return
	}
	if other, ok := keys[string(pub)]; ok {
		d.bad(field, fmt.Sprintf("%s has the same key: nobody could tell who spoke", other), "give each their own: gauntlet key new "+name)
	}
	keys[string(pub)] = name
}
