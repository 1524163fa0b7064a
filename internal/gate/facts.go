package gate

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"gauntlet/internal/config"
	"gauntlet/internal/evidence"
	"gauntlet/internal/release"
)

// said is a record with what it says and who said it.
type said[T any] struct {
	evidence.Record
	at   int    // place in the ledger's order
	who  string // "" when the key names nobody
	key  error  // why it names nobody
	what T
}

// facts are the evidence by kind, in the ledger's order. Where one role alone may
// say a thing, what others said is left out here; approvals, sign-offs and vetoes
// are all kept, so that reasons can name those that do not count.
type facts struct {
	Input
	people People

	made        []said[evidence.Made]
	builds      []said[evidence.Build]
	results     []said[evidence.TestResult]
	deployments []said[evidence.Deployment]
	versions    []said[evidence.Version]
	approvals   []said[evidence.Approval]
	signed      []said[evidence.Signoff]
	vetoes      []said[evidence.Veto]
	ready       []said[evidence.Ready]
}

func gather(in Input) *facts {
	f := &facts{Input: in, people: PeopleOf(in.Policy)}
	f.made = by(f, read[evidence.Made](f, evidence.ReleaseType), config.RoleBuilder)
	f.builds = by(f, read[evidence.Build](f, evidence.BuildType), config.RoleBuilder)
	f.results = by(f, read[evidence.TestResult](f, evidence.TestResultType), config.RoleChecker)
	f.deployments = f.withRollbacks(by(f, read[evidence.Deployment](f, evidence.DeploymentType), config.RoleDeployer))
	f.versions = by(f, read[evidence.Version](f, evidence.VersionType), config.RoleDeployer)
	f.approvals = read[evidence.Approval](f, evidence.ApprovalType)
	f.signed = read[evidence.Signoff](f, evidence.SignoffType)
	f.ready = read[evidence.Ready](f, evidence.ReadyType)
	f.vetoes = read[evidence.Veto](f, evidence.VetoType)
	return f
}

// read are the records of one type. One whose predicate cannot be read says nothing.
func read[T any](f *facts, typ string) []said[T] {
	var out []said[T]
	for i, r := range f.Evidence {
		if r.Type != typ {
			continue
		}
		what, err := evidence.Decode[T](r)
		if err != nil {
			continue
		}
		who, err := f.people.By(r.Signer)
		out = append(out, said[T]{Record: r, at: i, who: who, key: err, what: what})
	}
	return out
}

func by[T any](f *facts, all []said[T], role string) []said[T] {
	return slices.DeleteFunc(all, func(s said[T]) bool { return s.who == "" || !f.people.Has(s.who, role) })
}

// newestOr is the last statement about a subject that has what is wanted, or else the
// last.
func newestOr[T any](all []said[T], kind string, d release.Digest, wanted func(T) bool) (said[T], bool) {
	for _, s := range slices.Backward(all) {
		if s.About(kind, d) && wanted(s.what) {
			return s, true
		}
	}
	return newest(all, kind, d)
}

// newest is the last statement about a subject.
func newest[T any](all []said[T], kind string, d release.Digest) (said[T], bool) {
	for _, s := range slices.Backward(all) {
		if s.About(kind, d) {
			return s, true
		}
	}
	return said[T]{}, false
}

// result is the newest result of a suite on a subject, at a hub or "" for none,
// among the records after a place in the ledger's order. An older pass never
// stands against a newer failure.
func (f *facts) result(suite, kind string, d release.Digest, hub string, after int) (said[evidence.TestResult], bool) {
	for _, s := range slices.Backward(f.results) {
		if s.at > after && s.what.Suite == suite && s.what.Hub == hub && s.About(kind, d) {
			return s, true
		}
	}
	return said[evidence.TestResult]{}, false
}

// failure says why a result is no pass, "" when it is one. A result that rests on
// no check is none.
func failure(t evidence.TestResult) string {
	if len(t.Checks) == 0 {
		return "it ran no check"
	}
	var failed []string
	for _, c := range t.Checks {
		if c.State != evidence.Passed && c.State != evidence.Warned {
			s := c.Name
			if c.Message != "" {
				s += " (" + c.Message + ")"
			}
			failed = append(failed, s)
		}
	}
	if len(failed) > 0 {
		return strings.Join(failed, ", ")
	}
	if t.Result != evidence.Passed && t.Result != evidence.Warned {
		return fmt.Sprintf("result %q", t.Result)
	}
	return ""
}

// resultReason is the line for a result that passed.
func resultReason(what string, s said[evidence.TestResult]) string {
	r := fmt.Sprintf("%s passed %d checks", what, len(s.what.Checks))
	if len(s.what.Checks) == 1 {
		r = what + " passed 1 check"
	}
	if s.what.Result == evidence.Warned {
		r += ", with warnings: " + strings.Join(s.what.WarnedTests, ", ")
	}
	return r
}

// ignored names the statements of some type about a subject that count as absent:
// a reason to add where one is missed.
func (f *facts) ignored(typ, kind string, ds ...release.Digest) string {
	var out []string
	for _, r := range f.Rejected {
		if r.Type == typ && slices.ContainsFunc(ds, func(d release.Digest) bool { return r.About(kind, d) }) {
			out = append(out, fmt.Sprintf("statement %s does not count (%s)", r.ID.Short(), r.Reason))
		}
	}
	if len(out) == 0 {
		return ""
	}
	return "; " + strings.Join(out, "; ")
}

func ids[T any](all ...said[T]) []release.Digest {
	var out []release.Digest
	for _, s := range all {
		out = append(out, s.ID)
	}
	return out
}

// when is a time for people.
func when(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") }

// listed is names for people: a, b and c.
func listed(names []string) string {
	switch n := len(names); n {
	case 0:
		return "nobody"
	case 1:
		return names[0]
	default:
		return strings.Join(names[:n-1], ", ") + " and " + names[n-1]
	}
}
