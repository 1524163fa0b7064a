package ledger

import (
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/secure-systems-lab/go-securesystemslib/dsse"

	"gauntlet/internal/evidence"
	"gauntlet/internal/release"
)

// An intruder may push to the ledger's repository and holds no key of the policy.
type intruder struct {
	t    *testing.T
	repo name.Repository
}

func newIntruder(t *testing.T, repository string) intruder {
	t.Helper()
	repo, err := name.NewRepository(repository)
	if err != nil {
		t.Fatal(err)
	}
	return intruder{t, repo}
}

// put pushes a manifest under a tag, with an envelope.
func (i intruder) put(tag string, m manifest, envelope []byte) {
	i.t.Helper()
	if err := remote.WriteLayer(i.repo, static.NewLayer(envelope, types.MediaType(typeEnvelope))); err != nil {
		i.t.Fatal(err)
	}
	data, err := json.Marshal(m)
	if err != nil {
		i.t.Fatal(err)
	}
	if err := remote.Put(i.repo.Tag(tag), raw(data)); err != nil {
		i.t.Fatal(err)
	}
}

// manifest is that of a statement as it is kept.
func (i intruder) manifest(id release.Digest) manifest {
	i.t.Helper()
	desc, err := remote.Get(i.repo.Tag(tagStatement + id.Hex()))
	if err != nil {
		i.t.Fatal(err)
	}
	var m manifest
	if err := json.Unmarshal(desc.Manifest, &m); err != nil {
		i.t.Fatal(err)
	}
	return m
}

// with is a manifest of another envelope.
func (m manifest) with(envelope []byte) manifest {
	m.Layers = slices.Clone(m.Layers)
	m.Layers[0].Digest, m.Layers[0].Size = release.DigestOf(envelope), int64(len(envelope))
	return m
}

