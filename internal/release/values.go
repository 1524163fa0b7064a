package release

// Values are Helm values: a tree of maps with string keys, lists and scalars as
// JSON knows them.
type Values map[string]any
