package evidence

import "gauntlet/internal/release"

// A Statement is what somebody wants to say: package ledger adds when and after
// what, signs it and keeps it.
type Statement struct {
	Type      string    // predicate type
	Subjects  []Subject // at least one, the most important first; each one's artifact is in the ledger
	Predicate any       // the struct of that type: marshals to a JSON object
}

// PolicyTier is the tier that an approval of a policy names: no tier of hubs may
// bear this name.
const PolicyTier = "policy"

// PolicyArtifact is a policy as kept in the ledger's repository. Its digest is the
// policy's identity, so equal bytes are one policy.
func PolicyArtifact(text []byte) release.Artifact {
	return release.Artifact{Type: release.TypePolicy, Config: text}
}