// edit changes a statement's envelope.
func edit(t *testing.T, envelope []byte, do func(e *dsse.Envelope, payload map[string]any)) []byte {
	t.Helper()
	var e dsse.Envelope
	if err := json.Unmarshal(envelope, &e); err != nil {
		t.Fatal(err)
	}
	raw, err := e.DecodeB64Payload()
	if err != nil {
		t.Fatal(err)
	}
	var payload map[string]any
	if err := json.Unmarshal(raw, &payload); err != nil {
		t.Fatal(err)
	}
	do(&e, payload)
	if raw, err = json.Marshal(payload); err != nil {
		t.Fatal(err)
	}
	e.Payload = base64.StdEncoding.EncodeToString(raw)
	out, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func reason(e *dsse.Envelope, payload map[string]any) {
	payload["predicate"].(map[string]any)["reason"] = "never mind"
}

// What was changed in its place is reported, counts as absent, and is missed by who
// has seen it.
func TestAlteredInPlaceIsReportedAndMissed(t *testing.T) {
	cases := map[string]struct {
		alter func(t *testing.T, i intruder, envelope []byte, m manifest, other release.Digest) (manifest, []byte)
		why   string
	}{
		"payload": {func(t *testing.T, _ intruder, env []byte, m manifest, _ release.Digest) (manifest, []byte) {
			env = edit(t, env, reason)
			return m.with(env), env
		}, "altered"},
		"signature": {func(t *testing.T, _ intruder, env []byte, m manifest, _ release.Digest) (manifest, []byte) {
			env = edit(t, env, func(e *dsse.Envelope, _ map[string]any) {
				e.Signatures[0].Sig = base64.StdEncoding.EncodeToString(make([]byte, 64))
			})
			return m.with(env), env
		}, "altered"},
		"subject of the manifest": {func(_ *testing.T, _ intruder, env []byte, m manifest, other release.Digest) (manifest, []byte) {
			m.Subject = &descriptor{MediaType: m.Subject.MediaType, Digest: other, Size: m.Subject.Size}
			return m, env
		}, "subject mismatch"},
		"no subject": {func(_ *testing.T, _ intruder, env []byte, m manifest, _ release.Digest) (manifest, []byte) {
			m.Subject = nil
			return m, env
		}, "malformed"},
		"another kind of artifact": {func(_ *testing.T, _ intruder, env []byte, m manifest, _ release.Digest) (manifest, []byte) {
			m.ArtifactType = release.TypeRelease
			return m, env
		}, "malformed"},
		"another statement's content": {func(t *testing.T, _ intruder, _ []byte, m manifest, _ release.Digest) (manifest, []byte) {
			env := item(t, artifact("R"), "another").Envelope
			return m.with(env), env
		}, "altered"},
	}
	onRegistries(t, func(t *testing.T, repository string) {
		store := openRegistry(t, repository)
		p := newPlatform(t, store, 1)
		i := newIntruder(t, repository)
		d, other := p.put(artifact("R")), p.put(artifact("S"))
		seen := map[string]release.Digest{}
		for name := range cases {
			seen[name] = p.veto("ada", d, "not "+name).ID
			p.veto("ada", d, "names the one before")
		}
		last := p.veto("ada", d, "last").ID
		if v := p.read(); len(v.Rejected) != 0 {
			t.Fatalf("before: rejected %v", v.Rejected)
		}
		for name, c := range cases {
			it, err := store.Get(t.Context(), seen[name])
			if err != nil {
				t.Fatal(err)
			}
			m, env := c.alter(t, i, it.Envelope, i.manifest(it.ID), other)
			i.put(tagStatement+it.ID.Hex(), m, env)
		}
		v := p.read()
		missing := v.Missing([]release.Digest{last})
		for name, c := range cases {
			id := seen[name]
			if slices.Contains(recordIDs(v), id) {
				t.Errorf("%s: counts although it was altered", name)
			}
			if r := rejected(v)[id]; !strings.Contains(r.Reason, c.why) {
				t.Errorf("%s: rejected as %q, want %q", name, r.Reason, c.why)
			}
			if !slices.Contains(missing, id) {
				t.Errorf("%s: nobody misses it", name)
			}
		}
		if !slices.Contains(recordIDs(v), last) {
			t.Error("a statement that was left alone does not count")
		}
	})
}

// What is pushed under a right name, but was not signed so, is reported and counts
// as absent.
func TestForgedIsReported(t *testing.T) {
	ada, grace := mustKey(t, "ada"), mustKey(t, "grace")
	cases := map[string]struct {
		do  func(e *dsse.Envelope, payload map[string]any)
		why string
	}{
		"payload": {reason, "bad signature"},
		"signature": {func(e *dsse.Envelope, _ map[string]any) {
			e.Signatures[0].Sig = base64.StdEncoding.EncodeToString(make([]byte, 64))
		}, "bad signature"},
		"no signature":   {func(e *dsse.Envelope, _ map[string]any) { e.Signatures = nil }, "0 signatures"},
		"two signatures": {func(e *dsse.Envelope, _ map[string]any) { e.Signatures = append(e.Signatures, e.Signatures[0]) }, "2 signatures"},
		"key of another": {func(e *dsse.Envelope, _ map[string]any) { e.Signatures[0].KeyID = grace.ID() }, "bad signature"},
		"unknown key":    {func(e *dsse.Envelope, _ map[string]any) { e.Signatures[0].KeyID = "sha256:0000000000000000" }, "unknown key"},
		"no key":         {func(e *dsse.Envelope, _ map[string]any) { e.Signatures[0].KeyID = "" }, "unknown key"},
		"payload type":   {func(e *dsse.Envelope, _ map[string]any) { e.PayloadType = "text/plain" }, "payload type"},
		"statement type": {func(_ *dsse.Envelope, p map[string]any) { p["_type"] = "https://in-toto.io/Statement/v0.1" }, "malformed"},
		"time":           {func(_ *dsse.Envelope, p map[string]any) { delete(p["predicate"].(map[string]any), "gauntlet") }, "gauntlet.time"},
		"heads": {func(_ *dsse.Envelope, p map[string]any) {
			p["predicate"].(map[string]any)["gauntlet"].(map[string]any)["heads"] = []string{"../../etc"}
		}, "gauntlet.heads"},
		"unknown member": {func(_ *dsse.Envelope, p map[string]any) { p["Subject"] = p["subject"] }, "malformed"},
		"subject": {func(_ *dsse.Envelope, p map[string]any) {
			p["subject"].([]any)[0].(map[string]any)["digest"] = map[string]string{"sha256": artifact("S").Digest().Hex()}
		}, "subject mismatch"},
		"no subject": {func(_ *dsse.Envelope, p map[string]any) { p["subject"] = []any{} }, "subject"},
		"predicate":  {func(_ *dsse.Envelope, p map[string]any) { p["predicate"] = "all is well" }, "malformed"},
	}
	onRegistries(t, func(t *testing.T, repository string) {
		store := openRegistry(t, repository)
		p := newPlatform(t, store, 1)
		p.keys["ada"], p.keys["grace"] = ada, grace
		p.pinned = p.propose("ada", p.policy(1, "ada", "grace"), "")
		i := newIntruder(t, repository)
		d := p.put(artifact("R"))
		real := p.veto("ada", d, "blank plots").ID
		it, err := store.Get(t.Context(), real)
		if err != nil {
			t.Fatal(err)
		}
		ids := map[string]release.Digest{}
		for name, c := range cases {
			env := edit(t, it.Envelope, c.do)
			ids[name] = release.DigestOf(env)
			i.put(tagStatement+ids[name].Hex(), i.manifest(real).with(env), env)
		}
		v := p.read()
		for name, c := range cases {
			if slices.Contains(recordIDs(v), ids[name]) {
				t.Errorf("%s: counts although it was forged", name)
			}
			if r := rejected(v)[ids[name]]; !strings.Contains(r.Reason, c.why) {
				t.Errorf("%s: rejected as %q, want %q", name, r.Reason, c.why)
			}
		}
		if !slices.Contains(recordIDs(v), real) {
			t.Error("the real one does not count")
		}
		if m := v.Missing(v.Heads); len(m) != 0 {
			t.Errorf("forged statements make others miss %v", m)
		}
		// Writing goes on, and names only what counts.
		if r := p.veto("ada", d, "again"); !slices.Equal(r.Heads, []release.Digest{real}) {
			t.Errorf("names %v, want %v", r.Heads, real)
		}
	})
}

// Two values of one key, of which readers would take different ones, are refused.
func TestDoubledKeysAreRefused(t *testing.T) {
	it := item(t, artifact("R"), "why")
	var e dsse.Envelope
	if err := json.Unmarshal(it.Envelope, &e); err != nil {
		t.Fatal(err)
	}
	payload, err := e.DecodeB64Payload()
	if err != nil {
		t.Fatal(err)
	}
	for _, change := range [][2]string{
		{`"predicateType":`, `"predicateType":"urn:gauntlet:approval:v1","predicateType":`},
		{`"reason":`, `"reason":"never mind","reason":`},
		{`"sha256":`, `"sha256":"` + release.DigestOf(nil).Hex() + `","sha256":`},
	} {
		doubled := strings.Replace(string(payload), change[0], change[1], 1)
		if doubled == string(payload) {
			t.Fatalf("%s is not in %s", change[0], payload)
		}
		if err := decode([]byte(doubled), &evidence.Record{}); err == nil {
			t.Errorf("read: %s", doubled)
		}
	}
}
