package gate

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"gauntlet/internal/config"
	"gauntlet/internal/evidence"
)

// People finds the people of a policy by their keys.
type People struct {
	byKey map[string][]string // key id to names, sorted
	all   map[string]config.Person
}

// PeopleOf are the people of a policy.
func PeopleOf(p config.Policy) People {
	ps := People{byKey: map[string][]string{}, all: p.People}
	for _, name := range slices.Sorted(maps.Keys(p.People)) {
		pub, err := evidence.ParseKey(p.People[name].Key)
		if err != nil {
			continue // a person without a usable key can say nothing
		}
		id := evidence.KeyID(pub)
		ps.byKey[id] = append(ps.byKey[id], name)
	}
	return ps
}

// By is the name of the person who holds a key. A key that several share speaks
// for nobody, since it cannot be told who signed: the error names them.
func (ps People) By(keyID string) (string, error) {
	switch names := ps.byKey[keyID]; len(names) {
	case 0:
		return "", fmt.Errorf("unknown key %s", keyID)
	case 1:
		return names[0], nil
	default:
		return "", fmt.Errorf("key %s, which %s share: a shared key speaks for nobody", keyID, strings.Join(names, " and "))
	}
}

// Has says whether a person holds one of the roles.
func (ps People) Has(name string, roles ...string) bool {
	for _, r := range ps.all[name].Roles {
		if slices.Contains(roles, r) {
			return true
		}
	}
	return false
}

// With is the names of all who hold a role, sorted.
func (ps People) With(role string) []string {
	var names []string
	for _, name := range slices.Sorted(maps.Keys(ps.all)) {
		if ps.Has(name, role) {
			names = append(names, name)
		}
	}
	return names
}
